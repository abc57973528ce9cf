"""Each trap of Faust has a name here: what it would cost, shown not to happen on a real broker."""

import asyncio
import base64
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import msgspec
import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor

from pipeline.log.port import DEAD_LETTERS, HITS, STITCH_STATE, STITCHED, Append
from pipeline.model import DeadLetter
from tests.stitch.worker_kafka import PARTITIONS, StitchKafka, Worker, delete_topic, fresh_topics
from tests.stitch.worker_parts import appends_of, hits_record, true_answers
from tests.support.deadline import until
from tests.support.generator import Sent, Shape, world

SMALL = Shape(hits=1_000, devices=30, days=20)
COMMIT_TIMER_S = 2.8  # Faust's default


@pytest.fixture
def hits() -> list[Sent]:
    return world(61, SMALL).hits


@pytest.fixture
def appends(hits: list[Sent]) -> list[Append]:
    return appends_of(hits, 25, 4)


pytestmark = pytest.mark.kafka


async def test_an_exception_in_the_agent_acknowledges_nothing_and_ends_the_process(
    kafka: StitchKafka, hits: list[Sent], appends: list[Append]
) -> None:
    """Stock Faust counts the event as done, restarts the agent and commits (faust #315, robinhood/faust #604)."""
    await kafka.send(appends)
    broken = kafka.worker(fault="agent_raises")

    code = await broken.ended()
    after = await kafka.committed()
    kafka.worker()
    await kafka.settled()

    assert code == 1
    assert sum(after.values()) < 6
    assert await kafka.answers() == true_answers(hits)


async def test_no_timer_no_error_and_no_stop_commits_what_is_not_durable(
    kafka: StitchKafka, hits: list[Sent], appends: list[Append]
) -> None:
    """Stock Faust commits every 2.8 s, in wait_empty, on task errors and on stop; past in-flight offsets, too (#606).

    And a stream that never finishes does not keep the process from ending (#133).
    """
    await kafka.send(appends)
    worker = kafka.worker(fault="outputs_never_answer", stop_ms_max=3_000)
    await worker.ready()
    folded = asyncio.get_running_loop().time()

    async def timer_has_passed() -> bool:
        figures = (await worker.report()).get("figures", {})
        return figures.get("waits", 0) > 1 and asyncio.get_running_loop().time() - folded > 1.2 * COMMIT_TIMER_S

    await until(timer_has_passed, 20)
    during = await kafka.committed()
    worker.send(signal.SIGTERM)
    code = await worker.ended(4)

    assert (during, code, await kafka.committed()) == ({}, 0, {})
    assert await kafka.records(STITCHED) == []
    kafka.worker()
    await kafka.settled()
    assert await kafka.answers() == true_answers(hits)


async def test_a_commit_that_failed_advances_nothing(
    kafka: StitchKafka, hits: list[Sent], appends: list[Append]
) -> None:
    """Stock Faust moves its committed offset all the same, and later skips what it thinks is stored (#316)."""
    await kafka.send(appends)
    worker = kafka.worker(fault="commits_fail_at_first")
    await kafka.settled()

    figures = (await worker.report())["figures"]
    assert figures["waits"] >= 3
    assert await kafka.answers() == true_answers(hits)


async def test_records_faust_leaves_out_are_stitched_all_the_same(
    kafka: StitchKafka, hits: list[Sent], appends: list[Append]
) -> None:
    """Faust skips records of paused partitions and of old generations without a word; offsets give it away."""
    await kafka.send(appends)
    worker = kafka.worker(fault="agent_skips")
    await kafka.send([hits_record(number, []) for number in range(4) for _ in range(2)])

    async def all_but_the_last_are_in() -> bool:
        ends, stored = await kafka.ends(), await kafka.committed()
        return all(stored.get(number, 0) >= end - 2 for number, end in ends.items())

    await until(all_but_the_last_are_in, 40)
    assert (await worker.report())["figures"]["skipped_records"] > 0
    assert await kafka.answers() == true_answers(hits)


async def test_a_restart_reads_on_from_what_is_stored_and_from_nowhere_else(
    kafka: StitchKafka, hits: list[Sent], appends: list[Append]
) -> None:
    """aiokafka's seek_to_committed seeks nowhere when 0 is stored, and Faust's seek is not thread-safe."""
    await kafka.send(appends[: len(appends) // 2])
    first = kafka.worker()
    await kafka.settled()
    first.send(signal.SIGTERM)
    assert await first.ended() == 0
    await kafka.send(appends[len(appends) // 2 :])
    second = kafka.worker()
    await kafka.settled()

    assert (await second.report())["figures"]["records"] == len(appends) - len(appends) // 2
    assert await kafka.answers() == true_answers(hits)


async def test_a_group_that_changes_before_anything_is_stored_keeps_its_workers(
    kafka: StitchKafka, hits: list[Sent], appends: list[Append]
) -> None:
    """aiokafka looks for a stored position by itself; without one it throws at whoever fetches just then.

    The other member comes and goes five times: each is a chance for a fetch that waits to meet the new assignment.
    """
    worker = kafka.worker()
    await worker.ready()
    for _ in range(5):
        async with other_member(kafka):
            await until(lambda: holds(worker, PARTITIONS // 2), 20, "the other has half of the partitions")
        await until(lambda: holds(worker, PARTITIONS), 20, "the worker has all of them again")
    await kafka.send(appends)
    await kafka.settled()

    assert (worker.process.poll(), worker.said("NoOffsetForPartition")) == (None, [])
    assert (await worker.report())["figures"]["records"] == len(appends)
    assert await kafka.answers() == true_answers(hits)


@asynccontextmanager
async def other_member(kafka: StitchKafka) -> AsyncIterator[None]:
    """One of the group that stores nothing; what it was given is everybody's again when it leaves."""
    member = AIOKafkaConsumer(
        HITS,
        bootstrap_servers=kafka.broker.bootstrap,
        group_id=kafka.group,
        enable_auto_commit=False,
        partition_assignment_strategy=[RoundRobinPartitionAssignor],
        heartbeat_interval_ms=200,
    )
    await member.start()
    try:
        yield
    finally:
        await member.stop()


async def holds(worker: Worker, count: int) -> bool:
    """Whether it stitches that many partitions; it must not have ended."""
    assert worker.process.poll() is None, worker.log.read_text()[-2000:]
    return len((await worker.report()).get("partitions", [])) == count


async def test_a_topic_made_anew_under_a_running_worker_ends_it_and_is_then_refused(
    kafka: StitchKafka, appends: list[Append]
) -> None:
    """aiokafka would start over without a word, and offsets below the position would be taken for repetitions."""
    await kafka.send(appends)
    worker = kafka.worker()
    await kafka.settled()

    await fresh_topics(kafka.broker.bootstrap, [HITS])
    await kafka.send(appends[:4])
    code = await worker.ended(30)
    again = kafka.worker()
    code_again = await again.ended(30)

    assert code in {1, 2}, worker.log.read_text()[-2000:]
    assert code_again == 2
    assert again.said(
        r"refusing to work: hits/\d ends at \d+, but it has been read up to \d+: .* Raise the epoch above 1"
    )


async def test_a_missing_topic_is_named_at_once(kafka: StitchKafka) -> None:
    """Stock Faust would start and read nothing until it is restarted."""
    await delete_topic(kafka.broker.bootstrap, STITCH_STATE)

    worker = kafka.worker()

    assert await worker.ended() == 2
    assert worker.said("Kafka has no topic stitch-state: run `seamline migrate` once")


async def test_a_record_without_a_value_is_a_dead_letter(kafka: StitchKafka, hits: list[Sent]) -> None:
    """Stock Faust hands a tombstone to nobody; here it is counted like everything else."""
    await kafka.send(appends_of(hits[:50], 25, 4))
    await kafka.tombstone(2)
    kafka.worker()
    await kafka.settled()

    letters = [msgspec.json.decode(r.value, type=DeadLetter) for r in await kafka.records(DEAD_LETTERS)]
    assert [(x.reason, base64.b64decode(x.payload)) for x in letters] == [("unknown_schema", b"")]
    assert await kafka.answers() == true_answers(hits[:50])


async def test_only_the_health_pages_are_served(kafka: StitchKafka) -> None:
    """Stock Faust serves its tables, its router and its settings on every interface."""
    worker = kafka.worker()
    await worker.ready()
    ready = await worker.health()
    assert ready is not None

    async with httpx.AsyncClient(base_url=str(ready.url.copy_with(path="/"))) as client:
        answers = {path: (await client.get(path)).status_code for path in ("/", "/table/", "/router/", "/graph/")}

    assert answers == dict.fromkeys(answers, 404)
    assert listening(worker.process.pid) == [ready.url.port]


def listening(pid: int) -> list[int]:
    """Ports a process listens on (Linux)."""
    sockets = {str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()}
    tables = [Path(f"/proc/net/{name}").read_text().splitlines()[1:] for name in ("tcp", "tcp6")]
    rows = [line.split() for table in tables for line in table]
    return [int(row[1].rpartition(":")[2], 16) for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in sockets]
