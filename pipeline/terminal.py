"""Rows and journeys as text for people; it must not know where they come from.

Texts from trackers are shown with control characters replaced: a page title must not be able to move a cursor.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

_CELL_CHARS_MAX = 60


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Iterator[str]:
    """Aligned columns under their names; long cells end in an ellipsis."""
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [
        max(len(name), *(len(row[at]) for row in cells)) if cells else len(name) for at, name in enumerate(columns)
    ]
    yield "  ".join(name.ljust(width) for name, width in zip(columns, widths, strict=True)).rstrip()
    yield "  ".join("-" * width for width in widths)
    for row in cells:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def json_lines(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """One JSON object a row."""
    for row in rows:
        yield json.dumps(dict(zip(columns, row, strict=True)), default=str, ensure_ascii=False)


def journey(actions: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """A timeline: a line a day, then time, device, what happened, and how we know whose it was."""
    names = _device_names(actions)
    width = max((len(name) for name in names.values()), default=0)
    day = ""
    for action in actions:
        moment = _moment(action["ts"])
        if moment[:10] != day:
            day = moment[:10]
            yield day
        what = _cell(f"{action['type']:<8} {action['name'] or action['title'] or action['url']}").ljust(_CELL_CHARS_MAX)
        yield f"  {moment[11:19]}  {names[action['device']].ljust(width)}  {what}  {action['attribution']}"


def printable(text: str) -> str:
    """The text, each character that is none to look at replaced."""
    return "".join(c if c.isprintable() else "�" for c in text)


def _device_names(actions: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """`phone abc123…`: the kind of device, and enough of its ID to tell two apart."""
    names: dict[str, str] = {}
    for action in actions:
        known_as = str(action["device"])[2:]
        kind = action["device_type"] or names.get(action["device"], "device").split(" ")[0]
        names[action["device"]] = _cell(f"{kind} {known_as if len(known_as) <= 12 else known_as[:11] + '…'}")
    return names


def _moment(value: Any) -> str:
    return (
        value.isoformat(sep=" ", timespec="milliseconds")
        if isinstance(value, datetime)
        else str(value).replace("T", " ")
    )


def _cell(value: Any) -> str:
    text = (
        value
        if isinstance(value, str)
        else json.dumps(value, default=str)
        if isinstance(value, list | dict)
        else str(value)
    )
    shown = printable(text)
    return shown if len(shown) <= _CELL_CHARS_MAX else shown[: _CELL_CHARS_MAX - 1] + "…"
