"""Topics with other partitions: the same persons, though the oldest hits are gone and moving was cut off."""

import itertools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random

import msgspec
import pytest

from pipeline.log.partition import partition_of
from pipeline.log.port import (
    ALIASES,
    DEAD_LETTERS,
    ERASURES,
    HITS,
    STITCH_STATE,
    STITCHED,
    Append,
    LogUnavailable,
    Record,
)
from pipeline.model import MARK_SCHEMA, DeadLetter
from pipeline.privacy.suppression import NOBODY, Suppression, user_hash
from pipeline.replaying import CannotMove, move
from tests.stitch.memory_log import MemoryLog
from tests.stitch.worker_parts import Parts, answers_in, appends_of, hits_record, true_answers
from tests.support.generator import Sent, Shape, world

KEY = b"a key of at least thirty-two bytes, for nobody"
WORLD = Shape(hits=1_200, devices=40, days=25, late_days=5)


class Source(MemoryLog):
    """A log that others read too: positions by group, and a reader that may be cut off when it stores one."""

    def __init__(self, partitions: int) -> None:
        super().__init__(partitions)
        self.stored: dict[tuple[str, str], dict[int, int]] = defaultdict(dict)
        self.cuts = iter(())  # what becomes of each step: True cuts it off

    async def reader(self, topic: str, group: str) -> "Reader":
        return Reader(self, topic, self.stored[topic, group])

    async def committed(self, topic: str, group: str) -> Mapping[int, int]:
        return dict(self.stored[topic, group]) if group.startswith("replay") else dict(self.positions)


class Reader:
    """A few records at a time, of every partition."""

    def __init__(self, log: Source, topic: str, stored: dict[int, int]) -> None:
        self._log, self._topic, self._stored = log, topic, stored
        self._at = dict(stored)

    async def fetch(self, wait_ms: int, records_max: int = 500) -> Sequence[Record]:
        found: list[Record] = []
        for number, (first, end) in (await self._log.span(self._topic)).items():
            start = max(first, self._at.get(number, 0))
            found += self._log.records[self._topic, number][start : min(end, start + 3)]
            self._at[number] = max(start, min(end, start + 3))
        return found

    async def commit(self, positions: Mapping[int, int]) -> None:
        if next(self._log.cuts, False):
            raise LogUnavailable("cut off before the position is stored")
        self._stored.update(positions)

    async def close(self) -> None:
        """Nothing to let go."""


class Target(MemoryLog):
    """A log that may say nothing, before or after it has what it was given."""

    def __init__(self, partitions: int) -> None:
        super().__init__(partitions)
        self.cuts = iter(())

    async def append(self, records: Sequence[Append]) -> Sequence[int]:
        cut = next(self.cuts, "")
        if cut == "before":
            raise LogUnavailable("cut off before anything is durable")
        offsets = await super().append(records)
        if cut == "after":
            raise LogUnavailable("cut off before anybody knows that it is")
        return offsets


async def stitched(log: MemoryLog, folder: Path, epoch: int) -> None:
    """Everything there is, by a worker that begins on this folder."""
    parts = Parts(log, folder)
    parts.epoch = epoch
    try:
        await parts.stitch_all()
    finally:
        parts.cache.close()


def all_of(log: MemoryLog, topic: str) -> list[Record]:
    """Its records, by partition."""
    return [record for (name, _), records in sorted(log.records.items()) if name == topic for record in records]


def tables(hits: Sequence[Sent], partitions: int) -> list[Append]:
    """The hits as ingest would batch them."""
    return appends_of(hits, 9, partitions)


async def half_stitched(hits: Sequence[Sent], folder: Path) -> Source:
    """Four partitions: two thirds of the hits are stitched, the oldest of them gone by retention; the rest waits."""
    source = Source(4)
    await source.append(tables(hits[: len(hits) * 2 // 3], 4))
    await stitched(source, folder, 1)
    for number in range(4):
        source.first[HITS, number] = len(source.records[HITS, number]) // 2
    await source.append(tables(hits[len(hits) * 2 // 3 :], 4))
    return source


@pytest.mark.parametrize("partitions", [6, 1])
async def test_the_same_persons_under_other_partitions(tmp_path: Path, partitions: int) -> None:
    """Whatever moving is cut off at, and though who signed in long ago stands in no hit any more."""
    hits = world(97, WORLD).hits
    source, target = await half_stitched(hits, tmp_path / "old"), Target(partitions)
    rng = Random(partitions)
    source.cuts = iter(rng.random() < 0.2 for _ in range(1_000))
    target.cuts = iter(rng.choice(["", "", "before", "after"]) for _ in range(1_000))

    for attempt in itertools.count():
        try:
            await move(source, target, "six.", NOBODY)
            break
        except LogUnavailable:
            assert attempt < 300
    target.cuts = iter(())
    await stitched(target, tmp_path / "new", 2)

    assert attempt > 5
    assert [] == misplaced(target, partitions)
    assert answers_in([*all_of(source, STITCHED), *all_of(target, STITCHED)]) == true_answers(hits)
    assert all(await once_more(source, target))


def misplaced(log: MemoryLog, partitions: int) -> list[bytes]:
    """Lines of hits and states that stand where no new hit of their device would."""
    found = []
    for record in [*all_of(log, HITS), *all_of(log, STITCH_STATE)]:
        for line in record.value.split(b"\n"):
            said = msgspec.json.decode(line)
            device = said.get("device") or f"d:{said['anonymous_id']}"
            if record.partition != partition_of(said["workspace"], device, partitions):
                found.append(line)
    return found


async def once_more(source: Source, target: Target) -> list[bool]:
    """Whether nothing is moved that was moved already."""
    source.cuts, target.cuts = iter(()), iter(())
    return [count == 0 for count in (await move(source, target, "six.", NOBODY)).values()]


async def test_what_came_after_is_moved_by_moving_again(tmp_path: Path) -> None:
    """An ingest that had not heard of it goes on writing there; workers of the new topics run already."""
    hits = world(98, WORLD).hits
    source, target = Source(4), Target(6)
    await source.append(tables(hits[:600], 4))
    await move(source, target, "six.", NOBODY)
    await stitched(target, tmp_path, 2)
    await source.append(tables(hits[600:], 4))
    moved = await move(source, target, "six.", NOBODY)
    await stitched(target, tmp_path, 2)

    assert moved[HITS] == len(tables(hits[600:], 4))
    assert answers_in(all_of(target, STITCHED)) == true_answers(hits)


class Both(Source, Target):
    """A log that is moved from and to."""

    def __init__(self, partitions: int) -> None:
        super().__init__(partitions)
        self.cuts = iter(())


async def test_there_and_back(tmp_path: Path) -> None:
    """Rolling back is moving again: the old topics go on from their old positions, under a new epoch."""
    hits = world(95, WORLD).hits
    old, new = Both(4), Both(6)
    await old.append(tables(hits[:500], 4))
    await stitched(old, tmp_path / "old", 1)
    await move(old, new, "six.", NOBODY)
    await new.append(tables(hits[500:900], 6))
    await stitched(new, tmp_path / "new", 2)
    await move(new, old, "", NOBODY)
    await old.append(tables(hits[900:], 4))
    await stitched(old, tmp_path / "old", 3)

    assert answers_in([*all_of(old, STITCHED), *all_of(new, STITCHED)]) == true_answers(hits)


async def test_what_is_no_hit_becomes_the_dead_letter_it_was(tmp_path: Path) -> None:
    """With the ID it has from whoever stitched it before: once for all tables. Marks stay behind."""
    source, target = Source(4), Target(6)
    good = world(99, Shape(hits=20, devices=3)).hits
    await source.append([hits_record(1, [good[0].line(), b"nonsense", good[1].line()]), hits_record(2, [b"{}"])])
    await source.append([Append(HITS, 3, b"tomorrow", {"schema": "hit/2", "count": "1"})])
    mark = b'{"id":"00000000-0000-4000-8000-000000000001"}'
    await source.append([Append(HITS, number, mark, {"schema": MARK_SCHEMA, "count": "1"}) for number in range(4)])
    await stitched(source, tmp_path / "old", 1)
    await move(source, target, "six.", NOBODY)
    await stitched(target, tmp_path / "new", 2)

    old, new = [{letter.id: letter for letter in letters(log)} for log in (source, target)]
    assert (3, old) == (len(old), new)
    assert not [record for record in all_of(target, HITS) if record.headers["schema"] == MARK_SCHEMA]


def letters(log: MemoryLog) -> list[DeadLetter]:
    """Every dead letter."""
    return [
        msgspec.json.decode(line, type=DeadLetter)
        for record in all_of(log, DEAD_LETTERS)
        for line in record.value.split(b"\n")
    ]


async def test_statements_and_erasures_are_moved() -> None:
    """Statements by workspace, and what is none as it is; erasures all in one."""
    source, target = Source(4), Target(6)
    said = [f'{{"workspace":"shop{n}","event_id":"{n}"}}'.encode() for n in range(20)]
    headers = {"schema": "alias/1", "count": "10"}
    await source.append([Append(ALIASES, 0, b"\n".join(said[:10]), headers), Append(ALIASES, 3, b"nonsense", headers)])
    await source.append([Append(ALIASES, 2, b"\n".join(said[10:]), headers)])
    await source.append([Append(ERASURES, 0, bytes([65 + n]), {"schema": "suppressed/1"}) for n in range(5)])
    await move(source, target, "six.", NOBODY)

    lines = [line for record in all_of(target, ALIASES) for line in record.value.split(b"\n")]
    assert sorted([*said, b"nonsense"]) == sorted(lines)
    assert b"ABCDE" == b"".join(record.value for record in target.records[ERASURES, 0])


async def test_whoever_was_forgotten_stays_behind(tmp_path: Path) -> None:
    """Their days are counted on the old topics; on the new ones they would begin again."""
    hits = world(96, WORLD).hits
    source, target = await half_stitched(hits, tmp_path), Target(6)
    user = next(sent for sent in hits if sent.user_id)
    gone = Suppression(KEY, frozenset({user_hash(KEY, user.workspace, user.user_id)}))
    name = f'"{user.user_id}"'.encode()
    assert any(name in record.value for topic in (HITS, STITCH_STATE) for record in all_of(source, topic))
    await move(source, target, "six.", gone)

    found = [record.value for topic in (HITS, STITCH_STATE) for record in all_of(target, topic)]
    where = f'"workspace":"{user.workspace}"'.encode()
    assert not [line for value in found for line in value.split(b"\n") if name in line and where in line]


async def test_device_states_of_tomorrow_are_not_moved_by_halves(tmp_path: Path) -> None:
    """Whoever stitches the new topics would not know who signed in."""
    source = Source(4)
    await source.append([Append(STITCH_STATE, 1, b"{}", {"schema": "device-state/2"})])

    with pytest.raises(
        CannotMove, match=r"stitch-state/1/0: schema 'device-state/2'.*Run that version, or a newer one"
    ):
        await move(source, Target(6), "six.", NOBODY)
