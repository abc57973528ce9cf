"""How well identity goes: how actions got their person day by day, and what was not guessed; it must not know SQL."""

from datetime import date

from msgspec import Struct

from pipeline.report.web.pages.choices import choice
from pipeline.report.web.pages.every_day import every_day
from pipeline.report.web.pages.page import Asked, Page
from pipeline.report.web.plot.acts import ATTRIBUTIONS, WHY
from pipeline.report.web.plot.shares import Counts, count_days, share_days

_KEPT_APART = (
    ("contested", "Nobody’s on shared devices", "Several users sign in there, and the facts do not say who it was."),
    ("late", "Too late to be sure of", "They came after what could have explained them was put away."),
    (
        "illegal_ids",
        "User IDs that are none",
        "“null”, “guest” and their like stand for nobody. “seamline doctor” names them.",
    ),
)
_NUMBERS = (*ATTRIBUTIONS, "contested", "late", "illegal_ids")


class Kept(Struct, frozen=True):
    """Something that was given to nobody, by day."""

    name: str
    title: str
    why: str
    total: int
    plot: Counts


def identity_page(asked: Asked) -> Page:
    """Shares over time, and small plots of what is kept apart."""
    chosen = choice(asked)
    found = chosen.parts.of("days", lambda: chosen.rows("identity_health")) or []
    days = every_day(asked, chosen.span, found, (*_NUMBERS, "actions"))
    dated = [(date.fromisoformat(row["date"]), row) for row in days]
    parts = [(day, [row[name] for name in ATTRIBUTIONS]) for day, row in dated]
    totals = {name: sum(row[name] for row in days) for name in (*_NUMBERS, "actions")}
    return Page(
        "identity.html",
        {
            **chosen.values("identity", "Identity health"),
            "wide": share_days(parts, 820, 250),
            "phone": share_days(parts, 326, 220),
            "days": days,
            "totals": totals,
            "shares": [(name, totals[name], WHY[name]) for name in ATTRIBUTIONS],
            "kept_apart": [
                Kept(name, title, why, totals[name], count_days([(day, row[name]) for day, row in dated], 300, 60))
                for name, title, why in _KEPT_APART
            ],
            **chosen.parts.values("aliases", lambda: {"aliases": asked.rows("aliases")[0]}, dated=False),
        },
    )
