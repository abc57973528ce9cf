"""The sink alone: stitched rows and links off a local log into ClickHouse, in this process and over HTTP."""

import asyncio
import sqlite3
import tempfile
import time
from pathlib import Path

import msgspec

from pipeline.identity.policy import Policy
from pipeline.log.local import LocalLog
from pipeline.log.port import HITS, STITCHED, Append, Record
from pipeline.model import HIT_SCHEMA
from pipeline.sink.sink import Sink
from pipeline.stitch.partition import Partition
from pipeline.stitch.states import SCHEMA, DeviceStates
from pipeline.warehouse.client import open_warehouse
from pipeline.warehouse.migrate import migrate
from tests.benchmarks.traffic import STEP_MS
from tests.benchmarks.visits import visits
from tests.support.clickhouse_front import start_front

ROWS, PER_RECORD = 400_000, 400


class SinkFigures(msgspec.Struct):
    """Of one run, after the last commit."""

    rows: int
    links: int
    seconds: float


def measure(over_http: bool) -> SinkFigures:
    """Everything is on the log before the clock starts."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if not over_http:
            return asyncio.run(_measure(folder, f"chdb://{folder}/warehouse"))
        front = start_front(folder / "clickhouse")
        try:
            return asyncio.run(_measure(folder, front.url))
        finally:
            front.stop()


async def _measure(folder: Path, url: str) -> SinkFigures:
    log = LocalLog(folder / "log.db")
    for append in _stitched():
        await log.append([append])
    warehouse = open_warehouse(url)
    migrate(warehouse)
    sink = Sink(log, warehouse)
    stop = asyncio.Event()
    stop.set()  # run to the end of what is on the log, and no further
    began = time.perf_counter()
    await sink.run(stop)
    seconds = time.perf_counter() - began
    warehouse.close()
    await log.close()
    return SinkFigures(sink.figures.rows, sink.figures.links, seconds)


def _stitched() -> list[Append]:
    """What the stitcher makes of the visits it is itself measured with: rows, and a link to every ten of them."""
    states = sqlite3.connect(":memory:")
    states.execute(SCHEMA)
    policy = Policy()
    partition = Partition(0, policy, 1, DeviceStates(states, policy), 0)
    now_ms = int(time.time() * 1_000)
    texts = [msgspec.json.encode(hit) for hit in visits(ROWS, now_ms - ROWS * STEP_MS)]
    outputs: list[Append] = []
    for offset, at in enumerate(range(0, ROWS, PER_RECORD)):
        value = b"\n".join(texts[at : at + PER_RECORD])
        partition.feed([Record(HITS, 0, offset, value, {"schema": HIT_SCHEMA}, now_ms)])
        checkpoint = partition.checkpoint()
        assert checkpoint is not None
        outputs += [append for append in checkpoint.outputs if append.topic == STITCHED]
        partition.committed(checkpoint)
    states.close()
    return outputs
