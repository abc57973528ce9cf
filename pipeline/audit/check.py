"""Whether every row has the person that the facts give it; it must not know how rows get their persons."""

import time
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from pipeline.audit.attributions import parameters
from pipeline.audit.pages import PAGE_ROWS, Page, all_at_once_or_pages
from pipeline.audit.policy import AuditPolicy
from pipeline.questions import Questions
from pipeline.warehouse.texts import sql_text

EXAMPLES_MAX = 20  # as many as the question names
SETTLE_S = 10.0  # rows come before the links that cover them: what was stitched is all there within 5 s
_LOOK_AGAIN_S = 0.5

_SUMS = sql_text("audit/check")


class Difference(Struct, frozen=True):
    """A row, what it says, and what the facts say."""

    workspace: str
    device: str
    event_id: str
    ts: str
    stored_person_id: str
    stored_attribution: str
    person_id: str
    attribution: str


class Checked(Struct, frozen=True):
    """What was found, rows marked as too late apart. At most `EXAMPLES_MAX` of each are named."""

    rows: int = 0
    differing: int = 0
    late: int = 0
    late_differing: int = 0
    examples: tuple[Difference, ...] = ()
    late_examples: tuple[Difference, ...] = ()

    def __add__(self, other: "Checked") -> "Checked":
        return Checked(
            self.rows + other.rows,
            self.differing + other.differing,
            self.late + other.late,
            self.late_differing + other.late_differing,
            (self.examples + other.examples)[:EXAMPLES_MAX],
            (self.late_examples + other.late_examples)[:EXAMPLES_MAX],
        )


def check(ask: Questions, policy: AuditPolicy, workspace: str = "", page_rows: int = PAGE_ROWS) -> Checked:
    """Hold every row against the facts. Where rows have just arrived, a difference counts only if it stays."""
    total, deadline_s = Checked(), time.monotonic() + SETTLE_S
    for page in all_at_once_or_pages(ask, workspace, page_rows):
        for found, moving in _looks(ask, page, policy):
            if not (found.differing and moving) or time.monotonic() > deadline_s:
                break
        total += found
    return total


def _looks(ask: Questions, page: Page, policy: AuditPolicy) -> Iterator[tuple[Checked, bool]]:
    """One page again and again, and whether it received anything within a minute."""
    while True:
        sums = ask(_SUMS, parameters(page, policy))[1][0]
        yield Checked(sums[0], sums[1], sums[2], sums[3], _named(sums[4]), _named(sums[5])), bool(sums[6])
        time.sleep(_LOOK_AGAIN_S)


def _named(rows: list[Any]) -> tuple[Difference, ...]:
    return tuple(Difference(*row) for row in rows)
