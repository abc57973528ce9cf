"""The same promises by the real sink and the real views: what SQL shows is one, however the hits got there."""

import uuid
from collections.abc import Iterator
from random import Random
from typing import Any

import msgspec
import pytest

from pipeline.identity.policy import Policy
from pipeline.limits import HOUR_MS
from pipeline.log.partition import partition_of
from pipeline.log.port import HITS, STITCHED, Append, Record
from pipeline.model import HIT_SCHEMA, Hit, Link
from pipeline.sink.sink import Sink
from pipeline.times import ms_of
from pipeline.warehouse.client import Warehouse, open_warehouse
from pipeline.warehouse.migrate import migrate
from tests.simulation.chain import Hub
from tests.simulation.ends import Place, cut, decided_until, finish, folded
from tests.support.fake_log import FakeLog
from tests.support.scenarios import hits, scenario

ACTIONS = "SELECT * EXCEPT (version, received_at) FROM actions ORDER BY workspace, device, day, event_id"
PERSONS = "SELECT * FROM persons ORDER BY workspace, person_id"
LINKS = "SELECT * FROM identity_links FINAL ORDER BY ALL"
ARRIVALS = 1_000


def _records(rng: Random, arrivals: list[tuple[int, Hit]], partitions: int) -> list[list[Record]]:
    """The topic that these arrivals make, up to 30 hits a record."""
    shares: list[list[tuple[int, Hit]]] = [[] for _ in range(partitions)]
    for at_ms, hit in arrivals:
        shares[partition_of(hit.workspace, hit.device, partitions)].append((at_ms, hit))
    return [list(_cut(rng, number, share)) for number, share in enumerate(shares)]


def _cut(rng: Random, number: int, share: list[tuple[int, Hit]]) -> Iterator[Record]:
    offset = 0
    while share:
        size = rng.randint(1, 30)
        value = b"\n".join(msgspec.json.encode(hit) for _, hit in share[:size])
        yield Record(HITS, number, offset, value, {"schema": HIT_SCHEMA, "count": ""}, share[:size][-1][0])
        share, offset = share[size:], offset + 1


def _stitched(rng: Random, arrivals: list[tuple[int, Hit]], partitions: int) -> Hub:
    hub = Hub(partitions)
    hub.begin(_records(rng, arrivals, partitions))
    for number in range(partitions):
        finish(hub, number, Policy(), rng)
    return hub


async def _sunk(hub: Hub, warehouse: Warehouse) -> None:
    """By the real sink, in three parts, as a log grows."""
    log = FakeLog(len(hub.stitched))
    sink = Sink(log, warehouse)
    for part in range(3):
        for number, records in enumerate(hub.stitched):
            share = records[len(records) * part // 3 : len(records) * (part + 1) // 3]
            await log.append([Append(STITCHED, number, one.value, one.headers) for one in share])
        await sink.flush_once()


@pytest.fixture
def databases(chdb_path: str) -> Iterator[list[Warehouse]]:
    """Four, migrated and empty."""
    names = [f"t_{uuid.uuid4().hex[:12]}" for _ in range(4)]
    made = [open_warehouse(f"chdb://{chdb_path}?database={name}") for name in names]
    for warehouse in made:
        migrate(warehouse)
    yield made
    for name, warehouse in zip(names, made, strict=True):
        warehouse.command(f"DROP DATABASE {name}")
        warehouse.close()


def _all(warehouse: Warehouse, sql: str) -> list[list[Any]]:
    return warehouse.query(sql).rows


def _decisions(warehouse: Warehouse) -> dict[Place, list[Any]]:
    answer = warehouse.query(LINKS)
    rows = (dict(zip(answer.columns, row, strict=True)) for row in answer.rows)
    return folded(msgspec.convert(row, Link) for row in rows)


def _ways(name: str) -> Iterator[tuple[Random, list[tuple[int, Hit]], int]]:
    """As it came on one partition; then delayed anew, repeated anew, on two, seven and sixty-four."""
    told = scenario(name, 7)[:ARRIVALS]
    arrivals = list(zip([one.arrived_at for one in told], hits(told), strict=True))
    events = list({hit.event_id: hit for _, hit in arrivals}.values())
    yield Random(1), arrivals, 1
    for partitions in (2, 7, 64):
        rng = Random(partitions)
        again = [*events, *rng.choices(events, k=len(events) // 5)]
        delayed = [(ms_of(hit.ts) + rng.randrange(48 * HOUR_MS), hit) for hit in again]
        yield rng, sorted(delayed, key=lambda arrival: arrival[0]), partitions


@pytest.mark.parametrize("name", ["household", "kiosk"])
async def test_what_sql_shows_is_the_same(databases: list[Warehouse], name: str) -> None:
    """Actions but for version and arrival; persons whole; links folded to the newest decision at every instant."""
    hubs = []
    for warehouse, way in zip(databases, _ways(name), strict=True):
        hubs.append(_stitched(*way))
        await _sunk(hubs[-1], warehouse)
    until = [decided_until(hub, Policy()) for hub in hubs]
    common = {place: min(one[place] for one in until) for place in until[0]}
    first = databases[0]

    assert len(_all(first, ACTIONS)) > ARRIVALS * 0.9
    for warehouse in databases[1:]:
        assert _all(warehouse, ACTIONS) == _all(first, ACTIONS)
        assert _all(warehouse, PERSONS) == _all(first, PERSONS)
        assert cut(_decisions(warehouse), common) == cut(_decisions(first), common)
    assert sum(map(len, cut(_decisions(first), common).values())) > 20


async def test_a_replay_into_an_empty_warehouse_shows_the_same(databases: list[Warehouse]) -> None:
    """The same log from the first record, on other checkpoints and flushes: also the last decision is the same."""
    rng, arrivals, _ = next(_ways("household"))
    topic = _records(rng, arrivals, 7)
    shown = []
    for warehouse in databases[:2]:
        hub = Hub(7)
        hub.begin(topic)
        for number in range(7):
            finish(hub, number, Policy(), rng)
        await _sunk(hub, warehouse)
        shown.append((_all(warehouse, ACTIONS), _all(warehouse, PERSONS), _decisions(warehouse)))

    assert shown[0] == shown[1]


async def test_two_user_ids_are_never_one_person(databases: list[Warehouse]) -> None:
    """Asked of the view, where nobody said an alias."""
    for name, warehouse in zip(("household", "kiosk", "mixed", "clock_skew"), databases, strict=True):
        told = scenario(name, 7)[:ARRIVALS]
        arrivals = list(zip([one.arrived_at for one in told], hits(told), strict=True))
        await _sunk(_stitched(Random(1), arrivals, 2), warehouse)

        assert _all(warehouse, "SELECT max(length(user_ids)) FROM persons") == [[1]]
