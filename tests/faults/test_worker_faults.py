"""Stitch workers killed, frozen, replaced and cut off under load: the answer stays the oracle's and nothing is lost."""

import asyncio
import base64
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path
from random import Random

import msgspec
import pytest

from pipeline.log.port import DEAD_LETTERS, Append
from pipeline.model import DeadLetter
from tests.stitch.worker_kafka import PARTITIONS, StitchKafka, Worker
from tests.stitch.worker_parts import appends_of, true_answers
from tests.support.deadline import until
from tests.support.generator import Sent, Shape, world

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

WORLD = Shape(hits=4_000, devices=80, days=60, late_days=20)


@pytest.fixture
def hits() -> list[Sent]:
    return world(71, WORLD).hits


@pytest.fixture
def appends(hits: list[Sent]) -> list[Append]:
    return appends_of(hits, 10, PARTITIONS)


def shares(appends: Sequence[Append], count: int) -> list[Sequence[Append]]:
    """In order, evenly."""
    return [appends[len(appends) * n // count : len(appends) * (n + 1) // count] for n in range(count)]


async def moved(kafka: StitchKafka) -> None:
    """Wait for the next position to be stored."""
    before = await kafka.committed()

    async def stored() -> bool:
        return await kafka.committed() != before or await kafka.caught_up()

    await until(stored, 30, "a position is stored")


async def test_kill_9_at_any_moment_loses_and_doubles_nothing(
    kafka: StitchKafka, hits: list[Sent], appends: list[Append]
) -> None:
    """Four workers in a row, each killed at a moment nobody chose, then one that finishes."""
    rng = Random(6)
    for share in shares(appends, 4):
        worker = kafka.worker(quiet_ms=20, busy_ms=40)
        await worker.ready()
        sending = asyncio.ensure_future(kafka.send(share))
        stop_at = sum((await kafka.ends()).values()) + rng.randrange(len(share))

        async def enough(stop_at: int = stop_at) -> bool:
            return sum((await kafka.committed()).values()) >= stop_at or await kafka.caught_up()

        await until(enough, 30)
        worker.send(signal.SIGKILL)
        await worker.ended()
        await sending
    kafka.worker()
    await kafka.settled()

    assert await kafka.answers() == true_answers(hits)


async def test_workers_join_and_leave_under_load(kafka: StitchKafka, hits: list[Sent], appends: list[Append]) -> None:
    """One, then two, then one again, by SIGTERM: exit 0, and every hit is stitched by somebody."""
    first_share, second_share, third_share = shares(appends, 3)
    one = kafka.worker("one")
    await one.ready()
    sending = asyncio.ensure_future(kafka.send(first_share))
    two = kafka.worker("two")
    await until(lambda: divided(one, two), 30, "the partitions are divided")
    await sending
    sending = asyncio.ensure_future(kafka.send(second_share))
    await moved(kafka)
    one.send(signal.SIGTERM)
    code = await one.ended(12)
    await sending
    await kafka.send(third_share)
    await kafka.settled()

    assert code == 0
    assert (await two.report())["partitions"] == list(range(PARTITIONS))
    assert await kafka.answers() == true_answers(hits)


async def divided(one: Worker, two: Worker) -> bool:
    """Whether each has some of the partitions and together they have all."""
    held = [(await worker.report()).get("partitions", []) for worker in (one, two)]
    return all(held) and sorted(held[0] + held[1]) == list(range(PARTITIONS))


async def test_a_worker_that_was_frozen_wakes_up_harmless(
    kafka: StitchKafka, hits: list[Sent], appends: list[Append]
) -> None:
    """Longer than its session: another takes over; what the sleeper still writes, and commits, changes nothing."""
    first_share, second_share, third_share = shares(appends, 3)
    sleeper = kafka.worker("sleeper")
    await sleeper.ready()
    sending = asyncio.ensure_future(kafka.send(first_share))
    await moved(kafka)
    sleeper.send(signal.SIGSTOP)
    await sending
    other = kafka.worker("other")
    await other.ready()
    await kafka.send(second_share)
    await kafka.settled()
    sleeper.send(signal.SIGCONT)
    await kafka.send(third_share)
    await until(lambda: divided(sleeper, other), 30, "both have partitions again")
    await kafka.settled()

    assert await kafka.answers() == true_answers(hits)


async def test_a_frozen_broker_costs_time_and_nothing_else(
    kafka: StitchKafka, hits: list[Sent], appends: list[Append]
) -> None:
    """Longer than a session and than requests wait: work goes on by itself when it wakes."""
    first_share, second_share = shares(appends, 2)
    worker = kafka.worker()
    await worker.ready()
    await until(lambda: answered(worker), 10, "it knows its lag")
    await kafka.send(first_share)
    await moved(kafka)
    kafka.broker.freeze()
    try:
        await until(lambda: unanswered(worker), 40, "it notices")
    finally:
        kafka.broker.thaw()
    await kafka.send(second_share)
    await kafka.settled(60)

    assert worker.process.poll() is None
    assert await kafka.answers() == true_answers(hits)


async def answered(worker: Worker) -> bool:
    """Whether the log has told it how far behind it is."""
    return (await worker.report())["lag"] is not None


async def unanswered(worker: Worker) -> bool:
    """Whether it has noticed that the log does not answer; it lives and says so."""
    live = await worker.health("live")
    assert live is not None and live.status_code == 200
    return live.json()["lag"] is None


async def test_a_broker_that_was_killed_and_comes_back_is_found_again(
    kafka: StitchKafka, hits: list[Sent], appends: list[Append]
) -> None:
    """Its data stayed: the worker that lost it goes on, or ends and its successor does."""
    first_share, second_share = shares(appends, 2)
    worker = kafka.worker()
    await worker.ready()
    await kafka.send(first_share)
    await moved(kafka)
    kafka.broker.kill()
    kafka.broker.start()
    await kafka.send(second_share)

    async def restarted_or_settled() -> bool:
        if worker.process.poll() is not None:
            kafka.worker()
            return True
        return await kafka.caught_up()

    await until(restarted_or_settled, 60)
    await kafka.settled(60)

    assert await kafka.answers() == true_answers(hits)


async def test_a_lost_folder_is_rebuilt_from_the_changelog(
    kafka: StitchKafka, hits: list[Sent], appends: list[Append], tmp_path: Path
) -> None:
    """A node without its disk: the worker reads every state again and answers like one that never lost it."""
    first_share, second_share = shares(appends, 2)
    worker = kafka.worker()
    await kafka.send(first_share)
    await kafka.settled()
    worker.send(signal.SIGKILL)
    await worker.ended()
    shutil.rmtree(tmp_path / "one")
    again = kafka.worker()
    await kafka.send(second_share)
    await kafka.settled()

    assert (await again.report())["figures"]["states_joined"] > 0
    assert await kafka.answers() == true_answers(hits)


async def test_poison_of_every_kind_is_buried_and_its_neighbours_are_stitched(
    kafka: StitchKafka, hits: list[Sent], appends: list[Append]
) -> None:
    """Bytes that are no hit, hits of a version nobody knows, a record that brings out a bug: all with their bytes."""
    bug = msgspec.json.encode(msgspec.structs.replace(hits[0].hit(), event_id="poison"))
    poison = {
        b"\xff\xfe not json": {"schema": "hit/1"},
        b'{"workspace":1}': {"schema": "hit/1"},
        b"{}": {"schema": "hit/77"},
        b"no headers at all": {},
        b"[" * 200_000: {"schema": "hit/1"},
        b"\x00" * 900_000: {"schema": "hit/1"},
        bug: {"schema": "hit/1"},
    }
    middle = len(appends) // 2
    bad = [Append("hits", n % PARTITIONS, value, headers) for n, (value, headers) in enumerate(poison.items())]
    await kafka.send([*appends[:middle], *bad, *appends[middle:]])
    kafka.worker(fault="folding_breaks")
    await kafka.settled()

    letters: dict[str, bytes] = {}
    for record in await kafka.records(DEAD_LETTERS):
        for line in record.value.split(b"\n"):
            letter = msgspec.json.decode(line, type=DeadLetter)
            letters[letter.source] = letters.get(letter.source, b"") + base64.b64decode(letter.payload)
    assert sorted(letters.values()) == sorted(poison)
    assert await kafka.answers() == true_answers(hits)
