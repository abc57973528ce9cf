"""What a worker reads before it may stitch a partition; it must not know Faust, or what a state means."""

import asyncio
import logging
from collections.abc import Collection, Mapping
from functools import partial

from msgspec import Struct

from pipeline.identity.device import Device
from pipeline.identity.policy import Policy
from pipeline.identity.stitcher import Key
from pipeline.limits import OFFSET_BITS
from pipeline.log.port import DEAD_LETTERS, HITS, STITCH_STATE, Log, Record
from pipeline.model import DEAD_LETTER_SCHEMA
from pipeline.privacy.erasures import Forgotten
from pipeline.stitch.changelog import UnknownState, entries, version_in
from pipeline.stitch.pack import packed
from pipeline.stitch.record import dead_letters
from pipeline.stitch.worker_cache import Mark, StateCache
from pipeline.stitch.worker_figures import Figures, patiently

_JOIN_AT_ONCE = 5_000  # states; one transaction of the cache
_JOIN_PARTITIONS = 4  # at once: reading waits, joining does not

_log = logging.getLogger(__name__)


class Refused(Exception):
    """The topics do not fit what this worker knows; going on would lose or mix up people. The text says what to do."""


class Recovery(Struct, frozen=True):
    """Brings the cache up to the changelog and finds where to read on."""

    log: Log
    cache: StateCache
    group: str
    epoch: int
    policy: Policy
    figures: Figures
    forgotten: Forgotten = Forgotten()

    async def recover(self, partitions: Collection[int]) -> dict[int, int]:
        """The offset of the next hits record of each partition, once the cache holds all its states. Raises Refused.

        0. Those who were forgotten leave the cache; step 2 lets none of them in again.
        1. Look up the committed positions. What an old owner still commits after that is only read once more.
        2. Read the changelog from where the cache ends, and join. A crash here joins the same entries again. States
           are written before positions, so every fact behind the positions of step 1 stands in it by now.
        3. Only then look where hits end: an old owner that stalled may write states until then, never past it.
        """
        await asyncio.to_thread(self.cache.cleanse, self.forgotten.suppression, self.forgotten.records)
        committing = partial(self.log.committed, HITS, self.group)
        committed = await patiently("positions", committing, self.figures)
        spans = await patiently(STITCH_STATE, lambda: self.log.span(STITCH_STATE), self.figures)
        turns = asyncio.Semaphore(_JOIN_PARTITIONS)
        try:
            async with asyncio.TaskGroup() as tasks:
                joins = {p: tasks.create_task(self._join(p, *spans[p], turns)) for p in sorted(partitions)}
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from failed
        newest = {partition: join.result() for partition, join in joins.items()}
        return await patiently(HITS, lambda: self._positions(newest, committed), self.figures)

    async def _join(self, partition: int, first: int, end: int, turns: asyncio.Semaphore) -> int:
        """Step 2; the newest version the states of the partition include."""
        position = self.cache.mark(partition).position
        if position > end:
            raise Refused(
                f"{STITCH_STATE}/{partition} ends at {end}, but this node has read it up to {position}: the topic was "
                "made anew. Remove the worker's data folder to begin with what the topic holds."
            )
        async with turns:
            if max(first, position) < end:
                joining = partial(self._read, partition, end)
                await patiently(f"recovery of partition {partition}", joining, self.figures)
        return self.cache.mark(partition).version

    async def _read(self, partition: int, end: int) -> None:
        position, version = self.cache.mark(partition)
        found: list[tuple[Key, Device]] = []
        async for record in self.log.read(STITCH_STATE, partition, position, end):
            version = max(version, version_in(record))
            found += await self._entries(record)
            if len(found) >= _JOIN_AT_ONCE:
                self._keep(partition, found, Mark(record.offset + 1, version))
                found = []
        self._keep(partition, found, Mark(end, version))

    def _keep(self, partition: int, found: list[tuple[Key, Device]], mark: Mark) -> None:
        self.cache.join(partition, found, mark, self.policy)
        self.figures.states_joined += len(found)

    async def _entries(self, record: Record) -> list[tuple[Key, Device]]:
        try:
            found, unreadable = entries(record, self.policy, self.forgotten.suppression)
        except UnknownState as error:
            raise Refused(f"{error}. Run that version, or a newer one.") from error
        if unreadable:
            lines = [
                letter for u in unreadable for letter in dead_letters(record, u.number, u.line, "bad_state", u.reason)
            ]
            await self.log.append(packed(DEAD_LETTERS, record.partition, DEAD_LETTER_SCHEMA, lines))
            self.figures.states_unreadable += len(unreadable)
            _log.error(
                "%d unreadable states in %s/%d/%d", len(unreadable), record.topic, record.partition, record.offset
            )
        return found

    async def _positions(self, newest: Mapping[int, int], committed: Mapping[int, int]) -> dict[int, int]:
        """Step 3, and whether what is known fits together."""
        spans = await self.log.span(HITS)
        positions = {}
        for partition, version in newest.items():
            first, end = spans[partition]
            position = committed.get(partition, first)
            self._check(partition, end, position, version)
            if position < first:
                _log.error("%s/%d: offsets %d to %d were removed unread", HITS, partition, position, first - 1)
                self.figures.lost_offsets += first - position
            positions[partition] = max(position, first)
        return positions

    def _check(self, partition: int, end: int, position: int, version: int) -> None:
        epoch, offset = version >> OFFSET_BITS, version & (1 << OFFSET_BITS) - 1
        if epoch > self.epoch:
            raise Refused(f"states were written under epoch {epoch}, this worker runs under {self.epoch}: raise it.")
        read = max(position, offset + 1 if version and epoch == self.epoch else 0)
        if read > end:
            raise Refused(made_anew(partition, end, read, self.epoch))


def made_anew(partition: int, end: int, read: int, epoch: int) -> str:
    """What to say of a hits topic that is shorter than what was read of it."""
    return (
        f"{HITS}/{partition} ends at {end}, but it has been read up to {read}: the topic was made anew. "
        f"Raise the epoch above {epoch}, and reset the group's positions if Kafka still has them."
    )
