"""One assigned partition: records that wait, records not yet durable, poison; it must not know clocks or clients."""

import logging
from collections import deque
from itertools import chain

from pipeline.log.port import Record
from pipeline.stitch.partition import Checkpoint, Partition, Unstitchable
from pipeline.stitch.record import version_of
from pipeline.stitch.states import rows
from pipeline.stitch.worker_checkpoint import Snapshot
from pipeline.telemetry.tracing import traceparents

_CAREFUL_RECORDS = 64  # after poison: folded one at a time, so that more of it costs no more than itself

_log = logging.getLogger(__name__)


class Lane:
    """Takes records in offset order and folds them in slices.

    Every record since the last durable checkpoint is remembered, so that poison can be buried without reading again:
    the lane goes back, folds up to and including the poison, and goes no further until that is durable.
    """

    def __init__(self, partition: Partition, epoch: int) -> None:
        self.next = partition.position  # offset of the next record to take
        self.waiting_bytes = 0
        self._partition = partition
        self._epoch = epoch
        self._waiting: deque[Record] = deque()
        self._unstored: deque[Record] = deque()
        self._storing: Checkpoint | None = None
        self._poison: Unstitchable | None = None
        self._careful = 0  # records below this offset are folded one at a time
        self._fence: int | None = None  # no record from here on until the poison below is buried for good

    @property
    def number(self) -> int:
        """The partition's number."""
        return self._partition.number

    @property
    def position(self) -> int:
        """Everything below is folded."""
        return self._partition.position

    @property
    def hits(self) -> int:
        """How many were taken and are in no durable checkpoint."""
        return sum(record.lines for records in (self._unstored, self._waiting) for record in records)

    @property
    def oldest_ms(self) -> int | None:
        """When the log took the oldest record that is in no durable checkpoint (epoch); None when there is none."""
        first = next(chain(self._unstored, self._waiting), None)
        return None if first is None else first.timestamp_ms

    @property
    def output_bytes(self) -> int:
        """How much waits for the next checkpoint."""
        return self._partition.bytes_waiting

    @property
    def unstored(self) -> bool:
        """Whether a checkpoint would store anything."""
        return self._poison is None and self._storing is None and bool(self._unstored)

    @property
    def fenced(self) -> bool:
        """Whether the next checkpoint should not wait for company."""
        return self._fence is not None

    @property
    def ready(self) -> bool:
        """Whether `fold` would fold a record."""
        return self._poison is None and bool(self._waiting) and not self._at_fence(self._waiting[0])

    def take(self, record: Record) -> None:
        """Add the next record."""
        assert record.offset >= self.next, (record.offset, self.next)
        self.next = record.offset + 1
        self._waiting.append(record)
        self.waiting_bytes += len(record.value)

    def fold(self, bytes_max: int) -> int:
        """Fold a slice of what waits, at least one record if `ready`; how many records left the queue."""
        part: list[Record] = []
        size = 0
        if self._waiting and self._waiting[0].offset < self._careful:
            bytes_max = 1
        while self._waiting and size < bytes_max and not self._at_fence(self._waiting[0]):
            part.append(self._waiting.popleft())
            size += len(part[-1].value)
        self.waiting_bytes -= size
        self._unstored.extend(part)
        try:
            self._partition.feed(part)
        except Unstitchable as error:
            where = (self.number, error.offset, error.kind)
            _log.error("partition %d, offset %d could not be stitched and becomes a dead letter: %s", *where)
            self._poison = error
            self._go_back()
        return len(part)

    def snapshot(self) -> Snapshot:
        """What the next checkpoint stores; end with `stored`."""
        checkpoint = self._partition.checkpoint()
        assert checkpoint is not None, "nothing was folded"
        self._storing = checkpoint
        changed = rows(self.number, checkpoint.dirty)
        version = version_of(self._epoch, checkpoint.position - 1)
        parents = traceparents(self._unstored)
        outputs, position = checkpoint.outputs, checkpoint.position
        return Snapshot(self.number, outputs, changed, version, position, done=checkpoint.done, parents=parents)

    def stored(self) -> list[int]:
        """The snapshot is durable. When the log took each record of it (epoch milliseconds)."""
        assert self._storing is not None, "no snapshot was taken"
        self._partition.committed(self._storing)
        position, self._storing = self._storing.position, None
        taken_ms = []
        while self._unstored and self._unstored[0].offset < position:
            taken_ms.append(self._unstored.popleft().timestamp_ms)
        if self._fence is not None and position >= self._fence:
            self._fence = None
        self._go_back()
        return taken_ms

    def _go_back(self) -> None:
        """Once nothing is being stored: undo what is not durable and put its records in front again."""
        if self._poison is None or self._storing is not None:
            return
        self._partition.restart(self._poison)
        self._fence, self._careful = self._poison.offset + 1, self._poison.offset + _CAREFUL_RECORDS
        self._poison = None
        self.waiting_bytes += sum(len(record.value) for record in self._unstored)
        self._waiting.extendleft(reversed(self._unstored))
        self._unstored.clear()

    def _at_fence(self, record: Record) -> bool:
        return self._fence is not None and record.offset >= self._fence
