"""One stitch worker on a real Kafka, both on this machine; and a stock Faust agent with one record a hit beside it."""

import asyncio
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import msgspec

from pipeline.limits import PARTITIONS
from pipeline.log.kafka import KafkaLog, create_topics
from pipeline.log.partition import partition_of
from pipeline.log.port import HITS, Append
from pipeline.model import HIT_SCHEMA
from tests.benchmarks.traffic import STEP_MS
from tests.benchmarks.visits import visits
from tests.stitch.worker_kafka import StitchKafka
from tests.support.deadline import until
from tests.support.kafka_broker import KafkaBroker

ROWS, PER_RECORD = 600_000, 400
NAIVE_ROWS = 20_000
OURS = f"stitch, one Faust worker on Kafka, {PER_RECORD} hits a record"
NAIVE = "yardstick: a stock Faust agent, one record a hit in and out"
_DEADLINE_S = 120
_PAUSE_S = 0.25  # whoever asks takes part of the machine
_encode = msgspec.json.Encoder().encode


def measure() -> Iterator[tuple[str, float]]:
    """Name and hits a second of each; everything is on the log before the clock starts."""
    broker = KafkaBroker(heap_mb=512)
    broker.start()
    try:
        yield OURS, asyncio.run(_worker(broker))
        yield NAIVE, _naive(broker)
    finally:
        broker.close()


async def _worker(broker: KafkaBroker) -> float:
    await create_topics(broker.bootstrap, PARTITIONS)
    with tempfile.TemporaryDirectory() as folder:
        kafka = StitchKafka(broker, Path(folder))
        try:
            await kafka.send(_records())
            worker = kafka.worker(session_timeout_ms=10_000, quiet_ms=250, busy_ms=1_000)
            await worker.ready()
            began = time.perf_counter()

            async def done() -> bool:
                return (await worker.report())["figures"]["hits"] >= ROWS

            await until(done, _DEADLINE_S, "every hit is stitched and its position stored", _PAUSE_S)
            return ROWS / (time.perf_counter() - began)
        finally:
            await kafka.close()


def _records() -> list[Append]:
    """As ingest batches them under load: partitions in turn."""
    by_partition: dict[int, list[bytes]] = defaultdict(list)
    start_ms = int(time.time() * 1_000) - ROWS * STEP_MS
    for hit in visits(ROWS, start_ms):
        by_partition[partition_of(hit.workspace, hit.device, PARTITIONS)].append(_encode(hit))
    batches = [
        (at, number, texts[at : at + PER_RECORD])
        for number, texts in by_partition.items()
        for at in range(0, len(texts), PER_RECORD)
    ]
    return [
        Append(HITS, number, b"\n".join(texts), {"schema": HIT_SCHEMA, "count": str(len(texts))})
        for _, number, texts in sorted(batches, key=lambda batch: batch[:2])
    ]


def _naive(broker: KafkaBroker) -> float:
    asyncio.run(_naive_records(broker))
    command = [sys.executable, "-m", "tests.benchmarks.naive_faust", broker.bootstrap, str(NAIVE_ROWS)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=_DEADLINE_S)
    return float(done.stdout.splitlines()[-1])


async def _naive_records(broker: KafkaBroker) -> None:
    from tests.benchmarks.naive_faust import TOPIC_IN, TOPIC_OUT
    from tests.stitch.worker_kafka import fresh_topics

    await fresh_topics(broker.bootstrap, [TOPIC_IN, TOPIC_OUT], PARTITIONS)
    log = KafkaLog(broker.bootstrap)
    start_ms = int(time.time() * 1_000) - NAIVE_ROWS * STEP_MS
    appends = [
        Append(TOPIC_IN, partition_of(hit.workspace, hit.device, PARTITIONS), _encode(hit), {})
        for hit in visits(NAIVE_ROWS, start_ms)
    ]
    for at in range(0, len(appends), 2_000):
        await log.append(appends[at : at + 2_000])
    await log.close()
