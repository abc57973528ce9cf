"""Rows as CSV that a spreadsheet shows and never runs; it must not know what they are."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_RUN = ("=", "+", "-", "@", "＝", "＋", "－", "＠")


def csv_lines(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """One line a row, without a head; lists and objects as JSON."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    for row in rows:
        writer.writerow([_cell(row[name]) for name in columns])
    return text.getvalue()


def csv_head(columns: Sequence[str]) -> str:
    """The names of the columns."""
    return ",".join(columns) + "\r\n"


def _cell(value: Any) -> Any:
    """Numbers are numbers; a text that a spreadsheet would take for a formula has an apostrophe in front."""
    if isinstance(value, list | dict):
        value = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, str):
        return value
    runs = value.lstrip().startswith(_RUN) or value.startswith(("\t", "\r", "\n"))
    return f"'{value}" if runs else value
