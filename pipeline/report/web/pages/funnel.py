"""A funnel across devices: steps in order, as persons and as if every device were one; it must not know SQL."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from msgspec import Struct

from pipeline.limits import DAY_MS, FUNNEL_STEPS_MAX, HOUR_MS
from pipeline.report.asking import rows
from pipeline.report.parameters import Problem
from pipeline.report.segments.compile import compiled_step
from pipeline.report.segments.condition import Condition
from pipeline.report.segments.tokens import Fault
from pipeline.report.web.pages.choices import Choice, choice
from pipeline.report.web.pages.page import Asked, Page, WrongAddress
from pipeline.report.web.plot.curve import per_cent
from pipeline.report.web.plot.funnel import funnel
from pipeline.report.web.plot.pairs import pairs

WITHIN: Mapping[str, tuple[str, int]] = {
    "1h": ("1 hour", HOUR_MS),
    "1d": ("1 day", DAY_MS),
    "7d": ("7 days", 7 * DAY_MS),
    "30d": ("30 days", 30 * DAY_MS),
}
_DEFAULT = "7d"
_FIELDS_MIN = 3
_SUGGESTED = 20


class Field(Struct, frozen=True):
    """A step as it was written. `fault`: what is wrong with it."""

    name: str
    text: str
    fault: str = ""


def funnel_page(asked: Asked) -> Page:
    """By `?step1=`, `?step2=` and so on; without any, the busiest page and the goal met most often as an example."""
    chosen = choice(asked)
    within = asked.query.get("within", _DEFAULT)
    if within not in WITHIN:
        raise WrongAddress(f"within: expected one of {', '.join(WITHIN)}")
    seen = chosen.parts.of("pages", partial(chosen.rows, "pages", limit=_SUGGESTED)) or []
    pages = [row["page"] for row in seen if row["page"]]
    known = [*chosen.goals()[:_SUGGESTED], *pages]
    written = [asked.query.get(f"step{number}", "").strip() for number in range(1, FUNNEL_STEPS_MAX + 1)]
    texts = [text for text in written if text]
    example = not texts
    texts = texts or _example(pages, known)
    conditions = [compiled_step(text, number) for number, text in enumerate(texts)]
    fields = [
        Field(f"step{number}", text, str(found) if isinstance(found, Fault) else "")
        for number, (text, found) in enumerate(zip(texts, conditions, strict=True), 1)
    ]
    met = [found for found in conditions if isinstance(found, Condition)]
    whole = bool(met) and len(met) == len(texts)
    counts = chosen.parts.of("funnel", lambda: _counts(chosen, met, WITHIN[within][1]) if whole else [])
    return Page(
        "funnel.html",
        {
            **chosen.values("funnel", "Funnel"), "fields": _and_empty(fields), "example": example and bool(texts),
            "withins": {name: words for name, (words, _) in WITHIN.items()}, "within": within,
            "within_words": WITHIN[within][0], "known": known, "faulty": bool(texts) and not whole,
            **_drawn(texts, counts or []),
        },
    )  # fmt: skip


def _example(pages: list[str], known: list[str]) -> list[str]:
    """From the page that is seen most to what is done most; nothing, where there is nothing to go through."""
    ends = [text for text in known if pages and text != pages[0]]
    return [pages[0], ends[0]] if ends else []


def _and_empty(fields: list[Field]) -> list[Field]:
    """One more than is written, and enough to see that there can be several."""
    count = min(max(len(fields) + 1, _FIELDS_MIN), FUNNEL_STEPS_MAX)
    return [*fields, *(Field(f"step{number}", "") for number in range(len(fields) + 1, count + 1))]


def _counts(chosen: Choice, steps: list[Condition], within_ms: int) -> list[tuple[int, int]]:
    """Persons and devices at each step; a step that nobody reached is not in the answer."""
    asked = chosen.asked
    values = asked.values(**chosen.span.parameters, within_ms=within_ms)
    found = rows(asked.ask, "funnel", values, chosen.segment, steps)
    if isinstance(found, Problem):
        raise WrongAddress(str(found))
    by_step = {row["step"]: (row["persons"], row["devices"]) for row in found}
    return [by_step.get(number, (0, 0)) for number in range(1, len(steps) + 1)]


def _drawn(texts: list[str], counts: list[tuple[int, int]]) -> dict[str, Any]:
    if not counts or not counts[0][0]:
        return {"counts": counts, "wide": None, "phone": None, "steps": [], "began": 0, "ended": 0, "overall": ()}
    named = [(f"{n}. {text}", *count) for n, (text, count) in enumerate(zip(texts, counts, strict=True), 1)]
    table = []
    for at, (text, (persons, devices)) in enumerate(zip(texts, counts, strict=True)):
        before = counts[at - 1] if at else None
        table.append((text, persons, *_shares(persons, counts[0][0], before and before[0]), devices,
                      *_shares(devices, counts[0][1], before and before[1])))  # fmt: skip
    first, last = counts[0], counts[-1]
    return {
        "counts": counts,
        "wide": funnel(named, 820, 300),
        "phone": pairs([(name, a, b) for name, a, b in named], lambda number: f"{number:,.0f}", 326),
        "steps": table,
        "began": first[0],
        "ended": last[0],
        "overall": (per_cent(last[0] / first[0]), per_cent(last[1] / first[1]) if first[1] else "–"),
    }


def _shares(count: int, first: int, before: int | None) -> tuple[str, str]:
    return per_cent(count / first) if first else "–", per_cent(count / before) if before else "–"
