"""Two segments side by side, and everybody in one as a file; it must not know SQL or the language of segments."""

from collections.abc import Sequence
from typing import Any

from pipeline.report.asking import Row, audience
from pipeline.report.csv_text import csv_head, csv_lines
from pipeline.report.saved import MARK, is_name, saved
from pipeline.report.segments.condition import Condition
from pipeline.report.web.pages.measures import measures
from pipeline.report.web.pages.page import Asked, Page, Period, WrongAddress, period
from pipeline.report.web.pages.parts import Parts
from pipeline.report.web.pages.segmented import ordered_of, segment_of

_A, _B = "signed_in = true", "signed_in = false"
_PAGES = 10
_FILE_ROWS_MAX = 200_000
_COLUMNS = (
    "person_id",
    "user_ids",
    "first_action",
    "last_action",
    "actions",
    "devices",
    "conversions",
    "spent",
    "traits",
)


def segments_page(asked: Asked) -> Page:
    """What differs between A and B."""
    span, parts = period(asked), Parts(asked)
    texts = (asked.query.get("a", _A), asked.query.get("b", _B))
    (a, wrong_a), (b, wrong_b) = segment_of(asked, texts[0]), segment_of(asked, texts[1])
    asks = [] if wrong_a or wrong_b else [(a, texts[0]), (b, texts[1])]
    sides = parts.of("sides", lambda: [asked.rows("overview", one, **span.parameters)[0] for one, _ in asks]) or []
    site = asked.query.get("site", "")
    site = site if site in asked.sites else ""
    everybody = parts.of("everybody", lambda: asked.rows("overview", **span.parameters)[0]["persons"] if sides else 0)
    return Page(
        "segments.html",
        {
            "asked": asked, "title": "Compare segments", "page": "segments", "period": span,
            "texts": texts, "wrong": (wrong_a, wrong_b), "sides": sides, "everybody": everybody,
            **_named(parts, asked, texts[0] if not wrong_a else ""),
            "measures": measures(_with_more(parts, asked, span, asks, sides)) if sides else [],
            "pages": parts.of("pages", lambda: _pages(asked, span, (a, b), sides, site) if sides else []),
            "site": site, "sites": asked.sites if len(asked.sites) > 1 else (),
            "refused": parts.refused,
        },
    )  # fmt: skip


def _named(parts: Parts, asked: Asked, text: str) -> dict[str, Any]:
    """Those that have a name, what was just done with one, and what stands in the form for another."""
    query = asked.query
    known = parts.of("saved", lambda: saved(asked.ask, asked.workspace), dated=False) or {}
    done, gone = query.get("saved", ""), query.get("dropped", "")
    gone = gone if is_name(gone) and gone not in known else ""
    return {
        "named": list(known.items()),
        "just_saved": done if done in known else "",
        "just_dropped": gone,
        "new_name": gone,
        "new_segment": query.get("keep", "") or ("" if text.startswith(MARK) else text),
        "wrong_new": "",
    }


def _with_more(
    parts: Parts, asked: Asked, span: Period, asks: Sequence[tuple[Condition, str]], sides: Sequence[Row]
) -> list[Row]:
    """The sides with what takes a question of its own each; None where it was not told, or there is none."""
    if not sides:
        return []
    none = [None] * len(sides)
    buyers = parts.of("buyers", lambda: [_buyers(asked, span, text) for _, text in asks]) or none
    visits = parts.of("visits", lambda: [_visits(asked, span, one) for one, _ in asks]) or none
    waited = parts.of("waited", lambda: [_waited_ms(asked, span, one) for one, _ in asks]) or none
    more = zip(sides, buyers, visits, waited, strict=True)
    return [{**side, "buyers": who, "visits": came, "waited_ms": ms} for side, who, came, ms in more]


def _buyers(asked: Asked, span: Period, text: str) -> int | None:
    ordered = ordered_of(asked, text)
    return int(asked.rows("overview", ordered, **span.parameters)[0]["persons"]) if ordered else None


def _visits(asked: Asked, span: Period, segment: Condition) -> int:
    return sum(row["visits"] for row in asked.rows("visit_days", segment, **span.parameters))


def _waited_ms(asked: Asked, span: Period, segment: Condition) -> int | None:
    rows = asked.rows("identify_time", segment, **span.parameters)
    middle = sorted((row["median_ms"], row["persons"]) for row in rows if row["persons"])
    return int(middle[len(middle) // 2][0]) if middle else None


def _pages(
    asked: Asked, span: Period, segments: Sequence[Condition], sides: Sequence[Row], site: str
) -> list[tuple[str, float, float]]:
    """Pages seen by the most different shares of the two, on one site or on all of them."""
    found = [asked.rows("pages", one, **span.parameters, site=site) for one in segments]
    seen = [{row["page"]: row["persons"] for row in rows} for rows in found]
    shares = [
        (page, seen[0].get(page, 0) / max(sides[0]["persons"], 1), seen[1].get(page, 0) / max(sides[1]["persons"], 1))
        for page in {*seen[0], *seen[1]}
    ]
    return sorted(shares, key=lambda row: (-abs(row[1] - row[2]), row[0]))[:_PAGES]


def audience_file(asked: Asked) -> Page:
    """Everybody in a segment, as CSV."""
    span = period(asked)
    segment, wrong = segment_of(asked, asked.query.get("segment", ""))
    if wrong:
        raise WrongAddress(f"segment: {wrong.said}")
    lines: list[str] = [csv_head(_COLUMNS)]
    count = 0
    for rows in audience(asked.ask, asked.values(**span.parameters), segment):
        lines.append(csv_lines(_COLUMNS, rows))
        count += len(rows)
        if count > _FILE_ROWS_MAX:
            raise WrongAddress(
                f"segment: expected at most {_FILE_ROWS_MAX:,} persons; `seamline segment --export` has no end"
            )
    values: dict[str, Any] = {"csv": "".join(lines)}
    return Page("audience.csv", values)
