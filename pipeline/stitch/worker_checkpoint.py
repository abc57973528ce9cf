"""The order in which a checkpoint of the worker becomes durable; it must not know Faust or how records are folded."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence

from msgspec import Struct

from pipeline.log.port import Append, Log
from pipeline.stitch.changelog import state_records
from pipeline.stitch.figures import Done
from pipeline.stitch.states import Row
from pipeline.stitch.worker_cache import Mark, StateCache
from pipeline.stitch.worker_figures import Figures, patiently

Commit = Callable[[Mapping[int, int]], Awaitable[None]]


class Fenced(Exception):
    """The group has moved on: the partitions may be somebody else's now, and the positions were not stored."""


class Snapshot(Struct, frozen=True):
    """What one partition asks to be stored. `version`: of the last record in it; `position`: the next offset;
    `parents`: the `traceparent` of each record in it that has one."""

    partition: int
    outputs: list[Append]
    rows: list[Row]
    version: int
    position: int
    done: Done
    parents: Sequence[str] = ()


class Checkpoints:
    """Stores snapshots, one set at a time. `commit` raises Fenced or LogUnavailable."""

    def __init__(self, log: Log, cache: StateCache, commit: Commit, figures: Figures) -> None:
        self._log = log
        self._cache = cache
        self._commit = commit
        self._figures = figures

    async def store(self, snapshots: Sequence[Snapshot]) -> None:
        """Durable when it returns; a step begins when the one before it is acknowledged.

        1. Outputs. A crash here repeats the rows and links under the same versions: the table keeps one of each.
        2. Device states, to the changelog. A crash here replays records whose facts the states already hold:
           folding them again finds nothing new, so the links appended in step 1 are not needed twice.
        3. Device states, to this node's cache. A crash here leaves the cache behind: recovery reads step 2 again.
        4. Positions. Before this everything is repeated, after it nothing.

        Raises Fenced in step 4; what was written before it is true all the same.
        """
        began_s = asyncio.get_running_loop().time()
        outputs = [append for snapshot in snapshots for append in snapshot.outputs]
        await self._append("outputs", outputs)
        states = [a for s in snapshots for a in state_records(s.partition, s.rows, s.version)]
        offsets = await self._append("device states", states)
        ends = self._contiguous(states, offsets)
        marks = {s.partition: Mark(ends[s.partition], s.version) for s in snapshots if s.partition in ends}
        await self._keep([row for s in snapshots for row in s.rows], marks)
        positions = {snapshot.partition: snapshot.position for snapshot in snapshots}
        await patiently("positions", lambda: self._commit(positions), self._figures)
        self._figures.states += sum(len(s.rows) for s in snapshots)
        self._figures.durable([s.done for s in snapshots], asyncio.get_running_loop().time() - began_s)

    async def _append(self, what: str, appends: list[Append]) -> Sequence[int]:
        if not appends:
            return []
        return await patiently(what, lambda: self._log.append(appends), self._figures)

    def _contiguous(self, appends: Sequence[Append], offsets: Sequence[int]) -> dict[int, int]:
        """Up to where the cache has the changelog: past our own entries only while nobody else's stand between."""
        mine: dict[int, list[int]] = defaultdict(list)
        for append, offset in zip(appends, offsets, strict=True):
            mine[append.partition].append(offset)
        positions = {}
        for partition, written in mine.items():
            position = self._cache.mark(partition).position
            for offset in sorted(written):
                position += offset == position
            positions[partition] = position
        return positions

    async def _keep(self, states: list[Row], marks: Mapping[int, Mark]) -> None:
        """In a thread, and waited for even when cancelled: whoever comes next must not be overwritten by it."""
        if not states:
            return
        writing = asyncio.ensure_future(asyncio.to_thread(self._cache.save, states, marks))
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            await writing
            raise
