"""Assignments that come and go: recovery, then a tenure, then its end; it must not know Faust or a broker."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping

from pipeline.log.port import Record
from pipeline.model import MARK_SCHEMA
from pipeline.stitch.worker_tenure import Tenure

_log = logging.getLogger(__name__)


class Stitching:
    """At most one tenure at a time; between two of them nothing is taken, folded or written.

    `begin` recovers the partitions and makes their tenure. `fail` is told, once, what ends the process. `heed` is
    given each mark, and says whether it tells anything new: then the tenure ends, and another begins that knows it.
    """

    def __init__(
        self,
        begin: Callable[[Collection[int]], Awaitable[Tenure]],
        fail: Callable[[BaseException], None],
        revoke_s_max: float,
        heed: Callable[[Record], Awaitable[bool]],
    ) -> None:
        self._begin = begin
        self._heed = heed
        self._fail = fail
        self._revoke_s_max = revoke_s_max
        self._recovering: asyncio.Task[None] | None = None
        self._tenure: Tenure | None = None
        self._running: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def ready(self) -> bool:
        """Whether hits are being stitched, or would be if there were any."""
        return self._running is not None and not self._running.done()

    @property
    def positions(self) -> Mapping[int, int]:
        """Where to fetch on, by partition; nothing while nothing is ours."""
        return {} if self._tenure is None else self._tenure.positions

    @property
    def folded(self) -> Mapping[int, int] | None:
        """Up to where hits are folded; None while nothing is ours."""
        return None if self._tenure is None else self._tenure.folded

    @property
    def hits(self) -> int:
        """How many were taken and are in no durable checkpoint."""
        return 0 if self._tenure is None else self._tenure.hits

    @property
    def oldest_ms(self) -> Mapping[int, int]:
        """When the log took the oldest of them (epoch), by partition."""
        return {} if self._tenure is None else self._tenure.oldest_ms

    async def room(self) -> None:
        """Return once more records may come."""
        if self._tenure is not None:
            await self._tenure.room()

    async def take(self, record: Record) -> None:
        """A record of nobody's partition is dropped: it was not stored as read, so its owner reads it."""
        if record.headers.get("schema") == MARK_SCHEMA and self._tenure is not None:
            await self._mind(record)
        if self._tenure is not None:
            await self._tenure.take(record)

    async def _mind(self, mark: Record) -> None:
        """Begin anew where the mark tells something new, and fetch again what the end of a tenure abandons: the
        framework will not give it a second time."""
        try:
            if not await self._heed(mark):
                return
        except Exception as error:
            self._fail(error)
            raise
        taken = dict(self.positions)
        if not taken:
            return
        await self._end(self._revoke_s_max, final=False)
        self._recovering = asyncio.ensure_future(self._start(taken.keys()))
        await asyncio.wait([self._recovering])
        for number, stop in taken.items():
            if self._tenure is not None:
                await self._tenure.fetch(number, stop)

    async def assigned(self, partitions: Collection[int]) -> None:
        """Recover and begin; returns when hits may come, or when the assignment has ended already."""
        await self.revoked()
        if self._closed:
            return
        self._recovering = asyncio.ensure_future(self._start(partitions))
        await asyncio.wait([self._recovering])

    async def revoked(self) -> None:
        """Nothing is written for these partitions once this returns."""
        await self._end(self._revoke_s_max, final=False)

    async def close(self, within_s: float) -> bool:
        """For good, with a last checkpoint of what was folded; False when it was abandoned."""
        self._closed = True
        return await self._end(within_s, final=True)

    async def _start(self, partitions: Collection[int]) -> None:
        try:
            tenure = await self._begin(partitions)
        except Exception as error:
            self._fail(error)
            raise
        _log.info("stitching partitions %s", sorted(partitions))
        self._tenure = tenure
        self._running = asyncio.ensure_future(tenure.run())
        self._running.add_done_callback(self._ran)

    def _ran(self, running: asyncio.Task[None]) -> None:
        if not running.cancelled() and (error := running.exception()) is not None:
            self._fail(error)

    async def _end(self, within_s: float, *, final: bool) -> bool:
        for task in (self._recovering, self._running):
            if task is not None:
                task.cancel()
                await asyncio.wait([task])
        tenure, self._tenure, self._running, self._recovering = self._tenure, None, None, None
        return tenure is None or await tenure.end(within_s, final=final)
