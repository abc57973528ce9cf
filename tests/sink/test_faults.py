"""A warehouse or a log that fails is waited for; nothing is lost, doubled, or committed too early meanwhile."""

import asyncio
from collections.abc import Callable

import pytest

from pipeline.log.port import DEAD_LETTERS, STITCHED, Append, LogUnavailable, Record
from pipeline.model import ACTION_SCHEMA
from pipeline.sink import patience
from pipeline.sink.lane import Lane
from pipeline.sink.sink import GROUP, Sink
from pipeline.warehouse.client import Warehouse, open_warehouse
from pipeline.warehouse.errors import WarehouseRefused, WarehouseUnavailable
from pipeline.warehouse.migrate import migrate
from tests.support.actions import action, link
from tests.support.clickhouse_front import Front
from tests.support.deadline import until
from tests.support.fake_log import FakeLog
from tests.support.faulty_warehouse import FaultyWarehouse
from tests.support.stitched import raw, record, shown


def failing(times: int, error: Exception) -> Callable[[str], None]:
    """Raises for the first calls."""
    left = [error] * times

    def fail(step: str) -> None:
        if left:
            raise left.pop()

    return fail


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses between attempts short enough for a test."""
    monkeypatch.setattr(patience, "RETRY_S_FIRST", 0.001)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("error", [WarehouseUnavailable("away"), WarehouseRefused("no such table")])
async def test_whatever_is_no_rows_fault_is_tried_again(warehouse: Warehouse, when: str, error: Exception) -> None:
    """Each call twice refused, before or after it did its work: a missing table costs no row either."""
    log, faulty = FakeLog(1), FaultyWarehouse(warehouse)
    await log.append([record(action("a"), action("b")), record(link(-5, 5, version=2)), raw(b"?", "x/1")])
    setattr(faulty, when, failing(4, error))
    sink = Sink(log, faulty)
    await sink.flush_once()

    assert sink.retries == 4
    assert sink.unready() == ""
    assert warehouse.query("SELECT count(), countIf(attribution = 'backfilled') FROM actions").rows == [[2, 2]]
    assert warehouse.query("SELECT count() FROM dead_letters FINAL").rows == [[1]]


async def test_while_the_warehouse_is_away_nothing_is_committed_and_little_is_held(front: Front) -> None:
    """One bite stays in hand; the log keeps the rest, and the sink says why it is not ready."""
    warehouse = open_warehouse(front.database_url("away"))
    migrate(warehouse)
    log = FakeLog(1)
    await log.append([record(action("a"))])
    front.fault("down")
    stop = asyncio.Event()
    sink = Sink(log, warehouse)
    running = asyncio.create_task(sink.run(stop))
    try:
        await until(lambda: sink.retries >= 2)
        await log.append([record(action(f"b{n}")) for n in range(50)])
        assert sink.unready() != ""
        assert await log.committed(STITCHED, GROUP) == {}
    finally:
        front.fault("ok")
    await until(lambda: warehouse.query("SELECT count() FROM actions").rows == [[51]], 15)
    stop.set()
    await running

    assert await log.committed(STITCHED, GROUP) == {0: 51}
    warehouse.close()


async def test_told_to_stop_while_the_warehouse_is_away_it_stops_without_committing(front: Front) -> None:
    """The next one reads it again."""
    warehouse = open_warehouse(front.database_url("stopped"))
    migrate(warehouse)
    log = FakeLog(1)
    await log.append([record(action("a"))])
    front.fault("error_before")
    stop = asyncio.Event()
    sink = Sink(log, warehouse)
    running = asyncio.create_task(sink.run(stop))
    try:
        await until(lambda: sink.retries >= 1)
        stop.set()
        await asyncio.wait_for(running, 20)
    finally:
        front.fault("ok")
    assert await log.committed(STITCHED, GROUP) == {}
    await Sink(log, warehouse).flush_once()

    assert list(shown(warehouse)) == ["a"]
    warehouse.close()


@pytest.mark.parametrize("fault", ["error_after", "drop_after", "error_before"])
async def test_an_insert_whose_answer_was_lost_is_harmless(front: Front, fault: str) -> None:
    """500 after the work, or a cut connection: it is done again, and seen once."""
    warehouse = open_warehouse(front.database_url(f"lost_{fault}"))
    migrate(warehouse)
    log = FakeLog(1)
    for number in range(5):
        await log.append([record(action(f"e{number}", number)), record(link(0, number, version=number + 2))])
        front.fault(fault, 3)  # type: ignore[arg-type]
        await Sink(log, warehouse).flush_once()
    front.fault("ok")

    assert warehouse.query("SELECT event_id, attribution FROM actions ORDER BY 1").rows == [
        [f"e{n}", "backfilled"] for n in range(5)
    ]
    assert warehouse.query("SELECT count() FROM identity_links FINAL").rows == [[5]]
    warehouse.close()


async def test_a_log_that_is_away_is_waited_for(warehouse: Warehouse) -> None:
    """Dead letters that cannot be appended hold the positions back."""
    log = FakeLog(1)
    await log.append([raw(b"?", "x/1"), record(action("a"))])
    log.away = True
    stop = asyncio.Event()
    sink = Sink(log, warehouse)
    running = asyncio.create_task(sink.run(stop))
    await until(lambda: sink.retries >= 2)
    assert await log.committed(STITCHED, GROUP) == {}
    log.away = False
    await until(lambda: log.positions[STITCHED, GROUP] == {0: 2})
    stop.set()
    await running

    assert len(log.records[DEAD_LETTERS, 0]) == 1
    assert warehouse.query("SELECT reason FROM dead_letters").rows == [["unknown_schema"]]


class Flaky:
    """A log whose reader fails between two fetches, and whose first commit is not answered."""

    def __init__(self, records: list[Record]) -> None:
        self.answers: list[list[Record] | Exception] = [records, LogUnavailable("between"), LogUnavailable("again"), []]
        self.commits: list[dict[int, int]] = []
        self.refuse = 1

    async def reader(self, topic: str, group: str) -> "Flaky":
        return self

    async def fetch(self, wait_ms: int, records_max: int = 500) -> list[Record]:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def commit(self, positions: dict[int, int]) -> None:
        if self.refuse:
            self.refuse -= 1
            raise LogUnavailable("no answer")
        self.commits.append(dict(positions))

    async def close(self) -> None:
        return


async def test_what_was_fetched_before_a_failure_is_flushed() -> None:
    """The reader has moved past it: dropping it would lose it at the next commit."""
    taken = [Record(STITCHED, 0, n, b"{}", {"schema": ACTION_SCHEMA}, 0) for n in range(100)]
    lane = Lane(Flaky(taken), STITCHED, GROUP)  # type: ignore[arg-type]

    assert taken == await lane.bite()
    with pytest.raises(LogUnavailable):
        await lane.bite()
    assert await lane.bite() == []


async def test_positions_that_were_not_stored_are_stored_with_the_next() -> None:
    """A failed commit is no reason to do the work again."""
    log = Flaky([])
    lane = Lane(log, STITCHED, GROUP)  # type: ignore[arg-type]
    await lane.commit({0: 5, 1: 7})
    await lane.commit({0: 6})
    await lane.commit({})

    assert log.commits == [{0: 6, 1: 7}]


async def test_a_flush_is_bounded(warehouse: Warehouse) -> None:
    """However much waits on the log, one bite is at most so many rows, give or take a fetch."""
    log = FakeLog(1)
    value = b"\n".join([b"{}"] * 1_000)
    await log.append([Append(STITCHED, 0, value, {"schema": ACTION_SCHEMA})] * 300)
    bite = await Lane(log, STITCHED, GROUP).bite()

    assert 50 <= len(bite) <= 150
