"""Segments that were given a name: `@loyal` stands for what was saved as loyal; it must not know what it says."""

import re

from msgspec import Struct

from pipeline.report.asking import Ask
from pipeline.report.segments.tokens import Fault
from pipeline.warehouse.texts import sql_text

MARK = "@"
NAME_EXPECTED = "1 to 64 small letters, digits, - and _"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


class Saved(Struct, frozen=True):
    """A row of the table `segments`. `saved_at`: UTC, ISO."""

    workspace: str
    name: str
    segment: str
    saved_at: str
    dropped: bool = False


def is_name(text: str) -> bool:
    """Whether a segment can be called that."""
    return _NAME.fullmatch(text) is not None


def saved(ask: Ask, workspace: str) -> dict[str, str]:
    """What each name of the workspace stands for."""
    return {str(name): str(segment) for name, segment in ask(sql_text("segments"), {"workspace": workspace})[1]}


def meant(ask: Ask, workspace: str, text: str) -> str | Fault:
    """The segment itself, where the text is one; what it was saved as, where it is a name."""
    words = text.strip()
    if not words.startswith(MARK):
        return text
    known = saved(ask, workspace)
    if words[1:] in known:
        return known[words[1:]]
    names = ", ".join(MARK + name for name in known) or "none has been saved"
    return Fault(f"expected a name that was saved in {workspace}: {names}", text.index(MARK))
