"""What is said when a question was not answered; it must not know which page asked."""

from msgspec import Struct

from pipeline.limits import PAGE_SECONDS_MAX, QUERY_SECONDS_MAX
from pipeline.questions import TookTooMuch
from pipeline.report.web.pages.page import Asked, Page, WrongAddress

NOT_ASKED = "NOT_ASKED"  # the page had taken too long before it came to this question
_SLOW = f"This took longer than {QUERY_SECONDS_MAX} s and was stopped."
_LARGE = "This has more rows than one answer may have and was stopped."
_SAID = {
    "MEMORY_LIMIT_EXCEEDED": "This took more memory than one question may have and was stopped.",
    "TOO_MANY_ROWS": _LARGE,
    "TOO_MANY_BYTES": _LARGE,
    "TOO_MANY_ROWS_OR_BYTES": _LARGE,
    NOT_ASKED: f"The rest of this page had taken {PAGE_SECONDS_MAX} s, so this was not asked.",
}
_SHORT_DAYS = 7


class Refused(Struct, frozen=True):
    """Why something is not told, in words, and where less of it is asked. `code`: ClickHouse's, or NOT_ASKED."""

    code: str
    said: str
    link: str
    link_words: str


def too_much(code: str, asked: Asked, dated: bool = True) -> Refused:
    """A shorter period is what helps, where the question is of one."""
    said, days = _SAID.get(code, _SLOW), asked.query.get("days", "28")
    if not dated or "person" in asked.path or days == "1":
        return Refused(code, said, asked.address(), "Try again")
    fewer = 1 if days.isdigit() and int(days) <= _SHORT_DAYS else _SHORT_DAYS
    words = "Show 7 days instead" if fewer > 1 else "Show today instead"
    return Refused(code, f"{said} Try fewer days.", asked.address(days=fewer, after=None), words)


def refused(error: Exception, asked: Asked) -> Page:
    """In words a reader can do something about; the warehouse's own stay in its log."""
    if isinstance(error, WrongAddress):
        return _state(asked, "This address is not quite right", f"{error}.", 400)
    if isinstance(error, TookTooMuch):
        why = too_much(error.code, asked)
        return _state(asked, "Too much at once", why.said, 503, (why.link, why.link_words))
    said = "ClickHouse does not answer. Hits are safe and waiting. Try again in 5 s."
    return _state(asked, "No answer", said, 503, (asked.address(), "Try again"))


def _state(asked: Asked, heading: str, said: str, status: int, link: tuple[str, str] = ("", "")) -> Page:
    values = {"asked": asked, "title": heading, "heading": heading, "said": said}
    return Page("state.html", {**values, "link": link[0], "link_words": link[1]}, status)
