"""The embedded stitch: one task beside the SQLite log, its checkpoint one transaction; it must not know a broker."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence

from msgspec import structs

from pipeline.identity.policy import Policy
from pipeline.limits import SECOND_MS
from pipeline.log.local import LocalLog, LocalWriter
from pipeline.log.port import HITS, LogUnavailable, Reader, Record
from pipeline.stitch.figures import Figures, current
from pipeline.stitch.partition import Checkpoint, Partition, Unstitchable
from pipeline.stitch.states import SAVE, SCHEMA, DeviceStates, rows
from pipeline.telemetry.lag import GroupLags
from pipeline.telemetry.metrics import STITCH, text

GROUP = "stitch"
_IDLE_MS = 500  # how long one wait for new records lasts; arrivals end it at once
_RECORDS_MAX = 200  # a checkpoint's worth: keeps the transaction, and with it everybody's fsync, short
_RETRY_S = 1.0
_LOOK_S = 5.0  # at how much waits: two look-ups in a file

_log = logging.getLogger(__name__)


class LocalStitch:
    """Reads `hits`, writes `stitched`, device states and its own position.

    A checkpoint is one transaction of the log's file, so a crash repeats it whole or not at all:
    1. append outputs; 2. write dirty device states; 3. store the positions.
    """

    def __init__(self, log: LocalLog, policy: Policy, epoch: int) -> None:
        self._log = log
        self._policy = policy
        self._epoch = epoch
        self._partitions: dict[int, Partition] = {}
        self._figures = Figures()
        self._lags = GroupLags(log, {HITS: GROUP}, _LOOK_S)
        self._taken: Sequence[Record] = ()  # and not durable yet

    def metrics(self) -> bytes:
        """The Prometheus text of what has been done since the start."""
        in_flight = sum(record.lines for record in self._taken)
        oldest_ms = [record.timestamp_ms for record in self._taken[:1]]
        now = current(self._figures, self._lags.of(HITS), self._lags.records().get(HITS), in_flight, oldest_ms)
        return text(STITCH, {**structs.asdict(self._figures), **now, "partitions": len(self._partitions)})

    async def run(self, stop: asyncio.Event) -> None:
        """Stitch until `stop` is set, and then what was on the log at that moment: more may be coming all the time.

        A full disk is waited out; a bug is raised.
        """
        await self._log.write(lambda writer: writer.execute(SCHEMA, ()))
        watching = asyncio.create_task(self._lags.watch(), name="lag of stitch")
        try:
            while not await self._run_until_unavailable(stop):
                await _pause(stop, _RETRY_S)
        finally:
            watching.cancel()
            await asyncio.wait({watching})

    async def _run_until_unavailable(self, stop: asyncio.Event) -> bool:
        reader = await self._log.reader(HITS, GROUP)
        try:
            await self._assign()
            while not stop.is_set():
                await self._step(reader)
            ends = await self._log.span(HITS)
            while any(self._partitions[number].position < end for number, (_, end) in ends.items()):
                await self._step(reader)
            return True
        except LogUnavailable as error:
            _log.warning("stitch waits for the log: %s", error)
            return stop.is_set()
        finally:
            await reader.close()

    async def _assign(self) -> None:
        """Start every partition at its committed position, with states as the last checkpoint left them."""
        states = DeviceStates(self._log.connect(), self._policy)
        positions = await self._log.committed(HITS, GROUP)
        for number in range(await self._log.partitions(HITS)):
            position = positions.get(number, 0)
            self._partitions[number] = Partition(number, self._policy, self._epoch, states, position)

    async def _step(self, reader: Reader) -> bool:
        """One fetch, one checkpoint; False when nothing came."""
        records = await reader.fetch(_IDLE_MS, _RECORDS_MAX)
        if not records:
            return False
        self._taken = records
        checkpoints = await asyncio.to_thread(self._feed, records)
        began_s = time.monotonic()
        await self._store(checkpoints)
        for number, checkpoint in checkpoints.items():
            self._partitions[number].committed(checkpoint)
        self._told(checkpoints, time.monotonic() - began_s)
        return True

    async def _store(self, checkpoints: Mapping[int, Checkpoint]) -> None:
        await self._log.write(_writes(checkpoints))

    def _told(self, checkpoints: dict[int, Checkpoint], took_s: float) -> None:
        now_ms = time.time() * SECOND_MS
        for record in self._taken:
            self._figures.latency_seconds.observe((now_ms - record.timestamp_ms) / SECOND_MS)
        self._figures.records += len(self._taken)
        self._figures.states += sum(len(checkpoint.dirty) for checkpoint in checkpoints.values())
        self._figures.durable([checkpoint.done for checkpoint in checkpoints.values()], took_s)
        self._taken = ()

    def _feed(self, records: Sequence[Record]) -> dict[int, Checkpoint]:
        checkpoints = {}
        for number in sorted({record.partition for record in records}):
            partition = self._partitions[number]
            mine = [record for record in records if record.partition == number]
            checkpoint = _feed_or_bury(partition, mine)
            if checkpoint is not None:
                checkpoints[number] = checkpoint
        return checkpoints


def _feed_or_bury(partition: Partition, records: Sequence[Record]) -> Checkpoint | None:
    """Every record is folded or becomes a dead letter: each turn of the loop buries one more."""
    while True:
        try:
            partition.feed(records)
            return partition.checkpoint()
        except Unstitchable as error:
            _log.error("offset %d could not be stitched and becomes a dead letter: %s", error.offset, error.kind)
            partition.restart(error)


def _writes(checkpoints: Mapping[int, Checkpoint]) -> Callable[[LocalWriter], None]:
    def work(writer: LocalWriter) -> None:
        for number, checkpoint in checkpoints.items():
            for append in checkpoint.outputs:
                writer.append(append.topic, append.partition, append.value, append.headers)
            writer.executemany(SAVE, rows(number, checkpoint.dirty))
        writer.commit(HITS, GROUP, {number: c.position for number, c in checkpoints.items()})

    return work


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
