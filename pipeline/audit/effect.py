"""What another policy would make of the rows there are; it must not change any."""

from collections import Counter

from msgspec import Struct

from pipeline.audit.attributions import parameters
from pipeline.audit.pages import PAGE_ROWS, all_at_once_or_pages
from pipeline.audit.policy import AuditPolicy
from pipeline.questions import Questions
from pipeline.warehouse.texts import sql_text

_SUMS = sql_text("audit/effect")


class Change(Struct, frozen=True):
    """So many rows would go from one attribution to another; the same one twice: to another person."""

    before: str
    after: str
    rows: int


class Effect(Struct, frozen=True):
    """`changed` rows get another person or another attribution; `moved` of them another person."""

    rows: int
    changed: int
    moved: int
    devices: int
    persons_before: int
    persons_after: int
    changes: tuple[Change, ...]


def effect(ask: Questions, policy: AuditPolicy, workspace: str = "", page_rows: int = PAGE_ROWS) -> Effect:
    """Work every row out by the policy, and count. Memory grows with the users, by some 70 bytes each."""
    rows = moved = devices = nameless_before = nameless_after = 0
    changes: Counter[tuple[str, str]] = Counter()
    users_before, users_after = set[int](), set[int]()
    for page in all_at_once_or_pages(ask, workspace, page_rows):
        sums = ask(_SUMS, parameters(page, policy))[1][0]
        rows, moved, devices = rows + sums[0], moved + sums[1], devices + sums[2]
        changes.update({_pair(key): count for key, count in sums[3].items()})
        nameless_before, nameless_after = nameless_before + sums[4], nameless_after + sums[5]
        users_before.update(sums[6])
        users_after.update(sums[7])
    return Effect(
        rows,
        changes.total(),
        moved,
        devices,
        nameless_before + len(users_before),
        nameless_after + len(users_after),
        tuple(Change(*pair, count) for pair, count in sorted(changes.items())),
    )


def _pair(key: str) -> tuple[str, str]:
    before, after = key.split(" ")
    return before, after
