"""Which campaigns begin and which close what persons do, on any device; it must not know SQL."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from pipeline.report.asking import Row
from pipeline.report.web.money import money
from pipeline.report.web.pages.choices import choice
from pipeline.report.web.pages.page import Asked, Page
from pipeline.report.web.plot.pairs import pairs

LEVELS = {"source": "Source", "medium": "Medium", "campaign": "Campaign"}
_PARTS = ("source", "medium", "campaign")
NONE = "No campaign"
_DRAWN = 12
_ROWS_MAX = 1_000


def campaigns_page(asked: Asked) -> Page:
    """First and last touch by person, as conversions or as money of one currency."""
    chosen = choice(asked)
    rows = chosen.parts.of("campaigns", partial(chosen.rows, "campaigns", goal=chosen.goal, limit=_ROWS_MAX)) or []
    level = asked.query.get("level", "campaign")
    level = level if level in LEVELS else "campaign"
    currencies = sorted({row["currency"] for row in rows if row["currency"] and row["last_spent"]})
    by = asked.query.get("by", "")
    by = by if by in currencies else ""
    grouped = _grouped(rows, level, by)
    words: Callable[[float], str] = partial(money, currency=by) if by else lambda number: f"{number:,.0f}"
    return Page(
        "campaigns.html",
        {
            **chosen.values("campaigns", "Campaigns"), "goals": chosen.goals(), "level": level, "levels": LEVELS,
            "by": by, "currencies": currencies, "words": words, "cut": len(rows) == _ROWS_MAX,
            "total": sum(row["last_conversions"] for row in rows), "most_moved": _most_moved(grouped),
            "wide": pairs(grouped[:_DRAWN], words, 1080, 300) if grouped else None,
            "phone": pairs(grouped[:_DRAWN], words, 326) if grouped else None,
            "more": max(len(grouped) - _DRAWN, 0), "rows": _table(rows),
        },
    )  # fmt: skip


def _name(row: Row, level: str) -> str:
    parts = [row[part] for part in _PARTS[: _PARTS.index(level) + 1]]
    return " · ".join(part for part in parts if part) or NONE


def _grouped(rows: Sequence[Row], level: str, currency: str) -> list[tuple[str, float, float]]:
    """What each began and what it closed, the most first."""
    found: dict[str, list[float]] = {}
    for row in rows:
        if currency and row["currency"] != currency:
            continue
        sums = found.setdefault(_name(row, level), [0.0, 0.0])
        sums[0] += row["first_spent" if currency else "first_conversions"]
        sums[1] += row["last_spent" if currency else "last_conversions"]
    return sorted(((name, a, b) for name, (a, b) in found.items()), key=lambda row: (-max(row[1:]), row[0]))


def _most_moved(rows: Sequence[tuple[str, float, float]]) -> tuple[str, float, float] | None:
    """The campaign that looks most different by its first and its last touch."""
    named = [row for row in rows if row[0] != NONE and row[1] != row[2]]
    return max(named, key=lambda row: abs(row[1] - row[2])) if named else None


def _table(rows: Sequence[Row]) -> list[tuple[Any, ...]]:
    return [
        (_name(row, "campaign"), row["first_conversions"], row["last_conversions"], row["persons"],
         money(row["first_spent"], row["currency"]), money(row["last_spent"], row["currency"]))
        for row in rows
    ]  # fmt: skip
