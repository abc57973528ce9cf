"""A segment somebody wrote: its condition, or what is wrong with it and where; it must not know a page."""

from msgspec import Struct

from pipeline.report.segments.compile import compiled
from pipeline.report.segments.condition import EVERYBODY, Condition
from pipeline.report.segments.tokens import Fault


class Wrong(Struct, frozen=True):
    """`line`: what was written; `caret`: the same width of space and a caret at the place."""

    said: str
    line: str
    caret: str


def segment_of(text: str) -> tuple[Condition, Wrong | None]:
    """Everybody, where it is none: then the page says why beside the field."""
    found = compiled(text)
    if isinstance(found, Fault):
        line = text.replace("\n", " ")
        return EVERYBODY, Wrong(str(found), line, " " * min(found.at, len(line)) + "^")
    return found, None
