"""One topic in bites of a flush each, and its positions; it must not know what is in a record."""

import logging
import time
from collections.abc import Mapping, Sequence

from pipeline.limits import MIB
from pipeline.log.port import Log, LogUnavailable, Reader, Record

FETCH_RECORDS_MAX = 100  # of at most APPEND_BYTES_MAX each: what a fetch may add to a flush stays under 100 MB
FLUSH_BYTES_MAX = 32 * MIB
FLUSH_ROWS_MAX = 50_000
INTERVAL_MS = 500  # between flushes: a server wants few inserts, a person wants to see their hit
POLL_MS = 100  # how long a quiet lane looks for records before it looks at the clock

_log = logging.getLogger(__name__)


class Lane:
    """A reader of a topic. `behind_ms` is how old the newest record of the last bite was when it was taken."""

    def __init__(self, log: Log, topic: str, group: str, interval_ms: int = INTERVAL_MS) -> None:
        self.topic = topic
        self.group = group
        self.behind_ms = 0
        self._log = log
        self._interval_s = interval_ms / 1_000
        self._reader: Reader | None = None
        self._flushed_at = -self._interval_s
        self._unstored: dict[int, int] = {}

    async def bite(self, patient: bool = True) -> Sequence[Record]:
        """The records of the next flush. It is complete when it is large enough, or when what is there has been taken
        and the last one is an interval ago (at once, if not `patient`). Empty when nothing came.
        """
        reader = await self._open()
        records: list[Record] = []
        rows = size = 0
        while rows < FLUSH_ROWS_MAX and size < FLUSH_BYTES_MAX:
            due_s = self._flushed_at + self._interval_s - time.monotonic() if patient else 0
            wait_ms = POLL_MS if not records else max(0, int(due_s * 1_000))
            try:
                fetched = await reader.fetch(wait_ms, FETCH_RECORDS_MAX)
            except LogUnavailable:
                if not records:
                    raise
                break  # the reader has moved past what was taken: it has to be flushed
            records += fetched
            rows += sum(record.value.count(b"\n") + 1 for record in fetched)
            size += sum(len(record.value) for record in fetched)
            if not fetched or (due_s <= 0 and len(fetched) < FETCH_RECORDS_MAX):
                break
        self._flushed_at = time.monotonic() if records else self._flushed_at
        self.behind_ms = max(0, int(time.time() * 1_000) - records[-1].timestamp_ms) if records else 0
        return records

    async def commit(self, positions: Mapping[int, int]) -> None:
        """Store the positions, with those of a commit that failed before. A failure here is only told: the next commit
        says more, and reading again what was not committed changes nothing.
        """
        self._unstored |= positions
        if not self._unstored:
            return
        try:
            await (await self._open()).commit(self._unstored)
            self._unstored = {}
        except LogUnavailable as error:
            _log.warning("positions of %s not stored yet: %s", self.topic, error)

    async def close(self) -> None:
        """Leave the group."""
        if self._reader is not None:
            await self._reader.close()
            self._reader = None

    async def _open(self) -> Reader:
        if self._reader is None:
            self._reader = await self._log.reader(self.topic, self.group)
        return self._reader
