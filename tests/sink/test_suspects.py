"""The sink counts what guards noticed, beside its work, and goes on whatever comes of it."""

import asyncio
from typing import Any

import pytest

from pipeline.log.port import ALIASES, STITCHED
from pipeline.sink.sink import Figures, Sink
from pipeline.sink.suspects import Suspects
from pipeline.suspects import GUARDS
from pipeline.warehouse.client import Result, Warehouse
from pipeline.warehouse.errors import WarehouseUnavailable
from tests.support.actions import action, ndjson
from tests.support.deadline import until
from tests.support.fake_log import FakeLog
from tests.support.faulty_warehouse import FaultyWarehouse
from tests.support.stitched import record


async def test_the_figures_say_how_many_a_guard(warehouse: Warehouse) -> None:
    """Nought included, in the dictionary that the health page prints."""
    lines = [action(f"e{n}", n, user=f"user{n}") for n in range(3)]
    warehouse.insert_rows("action_log", ndjson(*lines, action("none", illegal_id="user_id: null")))
    figures = Figures()

    await Suspects(warehouse, figures.suspects).count()

    assert dict.fromkeys(GUARDS, 0) | {"shared_device": 1, "illegal_id": 1} == figures.suspects
    assert Figures().suspects == {}


async def test_it_counts_while_the_sink_runs_until_it_is_told_to_stop(warehouse: Warehouse) -> None:
    """Again and again: what came in between is there the next time."""
    numbers: dict[str, int] = {}
    stop = asyncio.Event()
    watching = asyncio.create_task(Suspects(warehouse, numbers, first_s=0.01, each_s=0.01).watch(stop))
    await until(lambda: numbers.get("illegal_id") == 0)
    warehouse.insert_rows("action_log", ndjson(action("none", illegal_id="user_id: null")))
    await until(lambda: numbers.get("illegal_id") == 1)
    stop.set()
    await watching


async def test_a_count_that_fails_is_counted_and_nothing_more(
    warehouse: Warehouse, caplog: pytest.LogCaptureFixture
) -> None:
    """This warehouse cannot answer questions; rows still arrive."""

    def away(*asked: Any, **limits: Any) -> Result:
        raise WarehouseUnavailable("no answer")

    log, broken, numbers = FakeLog(1), FaultyWarehouse(warehouse), dict[str, int]()
    broken.query = away  # type: ignore[method-assign]
    await log.append([record(action("e1"))])
    sink = Sink(log, broken)
    sink._suspects = Suspects(broken, numbers, first_s=0.01, each_s=0.01)
    stop = asyncio.Event()
    running = asyncio.create_task(sink.run(stop))
    await until(lambda: numbers.get("uncounted", 0) >= len(GUARDS) and sink.figures.flushes > 0)
    stop.set()
    await running

    assert warehouse.query("SELECT event_id FROM actions").rows == [["e1"]]
    assert "were not counted" in caplog.text
    assert (await log.committed(STITCHED, "sink"), await log.committed(ALIASES, "sink-aliases")) == ({0: 1}, {})
