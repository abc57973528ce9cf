"""Names for segments: which there are, saving one, taking one away; it must not know how they are stored, or HTTP."""

import logging
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec

from pipeline.limits import SEGMENTS_NAMED_MAX
from pipeline.report.saved import MARK, NAME_EXPECTED, Saved, is_name, meant, saved
from pipeline.report.segments.compile import compiled
from pipeline.report.segments.tokens import Fault
from pipeline.report.web.pages.page import Asked, Page
from pipeline.report.web.pages.segments import segments_page
from pipeline.times import iso

_log = logging.getLogger(__name__)


class NotKept(Exception):
    """Whoever stores segments was not there, or said no."""


Keep = Callable[[Saved], None]  # raises NotKept


def name_segment(asked: Asked, form: Mapping[str, str], keep: Keep) -> Page:
    """Save or drop what the form says, and go back to the page; or the page with what is wrong, and nothing done."""
    name = form.get("name", "").strip().removeprefix(MARK)
    known = saved(asked.ask, asked.workspace)
    drops = form.get("do") == "drop"
    text = known.get(name, "") if drops else meant(asked.ask, asked.workspace, form.get("segment", ""))
    wrong = _wrong_name(name, known, drops) or ("" if drops else _wrong_segment(text))
    now = iso(asked.clock.now_ms)
    if not wrong:
        try:
            keep(Saved(asked.workspace, name, str(text), now, dropped=drops))
        except NotKept as error:
            _log.warning("a segment was not kept: %s", error)
            wrong = ("name", "The warehouse did not take it. Its log says why; nothing has changed.")
    if wrong:
        return _again(asked, form, wrong)
    done = {"dropped": name, "keep": str(text)} if drops else {"a": MARK + name, "saved": name}
    days = form.get("days", "")
    more = {"days": days} if days.isdigit() else {}
    return Page("", location=f"{asked.root}/segments?{urlencode({**done, **more})}#saved")


def _wrong_name(name: str, known: Mapping[str, str], drops: bool) -> tuple[str, str] | str:
    if drops:
        return "" if name in known else ("name", f"No segment is called {MARK}{name}.")
    if not is_name(name):
        return "name", f"Expected a name of {NAME_EXPECTED}."
    if name not in known and len(known) >= SEGMENTS_NAMED_MAX:
        return "name", f"There are {SEGMENTS_NAMED_MAX} already: remove one first."
    return ""


def _wrong_segment(text: str | Fault) -> tuple[str, str] | str:
    found = compiled(text) if isinstance(text, str) else text
    if isinstance(found, Fault):
        return "segment", f"{found}, at character {found.at + 1}."
    return "" if str(text).strip() else ("segment", "Expected conditions: without any, everybody is meant.")


def _again(asked: Asked, form: Mapping[str, str], wrong: tuple[str, str] | str) -> Page:
    query = {"days": form["days"]} if form.get("days", "").isdigit() else {}
    page = segments_page(msgspec.structs.replace(asked, query=query))
    said: dict[str, Any] = {
        "new_name": form.get("name", ""),
        "new_segment": form.get("segment", ""),
        "wrong_new": wrong,
    }
    return Page(page.template, {**page.values, **said}, 400)
