"""The time between an assignment of partitions and its end; it must not know Faust, Kafka or what is stored where."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

from msgspec import Struct

from pipeline.limits import KIB, MIB, SECOND_MS
from pipeline.log.port import HITS, Log, Record
from pipeline.stitch.worker_checkpoint import Fenced, Snapshot
from pipeline.stitch.worker_figures import Figures, patiently
from pipeline.stitch.worker_lane import Lane

_log = logging.getLogger(__name__)


class Pace(Struct, frozen=True):
    """When a checkpoint is due, and how much may be in memory."""

    quiet_ms: int = 250  # after the first record, when nothing else waits
    busy_ms: int = 1_000  # when more waits: larger checkpoints cost less
    output_bytes_max: int = 16 * MIB  # then at once; as much again may gather while one is being stored
    waiting_bytes_max: int = 32 * MIB  # of records taken and not folded; past it no more are fetched
    slice_bytes: int = 256 * KIB  # folded without letting anybody else run: some ten milliseconds


class Tenure:
    """Folds what is taken and stores checkpoints, one at a time, while it goes on folding."""

    def __init__(
        self,
        lanes: Sequence[Lane],
        log: Log,
        store: Callable[[Sequence[Snapshot]], Awaitable[None]],
        figures: Figures,
        pace: Pace,
    ) -> None:
        self._lanes = {lane.number: lane for lane in lanes}
        self._turn = list(lanes)
        self._log = log
        self._store = store
        self._figures = figures
        self._pace = pace
        self._since_s: float | None = None  # when the first record after the last snapshot was folded
        self._storing: asyncio.Future[None] | None = None
        self._stored_lanes: list[Lane] = []
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._ended = False

    @property
    def positions(self) -> Mapping[int, int]:
        """Where to fetch on, by partition."""
        return {number: lane.next for number, lane in self._lanes.items()}

    @property
    def folded(self) -> Mapping[int, int]:
        """Up to where hits are folded, by partition."""
        return {number: lane.position for number, lane in self._lanes.items()}

    @property
    def hits(self) -> int:
        """How many were taken and are in no durable checkpoint."""
        return sum(lane.hits for lane in self._turn)

    @property
    def oldest_ms(self) -> Mapping[int, int]:
        """Of partitions with records that are in no durable checkpoint: when the log took the first of them (epoch)."""
        return {number: at_ms for number, lane in self._lanes.items() if (at_ms := lane.oldest_ms) is not None}

    async def room(self) -> None:
        """Return once more records may come."""
        await self._room.wait()

    async def take(self, record: Record) -> None:
        """Accept a record that was delivered. Ones of other partitions and repeated ones are nobody's loss."""
        lane = None if self._ended else self._lanes.get(record.partition)
        if lane is None or record.offset < lane.next:
            return
        if record.offset > lane.next:
            await self._filled(lane, record.offset)
        if not self._ended:
            lane.take(record)
            self._took()

    async def fetch(self, number: int, stop: int) -> None:
        """Take the records of a partition up to `stop` off the log, where nobody else will bring them."""
        lane = self._lanes.get(number)
        if lane is not None and lane.next < stop:
            await self._filled(lane, stop)

    async def run(self) -> None:
        """Work until cancelled, or until the group has moved on. Raises whatever no retry can mend."""
        while True:
            try:
                self._settle_store()
            except Fenced as error:
                _log.warning("checkpoint refused, waiting for the next assignment: %s", error)
                self._figures.fenced += 1
                self._ended = True
                self._room.set()
                return
            if self._due():
                self._begin_store()
            if self._fold_slice():
                await asyncio.sleep(0)
            else:
                await self._rest()

    async def end(self, within_s: float, *, final: bool) -> bool:
        """Fold and accept nothing more; let the checkpoint under way finish, and with `final` make a last one.

        False when time ran out, or the group has moved on: what is not durable is then abandoned, to be read again.
        """
        self._ended = True
        self._room.set()
        try:
            async with asyncio.timeout(within_s):
                await self._finish(final)
        except (TimeoutError, Fenced) as error:
            _log.warning("checkpoint abandoned: %r", error)
            return False
        finally:
            await self._abandon()
        return True

    async def _finish(self, final: bool) -> None:
        if self._storing is not None:
            await asyncio.shield(self._storing)
            self._settle_store()
        if final and any(lane.unstored for lane in self._turn):
            self._begin_store()
            assert self._storing is not None
            await asyncio.shield(self._storing)
            self._settle_store()

    async def _abandon(self) -> None:
        storing, self._storing = self._storing, None
        if storing is not None:
            storing.cancel()
            await asyncio.gather(storing, return_exceptions=True)

    async def _filled(self, lane: Lane, stop: int) -> None:
        await patiently("skipped records", lambda: self._fill(lane, stop), self._figures)

    async def _fill(self, lane: Lane, stop: int) -> None:
        """Fetch what the framework left out; offsets that hold no record stay a gap."""
        async for record in self._log.read(HITS, lane.number, lane.next, stop):
            await self.room()
            if self._ended:
                return
            if record.offset >= lane.next:
                lane.take(record)
                self._figures.skipped_records += 1
                self._took()

    def _took(self) -> None:
        self._wake.set()
        if sum(lane.waiting_bytes for lane in self._turn) >= self._pace.waiting_bytes_max:
            self._room.clear()

    def _fold_slice(self) -> bool:
        """Fold a slice of the lane whose turn it is; False when there is nothing to fold or no room for its output."""
        if self._storing is not None and self._output_bytes() >= self._pace.output_bytes_max:
            return False
        lane = next((lane for lane in self._turn if lane.ready), None)
        if lane is None:
            return False
        self._turn.remove(lane)
        self._turn.append(lane)
        self._figures.records += lane.fold(self._pace.slice_bytes)
        self._since_s = self._since_s or asyncio.get_running_loop().time()
        if sum(each.waiting_bytes for each in self._turn) < self._pace.waiting_bytes_max:
            self._room.set()
        return True

    def _output_bytes(self) -> int:
        return sum(lane.output_bytes for lane in self._turn)

    def _due(self) -> bool:
        unstored = [lane for lane in self._turn if lane.unstored]
        if self._storing is not None or not unstored:
            return False
        at_once = any(lane.fenced for lane in unstored) or self._output_bytes() >= self._pace.output_bytes_max
        return at_once or self._wait_s() <= 0

    def _wait_s(self) -> float:
        """Until the next checkpoint is due for its age."""
        if self._since_s is None:
            return 60.0
        busy = any(lane.ready for lane in self._turn)
        age_s = asyncio.get_running_loop().time() - self._since_s
        return (self._pace.busy_ms if busy else self._pace.quiet_ms) / 1000 - age_s

    def _begin_store(self) -> None:
        self._stored_lanes = [lane for lane in self._turn if lane.unstored]
        snapshots = [lane.snapshot() for lane in self._stored_lanes]
        self._since_s = None
        self._storing = asyncio.ensure_future(self._store(snapshots))
        self._storing.add_done_callback(lambda _: self._wake.set())

    def _settle_store(self) -> None:
        """Raises what the storing raised."""
        if self._storing is not None and self._storing.done():
            storing, self._storing = self._storing, None
            storing.result()
            now_ms = time.time() * SECOND_MS
            for lane in self._stored_lanes:
                for taken_ms in lane.stored():
                    self._figures.latency_seconds.observe((now_ms - taken_ms) / SECOND_MS)

    async def _rest(self) -> None:
        """Until a record comes, a checkpoint is stored, or one is due."""
        self._wake.clear()
        due_s = self._wait_s() if self._storing is None else 60.0
        try:
            async with asyncio.timeout(max(due_s, 0.001)):
                await self._wake.wait()
        except TimeoutError:
            return
