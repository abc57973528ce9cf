"""Folding and storing at once: the oracle's answer, poison buried, and nothing after the end of a tenure."""

import asyncio
import base64
from collections.abc import Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline.limits import KIB, RECORD_BYTES_MAX
from pipeline.log.port import DEAD_LETTERS, HITS, STITCHED, Append, Record
from pipeline.model import ACTION_SCHEMA, DeadLetter, HitHead
from pipeline.stitch import partition as partition_module
from pipeline.stitch.worker_checkpoint import Fenced
from pipeline.stitch.worker_tenure import Pace, Tenure
from tests.stitch.memory_log import MemoryLog
from tests.stitch.worker_parts import QUICK, Parts, answers_in, appends_of, hits_record, true_answers
from tests.support.deadline import until
from tests.support.generator import Shape, world

SMALL = Shape(hits=1_500, devices=40, days=20)
letter_of = msgspec.json.Decoder(DeadLetter).decode
head_of = msgspec.json.Decoder(HitHead).decode


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog(partitions=3)


@pytest.fixture
def parts(log: MemoryLog, tmp_path: Path) -> Iterator[Parts]:
    made = Parts(log, tmp_path)
    yield made
    made.cache.close()


async def test_a_bug_in_every_record_costs_each_record_a_few_turns(
    log: MemoryLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was folded before a poison is stored before the next one is looked for: the work stays linear."""

    def breaks(*_: Any) -> Any:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(partition_module, "stitch", breaks)
    parts = Parts(log, tmp_path, Pace(quiet_ms=1, busy_ms=1))
    await log.append(appends_of(world(23, SMALL).hits, 10, 3))
    total = sum(len(records) for records in log.records.values())

    await parts.stitch_all()
    parts.cache.close()

    assert len(log.lines(DEAD_LETTERS)) == total
    assert parts.figures.records < 5 * total


def hit_line(**fields: str) -> bytes:
    """A hit as it should be, but for these fields."""
    hit = world(14, Shape(hits=1, devices=1)).hits[0].hit()
    return msgspec.json.encode(msgspec.structs.replace(hit, **fields))


@asynccontextmanager
async def running(tenure: Tenure) -> Any:
    task = asyncio.ensure_future(tenure.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])
        await tenure.end(0.05, final=False)


@pytest.mark.parametrize(
    "pace", [QUICK, Pace(quiet_ms=50, busy_ms=100), Pace(output_bytes_max=8 * KIB, slice_bytes=KIB)]
)
@pytest.mark.parametrize("per_record", [1, 40])
async def test_the_answer_is_the_oracles_at_any_pace(tmp_path: Path, pace: Pace, per_record: int) -> None:
    """Checkpoints of any size, folding on while they are stored: every person and attribution is the oracle's."""
    hits = world(11, SMALL).hits
    log = MemoryLog(partitions=3)
    parts = Parts(log, tmp_path, pace)
    await log.append(appends_of(hits, per_record, 3))

    await parts.stitch_all()

    parts.cache.close()
    assert answers_in(parts.stitched()) == true_answers(hits)
    assert parts.figures.hits == len(hits)


async def test_a_repeated_delivery_changes_nothing(log: MemoryLog, parts: Parts) -> None:
    """Offsets tell: a record that was taken before is passed over."""
    hits = world(12, SMALL).hits
    await log.append(appends_of(hits, 40, 3))
    tenure = await parts.begin(0, 1, 2)
    async with running(tenure):
        await parts.deliver(tenure)
        for number in range(3):
            for record in log.records[HITS, number]:
                await tenure.take(record)
        await until(parts.caught_up)

    assert parts.figures.records == sum(len(log.records[HITS, number]) for number in range(3))


async def test_records_the_framework_left_out_are_fetched_from_the_log(log: MemoryLog, parts: Parts) -> None:
    """A gap in offsets is filled before anything past it is folded, so a skipped delivery loses nothing."""
    hits = world(13, SMALL).hits
    await log.append(appends_of(hits, 40, 3))
    tenure = await parts.begin(0, 1, 2)
    async with running(tenure):
        for number in range(3):
            for record in log.records[HITS, number][2::5] + log.records[HITS, number][-1:]:
                await tenure.take(record)
        await until(parts.caught_up)

    assert answers_in(parts.stitched()) == true_answers(hits)
    assert parts.figures.skipped_records > 0


async def test_an_offset_without_a_record_is_no_reason_to_wait(log: MemoryLog, parts: Parts) -> None:
    """Brokers leave holes: after a look into the log, the next record is taken as it is."""
    line = world(14, Shape(hits=1, devices=1)).hits[0].line()
    record = hits_record(0, [line])
    tenure = await parts.begin(0)
    async with running(tenure):
        await tenure.take(Record(HITS, 0, 7, record.value, record.headers, 1_760_000_400_000))
        await until(lambda: log.positions == {0: 8})

    assert len(log.lines(STITCHED, ACTION_SCHEMA)) == 1


async def test_records_of_other_partitions_are_dropped(log: MemoryLog, parts: Parts) -> None:
    """What comes late from before a rebalance is not ours to write."""
    await log.append(appends_of(world(15, SMALL).hits, 40, 3))
    tenure = await parts.begin(0)
    async with running(tenure):
        for number in (1, 2, 0):
            for record in log.records[HITS, number]:
                await tenure.take(record)
        await until(lambda: log.positions.get(0) == len(log.records[HITS, 0]))

    assert {key for key in log.records if key[0] == STITCHED} == {(STITCHED, 0)}


async def test_poison_is_buried_with_its_bytes_and_its_neighbours_are_stitched(
    log: MemoryLog, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug that three records bring out costs those three, and each lies in dead letters as it came."""
    hits = world(16, SMALL).hits
    await log.append(appends_of(hits, 20, 3))
    everywhere = [record for key in sorted(log.records) for record in log.records[key]]
    poisoned = [everywhere[0], everywhere[len(everywhere) // 2], everywhere[-1]]
    unlucky = {tuple(head_of(line).event_id for line in poison.value.split(b"\n")) for poison in poisoned}
    real = partition_module.stitch

    def breaks(heads: Any, devices: Any, *rest: Any) -> Any:
        stitched = real(heads, devices, *rest)  # the devices are changed before it fails
        if tuple(head.event_id for head in heads) in unlucky:
            raise ZeroDivisionError("a bug")
        return stitched

    monkeypatch.setattr(partition_module, "stitch", breaks)
    await parts.stitch_all()

    letters = [letter_of(line) for line in log.lines(DEAD_LETTERS)]
    buried = {f"hits/{p.partition}/{p.offset}": p.value for p in poisoned}
    assert {letter.source: base64.b64decode(letter.payload) for letter in letters} == buried
    assert {letter.reason for letter in letters} == {"stitch_failed"}
    kept = [sent for sent in hits if not any(sent.line() in value for value in buried.values())]
    assert answers_in(parts.stitched()) == true_answers(kept)


@pytest.mark.parametrize(
    ("value", "headers", "reason"),
    [
        (b"", {}, "unknown_schema"),
        (b"\xff\xfe", {"schema": "hit/1"}, "bad_hit"),
        (b'{"workspace":"w"}', {"schema": "hit/1"}, "bad_hit"),
        (b"[" * 100_000, {"schema": "hit/1"}, "bad_hit"),
        (b"{}", {"schema": "hit/99"}, "unknown_schema"),
        (b"\x00", {"schema": "hit/1"}, "bad_hit"),
        (b'"' + b"x" * 600_000 + b'"', {"schema": "hit/1"}, "bad_hit"),
        (hit_line(url="x" * 600_000), {"schema": "hit/1"}, "bad_hit"),
        (hit_line(user_id="x" * 256), {"schema": "hit/1"}, "bad_hit"),
        (b"\n".join([b"x" * 100_000] * 9), {}, "unknown_schema"),
    ],
)
async def test_what_cannot_be_read_is_a_dead_letter_with_its_bytes(
    log: MemoryLog, parts: Parts, value: bytes, headers: dict[str, str], reason: str
) -> None:
    """Records before and after it are stitched."""
    hits = world(17, Shape(hits=60, devices=4)).hits
    before, after = hits_record(0, [s.line() for s in hits[:30]]), hits_record(0, [s.line() for s in hits[30:]])
    await log.append([before, Append(HITS, 0, value, headers), after])

    await parts.stitch_all()

    letters = [letter_of(line) for line in log.lines(DEAD_LETTERS)]
    assert {x.reason for x in letters} == {reason}
    assert b"".join(base64.b64decode(x.payload) for x in letters) == value
    written = [r for (topic, _), records in log.records.items() if topic != HITS for r in records]
    assert max(len(record.value) for record in written) <= RECORD_BYTES_MAX
    assert answers_in(parts.stitched()) == true_answers(hits)


async def test_a_log_that_stays_away_costs_nothing_but_time(log: MemoryLog, parts: Parts) -> None:
    """No step is skipped, none is tried before its predecessor is acknowledged, and no position moves meanwhile."""
    hits = world(18, SMALL).hits
    await log.append(appends_of(hits, 40, 3))
    log.steps.clear()
    tenure = await parts.begin(0, 1, 2)
    async with running(tenure):
        for away in (STITCHED, "stitch-state", "commit"):
            log.away, waited = {away}, parts.figures.waits
            await parts.deliver(tenure)
            await until(lambda waited=waited: parts.figures.waits > waited)
            assert log.positions == {}
        log.away = set()
        await until(parts.caught_up)

    assert answers_in(parts.stitched()) == true_answers(hits)


async def test_dead_letters_that_cannot_be_written_stop_the_work(log: MemoryLog, parts: Parts) -> None:
    """Rather than dropped, everything waits: no position moves past the letter."""
    await log.append([Append(HITS, 0, b"nonsense", {"schema": "hit/1"})])
    log.away = {DEAD_LETTERS}
    tenure = await parts.begin(0)
    async with running(tenure):
        await parts.deliver(tenure)
        await until(lambda: parts.figures.waits >= 2)

    assert log.positions == {}


async def test_nothing_is_written_after_the_end(log: MemoryLog, parts: Parts) -> None:
    """Partitions that were taken away are left alone, whatever is delivered late or was folded already."""
    await log.append(appends_of(world(19, SMALL).hits, 40, 3))
    log.away = {STITCHED}
    tenure = await parts.begin(0, 1, 2)
    async with running(tenure) as task:
        await parts.deliver(tenure)
        await until(lambda: parts.figures.waits >= 1)
        task.cancel()
        ended = await tenure.end(0.05, final=False)
        log.away = set()
        steps = list(log.steps)
        await parts.deliver(tenure)
        await asyncio.wait([task])

    assert not ended
    assert (log.steps, log.positions) == (steps, {})


async def test_the_last_checkpoint_of_an_orderly_stop_stores_what_was_folded(log: MemoryLog, parts: Parts) -> None:
    """A restart then reads nothing again."""
    await log.append(appends_of(world(20, SMALL).hits, 40, 3))
    parts = Parts(log, parts.cache.folder.parent / "slow", Pace(quiet_ms=60_000, busy_ms=60_000))
    tenure = await parts.begin(0, 1, 2)
    total = sum(len(log.records[HITS, number]) for number in range(3))
    task = asyncio.ensure_future(tenure.run())
    await parts.deliver(tenure)
    await until(lambda: parts.figures.records == total)
    task.cancel()
    await asyncio.wait([task])
    before = dict(log.positions)

    assert await tenure.end(5, final=True)
    assert (before, parts.caught_up()) == ({}, True)
    parts.cache.close()


async def test_a_group_that_has_moved_on_ends_the_work(log: MemoryLog, parts: Parts) -> None:
    """The refused positions are not counted as stored, and no further checkpoint is tried."""

    async def refuses(_: Any) -> None:
        raise Fenced("rebalanced")

    parts.checkpoints._commit = refuses
    await log.append(appends_of(world(21, SMALL).hits, 40, 3))
    tenure = await parts.begin(0, 1, 2)
    async with running(tenure) as task:
        await parts.deliver(tenure)
        await asyncio.wait_for(task, 5)
        await asyncio.wait_for(tenure.room(), 5)

    assert (parts.figures.fenced, parts.figures.checkpoints, log.positions) == (1, 0, {})


async def test_memory_is_bounded_by_what_waits(log: MemoryLog, tmp_path: Path) -> None:
    """Past the bound no more records are asked for, and once they are folded they are asked for again."""
    parts = Parts(log, tmp_path / "bounded", Pace(quiet_ms=1, busy_ms=5, waiting_bytes_max=16 * KIB))
    await log.append(appends_of(world(22, SMALL).hits, 40, 1))
    tenure = await parts.begin(0)
    taken = 0
    for record in log.records[HITS, 0]:
        await tenure.take(record)
        taken += len(record.value)
        if taken >= 16 * KIB:
            break
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(tenure.room(), 0.02)
    async with running(tenure):
        await asyncio.wait_for(tenure.room(), 5)
    parts.cache.close()
