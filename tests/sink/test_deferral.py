"""Links of a large device that was just rewritten wait, together, and the positions wait with them."""

import pytest

from pipeline.log.port import STITCHED, Record
from pipeline.sink import sink as sink_module
from pipeline.sink.batch import Line
from pipeline.sink.deferral import Deferral
from pipeline.sink.sink import GROUP, Sink
from pipeline.warehouse.client import Warehouse
from tests.support.actions import action, link
from tests.support.fake_log import FakeLog
from tests.support.stitched import record


class Clock:
    """Seconds, by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device of more than twenty rows is large here."""
    monkeypatch.setattr(sink_module, "DEVICE_ROWS_MAX", 20)


async def test_a_large_device_is_rewritten_once_an_interval(warehouse: Warehouse) -> None:
    """At once the first time, then together; small devices never wait; the newest decision is the one that is seen."""
    clock, log = Clock(), FakeLog(2)
    sink = Sink(log, warehouse, deferral=Deferral(10, clock))
    await log.append([record(*(action(f"e{n}", n) for n in range(30)))])
    await log.append([record(action("s", device="small"), partition=1)])

    seen = []
    for version in (2, 3, 4, 5):
        await log.append([record(link(0, 60, version=version))])
        await log.append([record(link(0, 60, version=version, device="small"), partition=1)])
        await sink.flush_once()
        seen.append(warehouse.query("SELECT DISTINCT device, version FROM actions ORDER BY device").rows)
        clock.now += 1

    assert seen == [[["d:phone", 2], ["d:small", version]] for version in (2, 3, 4, 5)]
    assert sink.figures.links_held == 3
    assert await log.committed(STITCHED, GROUP) == {0: 2, 1: 5}
    clock.now += 10
    await sink.flush_once()

    assert warehouse.query("SELECT DISTINCT version FROM actions").rows == [[5]]
    assert await log.committed(STITCHED, GROUP) == {0: 5, 1: 5}


async def test_what_waited_is_read_again_after_a_crash(warehouse: Warehouse) -> None:
    """It was in memory only, and its position was not committed."""
    clock, log = Clock(), FakeLog(1)
    sink = Sink(log, warehouse, deferral=Deferral(10, clock))
    await log.append([record(*(action(f"e{n}", n) for n in range(30))), record(link(0, 60, version=2, user="alice"))])
    await sink.flush_once()
    await log.append([record(link(0, 60, version=3, user="bob")), record(action("later", 5, version=4))])
    await sink.flush_once()
    assert await log.committed(STITCHED, GROUP) == {0: 2}

    await Sink(log, warehouse).flush_once()

    assert warehouse.query("SELECT version, count() FROM actions GROUP BY 1 ORDER BY 1").rows == [[3, 30], [4, 1]]
    assert await log.committed(STITCHED, GROUP) == {0: 4}


def test_nothing_waits_for_ever() -> None:
    """Due after the interval, or when the sink stops; handed out once."""
    clock = Clock()
    deferral = Deferral(10, clock)
    lines = [Line(record_at(n), 0, b'{"workspace":"w","device":"d:x"}') for n in (4, 7)]
    deferral.settle(lines[:1], {})
    suspects = deferral.suspects(lines[1:])
    now, held = deferral.part(lines[1:], suspects, {("w", "d:x")})
    deferral.settle(now, held)

    assert suspects == {("w", "d:x")}
    assert (now, deferral.floor(), deferral.due()) == ([], {0: 7}, [])
    clock.now += 10
    assert (deferral.due(), deferral.due(), deferral.floor()) == (lines[1:], [], {})
    deferral.settle([], {("w", "d:x"): lines})
    assert deferral.due(all_of_them=True) == lines


def test_a_device_found_small_is_not_asked_about_again_soon() -> None:
    """The question costs more than the rewrite."""
    clock = Clock()
    deferral = Deferral(10, clock)
    line = Line(record_at(1), 0, b'{"workspace":"w","device":"d:x"}')
    deferral.settle([line], {})
    assert deferral.part([line], deferral.suspects([line]), set()) == ([line], {})
    assert deferral.suspects([line]) == set()
    clock.now += 61
    deferral.settle([line], {})
    assert deferral.suspects([line]) == {("w", "d:x")}


def record_at(offset: int) -> Record:
    return Record(STITCHED, 0, offset, b"", {}, 0)
