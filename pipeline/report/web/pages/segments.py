"""Two segments side by side, and everybody in one as a file; it must not know SQL or the language of segments."""

from math import sqrt
from typing import Any

from msgspec import Struct

from pipeline.report.asking import Row, audience
from pipeline.report.csv_text import csv_head, csv_lines
from pipeline.report.saved import MARK, is_name, saved
from pipeline.report.segments.condition import Condition
from pipeline.report.web.moments import length
from pipeline.report.web.pages.page import Asked, Page, Period, WrongAddress, period
from pipeline.report.web.pages.segmented import ordered_of, segment_of
from pipeline.report.web.plot.curve import per_cent

_A, _B = "signed_in = true", "signed_in = false"
_Z = 1.96  # of a 95 % interval
_RAIL_PX = 420.0
_PAGES = 10
_FILE_ROWS_MAX = 200_000
_MEANS = ("Visits", "Actions", "Devices")
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


class Measure(Struct, frozen=True):
    """One line of the comparison. `low`, `high`: of its interval, where it is a share; x of dots and whiskers."""

    name: str
    about: str
    a: str
    b: str
    a_range: str
    b_range: str
    a_x: tuple[float, float, float]
    b_x: tuple[float, float, float]
    against: str


def segments_page(asked: Asked) -> Page:
    """What differs between A and B."""
    span = period(asked)
    texts = (asked.query.get("a", _A), asked.query.get("b", _B))
    (a, wrong_a), (b, wrong_b) = segment_of(asked, texts[0]), segment_of(asked, texts[1])
    sides = (
        [_side(asked, span, one, text) for one, text in zip((a, b), texts, strict=True)]
        if not (wrong_a or wrong_b)
        else []
    )
    everybody = asked.rows("overview", **span.parameters)[0]["persons"] if sides else 0
    return Page(
        "segments.html",
        {
            "asked": asked, "title": "Compare segments", "page": "segments", "period": span,
            "texts": texts, "wrong": (wrong_a, wrong_b), "sides": sides, "everybody": everybody,
            **_named(asked, texts[0] if not wrong_a else ""),
            "measures": _measures(sides) if sides else [],
            "pages": _pages(asked, span, a, b, sides) if sides else [],
        },
    )  # fmt: skip


def _named(asked: Asked, text: str) -> dict[str, Any]:
    """Those that have a name, what was just done with one, and what stands in the form for another."""
    known, query = saved(asked.ask, asked.workspace), asked.query
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


def _side(asked: Asked, span: Period, segment: Condition, text: str) -> Row:
    found = asked.rows("overview", segment, **span.parameters)[0]
    ordered = ordered_of(asked, text)
    visits = sum(row["visits"] for row in asked.rows("visit_days", segment, **span.parameters))
    waited = [row for row in asked.rows("identify_time", segment, **span.parameters) if row["persons"]]
    middle = sorted((row["median_ms"], row["persons"]) for row in waited)
    return {
        **found,
        "buyers": asked.rows("overview", ordered, **span.parameters)[0]["persons"] if ordered else None,
        "visits": visits,
        "waited_ms": middle[len(middle) // 2][0] if middle else None,
    }


def _measures(sides: list[Row]) -> list[Measure]:
    a, b = sides
    shares = (
        ("Ordered", "persons with an order", "buyers", "persons"),
        ("Backfilled", "actions a later sign-in explained", "backfilled", "actions"),
        ("Nobody’s", "actions no sign-in explains", "anonymous", "actions"),
    )
    made = [_mean(name, (a[name.lower()], a["persons"]), (b[name.lower()], b["persons"])) for name in _MEANS]
    known = [row for row in shares if a[row[2]] is not None and b[row[2]] is not None]
    made = [_share(name, about, (a[part], a[of]), (b[part], b[of])) for name, about, part, of in known] + made
    if a["waited_ms"] is not None and b["waited_ms"] is not None:
        waited = (a["waited_ms"], b["waited_ms"])
        dots = [_dots(one, 0, 0, max(*waited, 1)) for one in waited]
        words = (length(waited[0]), length(waited[1]))
        made.append(Measure("Signed in after", "first action to first sign-in", *words, "", "", dots[0], dots[1], ""))
    return made


def _share(name: str, about: str, a: tuple[int, int], b: tuple[int, int]) -> Measure:
    (share_a, low_a, high_a), (share_b, low_b, high_b) = wilson(*a), wilson(*b)
    most = max(high_a, high_b, 0.01)
    return Measure(
        name, about, per_cent(share_a), per_cent(share_b),
        _range(low_a, high_a, a[1]), _range(low_b, high_b, b[1]),
        _dots(share_a, low_a, high_a, most), _dots(share_b, low_b, high_b, most), _against(share_a, share_b),
    )  # fmt: skip


def _range(low: float, high: float, of: int) -> str:
    return f"{low * 100:.1f} to {high * 100:.1f}" if of else "nobody"


def _mean(name: str, a: tuple[int, int], b: tuple[int, int]) -> Measure:
    mean_a, mean_b = a[0] / max(a[1], 1), b[0] / max(b[1], 1)
    most = max(mean_a, mean_b, 0.01)
    return Measure(
        name, "per person", f"{mean_a:.1f}", f"{mean_b:.1f}", "", "",
        _dots(mean_a, mean_a, mean_a, most), _dots(mean_b, mean_b, mean_b, most), _against(mean_a, mean_b),
    )  # fmt: skip


def wilson(hits: int, of: int) -> tuple[float, float, float]:
    """A share and its 95 % interval, which holds for few and for all or none too."""
    if not of:
        return 0.0, 0.0, 0.0
    share = hits / of
    middle = share + _Z * _Z / (2 * of)
    half = _Z * sqrt(share * (1 - share) / of + _Z * _Z / (4 * of * of))
    below = 1 + _Z * _Z / of
    return share, max((middle - half) / below, 0.0), min((middle + half) / below, 1.0)


def _dots(value: float, low: float, high: float, most: float) -> tuple[float, float, float]:
    x = [round(8 + one / most * (_RAIL_PX - 16), 1) for one in (value, low or value, high or value)]
    return x[0], x[1], x[2]


def _against(a: float, b: float) -> str:
    return f"{a / b:.1f} ×" if a and b else "–"


def _pages(asked: Asked, span: Period, a: Condition, b: Condition, sides: list[Row]) -> list[tuple[str, float, float]]:
    """Pages seen by the most different shares of the two."""
    seen = [{row["page"]: row["persons"] for row in asked.rows("pages", one, **span.parameters)} for one in (a, b)]
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
