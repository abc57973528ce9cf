"""What a page of plots is about: a period, a segment, a goal, all in its address; it must not know any plot."""

from functools import partial
from typing import Any

from msgspec import Struct

from pipeline.report.asking import Row
from pipeline.report.segments.condition import Condition
from pipeline.report.web.pages.page import Asked, Period, period
from pipeline.report.web.pages.parts import Parts
from pipeline.report.web.pages.segmented import Wrong, segment_of, with_saved

TABS = (("devices", "Devices"), ("funnel", "Funnel"), ("campaigns", "Campaigns"), ("identity", "Identity"))
CHIPS = (
    ("Everyone", ""),
    ("Signed in", "signed_in = true"),
    ("2 or more devices", "devices >= 2"),
    ("Ordered", "revenue > 0"),
)
_KEPT = ("days", "segment", "goal")  # from one of these pages to the next
_GOALS_SHOWN = 50


class Choice(Struct, frozen=True):
    """`said`: the segment as it was written; `fault`: why it is none, and then everybody is meant.

    `parts`: what of the page could not be told.
    """

    asked: Asked
    parts: Parts
    span: Period
    said: str
    segment: Condition
    fault: Wrong | None
    goal: str

    def rows(self, report: str, **more: Any) -> list[Row]:
        """Of the period and the segment."""
        return self.asked.rows(report, self.segment, **self.span.parameters, **more)

    def goals(self) -> list[str]:
        """What was done that has a name, most often first; nothing, if that takes too much."""
        ask = partial(self.asked.rows, "goals", **self.span.parameters, limit=_GOALS_SHOWN)
        return list(dict.fromkeys(row["name"] for row in self.parts.of("goals", ask) or [] if row["name"]))

    def values(self, page: str, title: str) -> dict[str, Any]:
        """What every page of plots shows."""
        asked = self.asked
        kept = asked.kept(*_KEPT)
        return {
            "asked": asked, "title": title, "page": page, "tabs": TABS, "kept": kept, "period": self.span,
            "segment": self.said, "fault": self.fault, "chips": with_saved(self.parts, asked, CHIPS),
            "goal": self.goal, "refused": self.parts.refused,
        }  # fmt: skip


def choice(asked: Asked) -> Choice:
    """By the address: `?days=`, `?segment=`, `?goal=`."""
    said, parts = asked.query.get("segment", ""), Parts(asked)
    segment, fault = segment_of(asked, said)
    return Choice(asked, parts, period(asked), said, segment, fault, asked.query.get("goal", ""))
