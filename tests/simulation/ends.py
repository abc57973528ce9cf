"""What is left of a run when all is read: actions, persons, and the newest decision at every instant of a device.

It must not know the rules. `received_at` is not looked at, and of versions only which is newer.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import pairwise
from random import Random
from typing import NamedTuple

from pipeline.identity.device import decode
from pipeline.identity.policy import Policy
from pipeline.limits import PUBLISH_SKEW_MS_MAX
from pipeline.log.port import Record
from pipeline.model import Link
from pipeline.times import ms_of
from tests.simulation.chain import IDLE, SINK, STITCH, Hub, Worker, links_in, sink, stitcher
from tests.simulation.table import Row, Table

Place = tuple[str, str]  # (workspace, device)
Seen = tuple[int, str, str, str, bool]  # time, user ID, person, attribution, late
Span = tuple[int, int, str, str]  # first and last instant, person, attribution
STEPS_MAX = 100_000


class Person(NamedTuple):
    """One row of the view `persons`."""

    user_ids: tuple[str, ...]
    first_ms: int
    last_ms: int
    actions: int
    devices: int


class End(NamedTuple):
    """All that anybody can see in the end."""

    actions: dict[tuple[str, str, str], Seen]
    persons: dict[tuple[str, str], Person]
    decisions: dict[Place, list[Span]]


def end_of(hub: Hub) -> End:
    """Of a run that is over."""
    links = [link for records in hub.stitched for link in links_in(records)]
    return End(actions(hub.table), persons(hub.table), folded(links))


def actions(table: Table) -> dict[tuple[str, str, str], Seen]:
    """The view `actions`."""
    return {(*place, event_id): _seen(row) for place, rows in table.devices.items() for event_id, row in rows.items()}


def _seen(row: Row) -> Seen:
    return row.ts_ms, row.user_id, row.person_id, row.attribution, row.late


def persons(table: Table) -> dict[tuple[str, str], Person]:
    """The view `persons`."""
    rows: defaultdict[tuple[str, str], list[tuple[str, Row]]] = defaultdict(list)
    for (workspace, device), held in table.devices.items():
        for row in held.values():
            rows[workspace, row.person_id].append((device, row))
    return {
        key: Person(
            tuple(sorted({row.user_id for _, row in own} - {""})),
            min(row.ts_ms for _, row in own),
            max(row.ts_ms for _, row in own),
            len(own),
            len({device for device, _ in own}),
        )
        for key, own in rows.items()
    }


def folded(links: Iterable[Link]) -> dict[Place, list[Span]]:
    """`identity_links`, folded: at every instant the newest decision over it, and neighbours that say the same as one.

    A stretch that was given back to nobody says what a stretch says that nobody was ever given, so it is left out.
    """
    by_device: defaultdict[Place, list[Link]] = defaultdict(list)
    for link in links:
        by_device[link.workspace, link.device].append(link)
    spans = {place: _spans(own) for place, own in by_device.items()}
    return {place: own for place, own in spans.items() if own}


def _spans(links: list[Link]) -> list[Span]:
    edges = sorted({ms_of(link.start) for link in links} | {ms_of(link.end) + 1 for link in links})
    ranges = [(ms_of(link.start), ms_of(link.end), link) for link in links]
    spans: list[Span] = []
    for start, end in pairwise(edges):
        over = [link for first, last, link in ranges if first <= start and last >= end - 1]
        newest = max(over, key=lambda link: link.version, default=None)
        if newest is None or not newest.user_id:
            continue
        span = (start, end - 1, newest.person_id, newest.attribution)
        if spans and spans[-1][1] + 1 == start and spans[-1][2:] == span[2:]:
            span = (spans.pop()[0], *span[1:])
        spans.append(span)
    return spans


def cut(decisions: Mapping[Place, list[Span]], until_ms: Mapping[Place, int]) -> dict[Place, list[Span]]:
    """Only up to an instant of each device."""
    kept = {
        place: [(start, min(end, until_ms[place]), *what) for start, end, *what in spans if start <= until_ms[place]]
        for place, spans in decisions.items()
    }
    return {place: spans for place, spans in kept.items() if spans}  # type: ignore[misc]


def decided_until(hub: Hub, policy: Policy) -> dict[Place, int]:
    """Up to where every change of a device's past is written down as a link; later, only where a row may need it."""
    first: dict[Place, int] = {}
    for (workspace, anonymous_id), data in (entry for entries in hub.changelog for entry in entries):
        place = workspace, f"d:{anonymous_id}"
        taken = decode(data, policy).first_ms
        first[place] = min(first.get(place, taken), taken)
    return {place: at + PUBLISH_SKEW_MS_MAX for place, at in first.items()}


def ran(hits: list[list[Record]], policy: Policy, rng: Random) -> Hub:
    """A run without trouble, partition by partition, into an empty store."""
    hub = Hub(len(hits))
    hub.begin(hits)
    for number in range(len(hits)):
        finish(hub, number, policy, rng)
    return hub


def finish(hub: Hub, number: int, policy: Policy, rng: Random) -> None:
    """New owners of this partition read all of it."""
    if hub.hits[number]:
        _drain(stitcher(hub, number, policy, rng, hub.owner(STITCH, number)))
    if hub.stitched[number]:
        _drain(sink(hub, number, policy, rng, hub.owner(SINK, number)))


def _drain(worker: Worker) -> None:
    """Until nothing comes, three times in a row: a stitcher may have a checkpoint left to make."""
    idle = 0
    for _ in range(STEPS_MAX):
        idle = idle + 1 if next(worker) == IDLE else 0
        if idle == 3:
            return
    raise AssertionError(f"not quiet after {STEPS_MAX} steps")
