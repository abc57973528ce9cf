"""A warehouse cut into stretches of devices that one question can take; it must not know what is asked of them."""

from collections.abc import Iterator

from msgspec import Struct

from pipeline.questions import Questions
from pipeline.warehouse.texts import sql_text

PAGE_ROWS = 250_000  # row versions; a question has 10 s, and 100,000 rows take about one


class Page(Struct, frozen=True):
    """Devices of a workspace from one to another, both included; "" is every workspace, the first, or the last."""

    workspace: str
    from_device: str = ""
    until_device: str = ""


def all_at_once_or_pages(ask: Questions, workspace: str = "", rows: int = PAGE_ROWS) -> Iterator[Page]:
    """The same stretches, or one for all where the rows are that few: a thousand small workspaces are one question."""
    if ask(sql_text("audit/rows"), {"workspace": workspace})[1][0][0] <= rows:
        yield Page(workspace)
    else:
        yield from pages(ask, workspace, rows)


def pages(ask: Questions, workspace: str = "", rows: int = PAGE_ROWS) -> Iterator[Page]:
    """Stretches of about so many rows that hold every device once. No device is cut: one with more is a page alone."""
    for (name,) in ask(sql_text("audit/workspaces"), {"workspace": workspace})[1]:
        start: str | None = ""
        while start is not None:
            last = _device(ask, sql_text("audit/last"), workspace=name, device=start, rows=rows - 1)
            yield Page(name, start, last or "")
            start = None if last is None else _device(ask, sql_text("audit/next"), workspace=name, device=last)


def _device(ask: Questions, sql: str, **parameters: str | int) -> str | None:
    rows = ask(sql, parameters)[1]
    return str(rows[0][0]) if rows else None
