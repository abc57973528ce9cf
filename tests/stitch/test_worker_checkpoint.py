"""The order of a checkpoint, and what a crash between any two of its steps repeats."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from pipeline.log.port import DEAD_LETTERS, HITS, STITCH_STATE, STITCHED, Append
from pipeline.stitch.worker_cache import CacheBusy, StateCache
from tests.stitch.memory_log import MemoryLog
from tests.stitch.worker_parts import Parts, answers_in, appends_of, true_answers
from tests.support.deadline import until
from tests.support.generator import Shape, world

SMALL = Shape(hits=1_200, devices=30, days=20)
COMMIT, CACHE = "commit", "cache"


class Killed(BaseException):
    """The process is gone."""


class MortalLog(MemoryLog):
    """Dies before or after a step, at its n-th time."""

    def __init__(self, step: str, when: str, nth: int) -> None:
        super().__init__(partitions=2)
        self.plan = (step, when)
        self.left = nth

    def die(self, step: str, when: str) -> None:
        """Here, if it is time."""
        if (step, when) == self.plan:
            self.left -= 1
            if self.left == 0:
                raise Killed

    async def append(self, records: Sequence[Append]) -> Sequence[int]:
        topics = list(dict.fromkeys(record.topic for record in records))
        for topic in topics:
            self.die(topic, "before")
        offsets = await super().append(records)
        for topic in topics:
            self.die(topic, "after")
        return offsets

    async def commit(self, positions: Mapping[int, int]) -> None:
        self.die(COMMIT, "before")
        await super().commit(positions)
        self.die(COMMIT, "after")


async def _work_until_killed(parts: Parts) -> None:
    tenure = await parts.begin(0, 1)
    running = asyncio.ensure_future(tenure.run())
    await parts.deliver(tenure)
    await until(lambda: running.done() or parts.caught_up(), 10)
    if running.done():
        with pytest.raises(Killed):
            running.result()
    running.cancel()
    await asyncio.wait([running])


async def test_a_step_begins_when_the_one_before_it_is_durable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outputs, states, the cache, positions: in that order, every time."""
    log = MemoryLog(partitions=2)
    parts = Parts(log, tmp_path)
    save = parts.cache.save

    def saves(*arguments: Any) -> None:
        save(*arguments)
        log.steps.append(CACHE)

    monkeypatch.setattr(parts.cache, "save", saves)
    await log.append([*appends_of(world(31, SMALL).hits, 40, 2), Append(HITS, 0, b"nonsense", {"schema": "hit/1"})])
    tenure = await parts.begin(0, 1)
    log.steps.clear()
    running = asyncio.ensure_future(tenure.run())
    await parts.deliver(tenure)
    await until(parts.caught_up)
    running.cancel()
    await asyncio.wait([running])
    await tenure.end(5, final=False)
    parts.cache.close()

    order = {STITCHED: 0, DEAD_LETTERS: 0, STITCH_STATE: 1, CACHE: 2, COMMIT: 3}
    checkpoints = " ".join(log.steps).split(COMMIT)
    assert [c.split() for c in checkpoints] == [sorted(c.split(), key=order.__getitem__) for c in checkpoints]
    assert log.steps.count(COMMIT) == parts.figures.checkpoints


@pytest.mark.parametrize("cache_lost", [False, True], ids=["cache kept", "cache lost"])
@pytest.mark.parametrize("nth", [1, 3])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", [STITCHED, STITCH_STATE, COMMIT])
async def test_a_crash_between_any_two_steps_changes_nothing(
    tmp_path: Path, step: str, when: str, nth: int, cache_lost: bool
) -> None:
    """The next owner repeats what was not committed; the answer is the oracle's, nothing lost and nothing invented."""
    hits = world(32, SMALL).hits
    log = MortalLog(step, when, nth)
    await log.append(appends_of(hits, 15, 2))
    first = Parts(log, tmp_path / "first")
    await _work_until_killed(first)
    first.cache.close()

    second = Parts(log, tmp_path / ("second" if cache_lost else "first"))
    await second.stitch_all()
    second.cache.close()

    assert answers_in(second.stitched()) == true_answers(hits)


async def test_a_step_that_was_repeated_after_no_answer_changes_nothing(tmp_path: Path) -> None:
    """An append whose acknowledgement was lost stands in the log twice; versions make it one."""

    class Deaf(MemoryLog):
        heard = 0

        async def append(self, records: Sequence[Append]) -> Sequence[int]:
            offsets = await super().append(records)
            self.heard += 1
            if self.heard % 2 == 0:
                await super().append(records)
            return offsets

    hits = world(33, SMALL).hits
    log = Deaf(partitions=2)
    await log.append(appends_of(hits, 15, 2))
    parts = Parts(log, tmp_path)
    await parts.stitch_all()
    parts.cache.close()

    assert answers_in(parts.stitched()) == true_answers(hits)


async def test_the_cache_stands_still_where_somebody_else_has_written(tmp_path: Path) -> None:
    """Entries between ours were not joined here: the next recovery must read them, so the position stays below."""
    log = MemoryLog(partitions=1)
    await log.append(appends_of(world(34, SMALL).hits, 15, 1))
    parts = Parts(log, tmp_path)
    tenure = await parts.begin(0)
    stranger = Append(STITCH_STATE, 0, b"", {"schema": "device-state/1", "count": "0"})
    await log.append([stranger])
    running = asyncio.ensure_future(tenure.run())
    await parts.deliver(tenure)
    await until(parts.caught_up)
    running.cancel()
    await asyncio.wait([running])
    await tenure.end(5, final=False)

    assert len(log.records[STITCH_STATE, 0]) > 1
    assert parts.cache.mark(0).position == 0
    parts.cache.close()


async def test_the_cache_follows_its_own_entries(tmp_path: Path) -> None:
    """A restart on the same node reads nothing again."""
    log = MemoryLog(partitions=2)
    await log.append(appends_of(world(35, SMALL).hits, 15, 2))
    parts = Parts(log, tmp_path)
    await parts.stitch_all()

    ends = [len(log.records[STITCH_STATE, number]) for number in range(2)]
    assert [parts.cache.mark(number).position for number in range(2)] == ends
    parts.cache.close()


def test_a_folder_belongs_to_one_process(tmp_path: Path) -> None:
    """A second worker on it would overwrite states: it is refused by name."""
    cache = StateCache(tmp_path)
    with pytest.raises(CacheBusy, match="in use by another stitch worker"):
        StateCache(tmp_path)
    cache.close()
    StateCache(tmp_path).close()
