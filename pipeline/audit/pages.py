"""A warehouse cut into stretches of devices that one question can take; it must not know what is asked of them."""

from collections.abc import Iterator

from msgspec import Struct

from pipeline.questions import Questions

PAGE_ROWS = 250_000  # row versions; a question has 10 s, and 100,000 rows take about one

_ROWS = "SELECT count() FROM action_log WHERE {workspace:String} IN ('', toString(workspace))"
_WORKSPACES = """
    SELECT DISTINCT toString(workspace) AS name
    FROM action_log
    WHERE {workspace:String} IN ('', toString(workspace))
    ORDER BY name
"""
# The key begins with workspace and device: both questions read no more than a page.
_LAST = """
    SELECT device
    FROM action_log
    WHERE workspace = {workspace:String} AND device >= {device:String}
    ORDER BY workspace, device
    LIMIT 1 OFFSET {rows:UInt64}
"""
_NEXT = """
    SELECT device
    FROM action_log
    WHERE workspace = {workspace:String} AND device > {device:String}
    ORDER BY workspace, device
    LIMIT 1
"""


class Page(Struct, frozen=True):
    """Devices of a workspace from one to another, both included; "" is every workspace, the first, or the last."""

    workspace: str
    from_device: str = ""
    until_device: str = ""


def all_at_once_or_pages(ask: Questions, workspace: str = "", rows: int = PAGE_ROWS) -> Iterator[Page]:
    """The same stretches, or one for all where the rows are that few: a thousand small workspaces are one question."""
    if ask(_ROWS, {"workspace": workspace})[1][0][0] <= rows:
        yield Page(workspace)
    else:
        yield from pages(ask, workspace, rows)


def pages(ask: Questions, workspace: str = "", rows: int = PAGE_ROWS) -> Iterator[Page]:
    """Stretches of about so many rows that hold every device once. No device is cut: one with more is a page alone."""
    for (name,) in ask(_WORKSPACES, {"workspace": workspace})[1]:
        start: str | None = ""
        while start is not None:
            last = _device(ask, _LAST, workspace=name, device=start, rows=rows - 1)
            yield Page(name, start, last or "")
            start = None if last is None else _device(ask, _NEXT, workspace=name, device=last)


def _device(ask: Questions, sql: str, **parameters: str | int) -> str | None:
    rows = ask(sql, parameters)[1]
    return str(rows[0][0]) if rows else None
