"""A segment somebody wrote: its condition, or what is wrong with it and where; it must not know a page."""

from msgspec import Struct

from pipeline.report.saved import MARK, meant, saved
from pipeline.report.segments.compile import compiled
from pipeline.report.segments.condition import EVERYBODY, Condition
from pipeline.report.segments.tokens import Fault
from pipeline.report.web.pages.page import Asked
from pipeline.report.web.pages.parts import Parts

ORDERED = "revenue > 0"


class Wrong(Struct, frozen=True):
    """`line`: what was written; `caret`: the same width of space and a caret at the place."""

    said: str
    line: str
    caret: str


def segment_of(asked: Asked, text: str) -> tuple[Condition, Wrong | None]:
    """Everybody, where it is none: then the page says why beside the field."""
    words = meant(asked.ask, asked.workspace, text)
    found = compiled(words) if isinstance(words, str) else words
    if isinstance(found, Fault):
        line = text.replace("\n", " ")
        return EVERYBODY, Wrong(str(found), line, " " * min(found.at, len(line)) + "^")
    return found, None


def ordered_of(asked: Asked, text: str) -> Condition | None:
    """Those of a segment who ordered; None where the two together are more than a segment may be."""
    words = meant(asked.ask, asked.workspace, text)
    found = compiled(f"({words}) and {ORDERED}" if isinstance(words, str) and words.strip() else ORDERED)
    return found if isinstance(found, Condition) else None


def with_saved(parts: Parts, asked: Asked, chips: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """The chips of a page (words, segment), and one for each segment of the workspace that has a name."""
    named = parts.of("saved", lambda: saved(asked.ask, asked.workspace), dated=False) or {}
    return (*chips, *((MARK + name, MARK + name) for name in named))
