"""What is read before a partition is stitched: every state, joined; and when a worker must refuse to begin."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from pipeline.identity.device import Device, decode, encode
from pipeline.log.port import DEAD_LETTERS, HITS, STITCH_STATE, Append
from pipeline.model import DeadLetter
from pipeline.stitch.changelog import state_records
from pipeline.stitch.record import version_of
from pipeline.stitch.states import Row
from pipeline.stitch.worker_recovery import Refused
from tests.stitch.memory_log import MemoryLog
from tests.stitch.worker_parts import EPOCH, POLICY, Parts, answers_in, appends_of, true_answers
from tests.support.generator import Shape, world

SMALL = Shape(hits=1_200, devices=30, days=20)


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog(partitions=2)


@pytest.fixture
def parts(log: MemoryLog, tmp_path: Path) -> Iterator[Parts]:
    made = Parts(log, tmp_path / "node")
    yield made
    made.cache.close()


def cached(parts: Parts) -> list[Row]:
    query = "SELECT workspace, anonymous_id, partition, state FROM device_states ORDER BY 1, 2"
    return parts.cache._reader.execute(query).fetchall()


def facts(parts: Parts) -> dict[tuple[str, str], int]:
    """How many spans and logouts each device has."""
    devices = {(w, a): decode(state, POLICY) for w, a, _, state in cached(parts)}
    return {key: len(list(d.line.spans())) + len(d.line.logouts) for key, d in devices.items()}


def changelog_of(log: MemoryLog) -> list[Append]:
    """What an owner wrote, to be written once more."""
    records = [record for number in range(2) for record in log.records[STITCH_STATE, number]]
    return [Append(r.topic, r.partition, r.value, r.headers) for r in records]


async def test_a_lost_cache_is_rebuilt_equal_from_the_changelog(log: MemoryLog, parts: Parts, tmp_path: Path) -> None:
    """Another node that has never seen these partitions ends up with the very same states."""
    await log.append(appends_of(world(41, SMALL).hits, 15, 2))
    await parts.stitch_all()
    other = Parts(log, tmp_path / "other")

    positions = await other.recovery.recover({0, 1})

    assert cached(other) == cached(parts)
    assert len(cached(other)) > 10
    assert positions == log.positions
    other.cache.close()


async def test_late_entries_of_a_stalled_owner_are_joined_and_undo_nothing(
    log: MemoryLog, parts: Parts, tmp_path: Path
) -> None:
    """An owner from before writes what it still held: old states after new ones. Joining keeps the newer facts."""
    hits = world(42, SMALL).hits
    half = appends_of(hits, 15, 2)
    await log.append(half[: len(half) // 2])
    await parts.stitch_all()
    stale = changelog_of(log)
    await log.append(half[len(half) // 2 :])
    await parts.stitch_all()
    before = cached(parts)

    await log.append(stale)
    fresh = Parts(log, tmp_path / "fresh")
    for node in (parts, fresh):
        await node.recovery.recover({0, 1})

    assert cached(parts) == before
    assert cached(fresh) == before
    fresh.cache.close()


async def test_a_fact_only_a_stalled_owner_knew_is_there_at_the_next_recovery(
    log: MemoryLog, parts: Parts, tmp_path: Path
) -> None:
    """Its entry stands behind ours in the topic, and behind our cache's position: it is joined all the same."""
    hits = world(43, SMALL).hits
    appends = appends_of(hits, 15, 2)
    other = Parts(MemoryLog(partitions=2), tmp_path / "other")
    await other.log.append(appends)
    await other.stitch_all()
    other.cache.close()
    await log.append(appends[: len(appends) // 2])
    await parts.stitch_all()
    await log.append(appends[len(appends) // 2 :])
    known = dict(facts(parts))

    await log.append(changelog_of(other.log))
    await parts.recovery.recover({0, 1})

    assert dict(facts(parts)).keys() >= known.keys()
    assert sum(facts(parts).values()) > sum(known.values())
    await parts.stitch_all()
    assert answers_in([*other.stitched(), *parts.stitched()]) == true_answers(hits)


async def test_positions_are_looked_up_before_the_states_they_rest_on(log: MemoryLog, parts: Parts) -> None:
    """An owner that checkpoints while we recover may finish; then its records are read again, never passed over."""
    await log.append(appends_of(world(46, SMALL).hits, 15, 2))
    asked: list[str] = []
    span, committed = log.span, log.committed

    async def span_told(topic: str) -> object:
        asked.append(topic)
        return await span(topic)

    async def committed_told(topic: str, group: str) -> object:
        asked.append("positions")
        return await committed(topic, group)

    log.span, log.committed = span_told, committed_told  # type: ignore[method-assign,assignment]
    await parts.recovery.recover({0, 1})

    assert asked == ["positions", STITCH_STATE, HITS]


async def test_recovery_goes_on_from_where_the_cache_ends(log: MemoryLog, parts: Parts) -> None:
    """Not from the beginning: what this node wrote or read is not read again."""
    await log.append(appends_of(world(44, SMALL).hits, 15, 2))
    await parts.stitch_all()
    parts.figures.states_joined = 0

    await parts.recovery.recover({0, 1})

    assert parts.figures.states_joined == 0


async def test_an_unreadable_state_is_a_dead_letter_and_the_others_are_joined(log: MemoryLog, parts: Parts) -> None:
    """Nothing in the changelog stops a worker but a version it does not know."""
    await log.append([Append(STITCH_STATE, 0, b"not a state", {"schema": "device-state/1", "count": "1"})])
    await log.append(appends_of(world(45, SMALL).hits, 15, 2))

    await parts.stitch_all()

    letters = [msgspec.json.decode(line, type=DeadLetter) for line in log.lines(DEAD_LETTERS)]
    assert [(x.source, x.reason) for x in letters] == [("stitch-state/0/0/0", "bad_state")]
    assert parts.figures.states_unreadable == 1


async def test_hits_removed_unread_are_counted_and_said(
    log: MemoryLog, parts: Parts, caplog: pytest.LogCaptureFixture
) -> None:
    """Retention was shorter than the outage: the loss is named, and work goes on behind it."""
    await log.append(appends_of(world(46, SMALL).hits, 15, 2))
    log.positions, log.first[HITS, 0] = {0: 3, 1: 0}, 9

    positions = await parts.recovery.recover({0, 1})

    assert positions == {0: 9, 1: 0}
    assert parts.figures.lost_offsets == 6
    assert "hits/0: offsets 3 to 8 were removed unread" in caplog.text


async def test_a_hits_topic_that_ends_below_the_stored_position_is_refused(log: MemoryLog, parts: Parts) -> None:
    """It was made anew: its records would be taken for ones that were stitched."""
    await log.append(appends_of(world(47, SMALL).hits, 15, 2))
    log.positions = {0: 10_000}

    with pytest.raises(
        Refused, match=r"hits/0 ends at \d+, but it has been read up to 10000: .* Raise the epoch above 1"
    ):
        await parts.recovery.recover({0})


async def test_a_hits_topic_that_ends_below_what_states_include_is_refused(log: MemoryLog, parts: Parts) -> None:
    """Even when the broker forgot the positions together with the topic; a raised epoch makes it right."""
    await log.append(state_records(0, [("w", "a", 0, _state())], version_of(EPOCH, 500)))

    with pytest.raises(Refused, match="hits/0 ends at 0, but it has been read up to 501"):
        await parts.recovery.recover({0})

    raised = msgspec.structs.replace(parts.recovery, epoch=EPOCH + 1)
    assert await raised.recover({0}) == {0: 0}


async def test_an_epoch_below_that_of_the_states_is_refused(log: MemoryLog, parts: Parts) -> None:
    """Its rows and links would lose against older ones."""
    await log.append(state_records(0, [("w", "a", 0, _state())], version_of(EPOCH + 1, 0)))

    with pytest.raises(Refused, match="written under epoch 2, this worker runs under 1"):
        await parts.recovery.recover({0})


async def test_a_changelog_made_anew_is_refused(log: MemoryLog, parts: Parts) -> None:
    """This node's cache may be the last that remembers, or belong to another world: a person decides."""
    await log.append(appends_of(world(48, SMALL).hits, 15, 2))
    await parts.stitch_all()
    log.records[STITCH_STATE, 1].clear()

    with pytest.raises(Refused, match="stitch-state/1 ends at 0, but this node has read it up to"):
        await parts.recovery.recover({0, 1})


async def test_a_changelog_of_a_newer_version_is_refused(log: MemoryLog, parts: Parts) -> None:
    """Passing over it would forget people."""
    await log.append([Append(STITCH_STATE, 0, b"", {"schema": "device-state/2"})])

    with pytest.raises(Refused, match="Run that version, or a newer one"):
        await parts.recovery.recover({0})


async def test_two_workers_that_hand_over_agree_with_the_oracle(log: MemoryLog, parts: Parts, tmp_path: Path) -> None:
    """Each takes over from the other's changelog and positions."""
    hits = world(49, SMALL).hits
    appends = appends_of(hits, 15, 2)
    other = Parts(log, tmp_path / "other")
    for turn, node in enumerate([parts, other, parts, other]):
        await log.append(appends[turn * len(appends) // 4 : (turn + 1) * len(appends) // 4])
        await node.stitch_all()
    other.cache.close()

    assert answers_in(parts.stitched()) == true_answers(hits)


def _state() -> bytes:
    return encode(Device(POLICY))
