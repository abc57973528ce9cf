"""What a flush does, in its order; a crash between any two steps leaves nothing that a replay does not mend."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import pytest

from pipeline.identity.ids import device_person, user_person
from pipeline.log.port import STITCHED, Append
from pipeline.sink.sink import GROUP, Sink
from pipeline.warehouse.client import Warehouse
from tests.support.actions import action, link
from tests.support.deadline import until
from tests.support.fake_log import FakeLog
from tests.support.faulty_warehouse import Crash, FaultyWarehouse
from tests.support.stitched import raw, record, shown, truth

T = TypeVar("T")
ALICE, BOB, NOBODY = user_person("shop", "alice"), user_person("shop", "bob"), device_person("shop", "phone")

# A morning: pages, Alice signs in, more pages, Bob signs in on the same phone, late pages of before; and a laptop.
MORNING = [
    record(action("p1", 0, version=1), action("p2", 5, version=1)),
    record(action("in", 10, user="alice", version=2)),
    record(link(-60, 9, version=2)),
    record(action("p3", 20, version=3), action("p1", 0, version=3)),
    record(action("l1", 3, device="laptop", version=1, user="alice"), partition=1),
    raw(b'{"workspace":"shop","site_id":"www","event_id":"bad","ts":"yesterday"}'),
    record(action("in2", 30, user="bob", version=5)),
    record(link(11, 29, version=5, user="bob"), link(4, 6, version=5, user="")),
    raw(b"who knows", "merge/7"),
    record(action("l2", 4, device="laptop", version=2), partition=1),
]
SHOWN = {"p2": NOBODY, "in": ALICE, "p3": BOB, "l1": ALICE, "in2": BOB, "l2": device_person("shop", "laptop")}
SHOWN["p1"] = NOBODY  # it came again after the login, with a record of its own: version 3 knows better than a link of 2


async def test_a_flush_inserts_links_and_commits_in_that_order(warehouse: Warehouse) -> None:
    """Rows, links kept, links applied, refused lines buried, positions."""
    log, faulty = FakeLog(2), FaultyWarehouse(warehouse)
    await log.append([MORNING[0], MORNING[1], MORNING[2], MORNING[4]])

    assert await Sink(log, faulty).flush_once() == 4

    assert faulty.steps[:3] == ["action_log", "links_staged", "apply"]
    assert shown(warehouse) == {"p1": ALICE, "p2": ALICE, "in": ALICE, "l1": ALICE}
    assert await log.committed(STITCHED, GROUP) == {0: 3, 1: 1}


async def test_a_morning_ends_as_it_should(warehouse: Warehouse) -> None:
    """In one flush."""
    log = FakeLog(2)
    await log.append(MORNING)
    await Sink(log, warehouse).flush_once()

    assert shown(warehouse) == SHOWN


@pytest.mark.parametrize("step", ["action_log", "links_staged", "apply", "append", "commit", "dead_letters"])
@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_crash_around_any_step_changes_nothing(warehouse: Warehouse, step: str, when: str) -> None:
    """Two lives of four end there; each life reads with other borders than the one before."""
    log, deaths = FakeLog(2), 0
    for mortal, until_record in ((True, 3), (False, 4), (True, 6), (False, 10)):
        here = sum(len(records) for (topic, _), records in log.records.items() if topic == STITCHED)
        await log.append(MORNING[here:until_record])
        life = mortal_sink(log, warehouse, step, when) if mortal else Sink(log, warehouse)
        try:
            await life.flush_once()
        except Crash:
            deaths += 1
    left = truth(warehouse)

    for table in ("action_log", "identity_links", "dead_letters"):
        warehouse.command(f"TRUNCATE TABLE {table}")
    log.positions.clear()
    await Sink(log, warehouse).flush_once()

    assert deaths >= 1
    assert left == truth(warehouse)
    assert shown(warehouse) == SHOWN


def mortal_sink(log: FakeLog, warehouse: Warehouse, step: str, when: str) -> Sink:
    """A sink whose process ends right before or after this step."""

    def die(at: str) -> None:
        if at == step:
            raise Crash(step)

    faulty = FaultyWarehouse(warehouse)
    setattr(faulty, when, die)
    return Sink(MortalLog(log, die, when), faulty)  # type: ignore[arg-type]


class MortalLog:
    """The log as seen by a process that dies around `append` or `commit`."""

    def __init__(self, log: FakeLog, die: Callable[[str], None], when: str) -> None:
        self._log, self._die, self._when = log, die, when

    async def append(self, records: Sequence[Append]) -> object:
        return await self._around("append", lambda: self._log.append(records))

    async def reader(self, topic: str, group: str) -> object:
        reader = await self._log.reader(topic, group)
        commit = reader.commit
        reader.commit = lambda positions: self._around("commit", lambda: commit(positions))  # type: ignore[method-assign]
        return reader

    async def _around(self, step: str, work: Callable[[], Awaitable[T]]) -> T:
        if self._when == "before":
            self._die(step)
        result = await work()
        if self._when == "after":
            self._die(step)
        return result


async def test_it_runs_until_told_and_reads_to_the_end(warehouse: Warehouse) -> None:
    """A lone hit is visible at once; after the wish to stop, what is on the log is still written and committed."""
    log = FakeLog(2)
    sink = Sink(log, warehouse)
    stop = asyncio.Event()
    running = asyncio.create_task(sink.run(stop))
    await log.append(MORNING[:1])
    await until(lambda: shown(warehouse) == {"p1": NOBODY, "p2": NOBODY})
    assert sink.unready() == ""

    await log.append(MORNING[1:])
    stop.set()
    await running

    assert shown(warehouse) == SHOWN
    assert await log.committed(STITCHED, GROUP) == {0: 8, 1: 2}
    assert sink.unready() == "stopped"
