"""What is said when a question was not answered; it must not know which page asked."""

from pipeline.report.web.pages.page import Asked, Page, WrongAddress

_SLOW = ("TIMEOUT_EXCEEDED", "longer than", "Timeout", "MEMORY_LIMIT")


def refused(error: Exception, asked: Asked) -> Page:
    """In words a reader can do something about; the warehouse's own stay in its log."""
    text = str(error)
    if isinstance(error, WrongAddress):
        return _state(asked, "This address is not quite right", f"{text}.", 400)
    if any(word in text for word in _SLOW):
        said = "This took longer than 10 s and was stopped. Try fewer days."
        return _state(asked, "Too much at once", said, 503)
    said = "ClickHouse does not answer. Hits are safe and waiting. Try again in 5 s."
    return _state(asked, "No answer", said, 503)


def _state(asked: Asked, heading: str, said: str, status: int) -> Page:
    values = {"asked": asked, "title": heading, "heading": heading, "said": said, "link": "", "link_words": ""}
    if status == 503:
        slow = heading == "Too much at once"
        values["link"] = asked.address(days=7) if slow else asked.address()
        values["link_words"] = "Show 7 days instead" if slow else "Try again"
    return Page("state.html", values, status)
