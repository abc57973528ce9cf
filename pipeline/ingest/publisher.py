"""Hits into records of the log, many at a time, and the word that they are durable; it knows no HTTP.

One writer at a time: requests that come while a batch is being written make up the next one. So order holds within a
partition, and the slower the log, the larger the records.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Sequence

import msgspec

from pipeline.ingest.backlog import Backlog
from pipeline.ingest.counts import Counts
from pipeline.ingest.places import Places
from pipeline.limits import APPEND_DEADLINE_MS, BUFFER_BYTES_MAX, MIB, RECORD_BYTES_MAX
from pipeline.log.port import ALIASES, HITS, Append, Log, LogUnavailable
from pipeline.model import ALIAS_SCHEMA, HIT_SCHEMA, Alias, Hit

OVERLOADED = "overloaded"
CLOSING = "closing"
FAULT = "fault"
FLUSH_BYTES = 2 * MIB  # no need to wait for more
RECORDS_A_SECOND = 1_000  # of one ingest worker: two leave a stitch worker's 2,000 alone

_log = logging.getLogger(__name__)
_encode = msgspec.json.Encoder().encode


class _Batch:
    """What goes out together."""

    def __init__(self, opened_at: float) -> None:
        self.opened_at = opened_at
        self.lines: defaultdict[int, list[bytes]] = defaultdict(list)
        self.aliases: defaultdict[int, list[bytes]] = defaultdict(list)
        self.hits = self.bytes = 0
        self.waiters: list[asyncio.Future[str]] = []

    def settle(self, fate: str) -> None:
        """Tell everyone who waits; whoever has left in the meantime is not told."""
        for waiter in self.waiters:
            if not waiter.done():
                waiter.set_result(fate)


class Publisher:
    """`publish` is the whole of it, between `start` and `stop`."""

    def __init__(
        self,
        log: Log,
        backlog: Backlog,
        counts: Counts,
        linger_ms: tuple[int, int],
        deadline_ms: int = APPEND_DEADLINE_MS,
    ) -> None:
        self._log, self._backlog, self._counts = log, backlog, counts
        self._places = Places(log)
        self._linger_ms, self._deadline_s = linger_ms, deadline_ms / 1_000
        self._linger_s = linger_ms[0] / 1_000
        self._batch: _Batch | None = None
        self._bytes_out = 0  # being written
        self._arrived, self._enough = asyncio.Event(), asyncio.Event()
        self._closing = False
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin; while the log is away everything goes to the backlog."""
        await self._places.learn()
        self._task = asyncio.create_task(self._write_for_ever(), name="publisher")

    async def stop(self) -> None:
        """Write what is waiting, then end. New hits are refused from here on."""
        self._closing = True
        self._arrived.set()
        self._enough.set()
        if self._task is not None:
            await self._task

    @property
    def reached(self) -> bool:
        """Whether the log has answered since the start."""
        return self._places.known

    @property
    def waiting_bytes(self) -> int:
        """Hits in memory that are not durable yet."""
        return self._bytes_out + (self._batch.bytes if self._batch else 0)

    async def publish(self, hits: Sequence[Hit], aliases: Sequence[Alias] = ()) -> str:
        """ "" once all of them are durable; else why they may not be: retrying is safe."""
        if self._closing or self._task is None:
            return CLOSING
        if self.waiting_bytes > BUFFER_BYTES_MAX:
            return OVERLOADED
        loop = asyncio.get_running_loop()
        if (batch := self._batch) is None:
            batch = self._batch = _Batch(loop.time())
            self._arrived.set()
        for hit in hits:
            line = _encode(hit)
            batch.lines[self._places.of_hit(hit.workspace, hit.device)].append(line)
            batch.bytes += len(line) + 1
        batch.hits += len(hits)
        for alias in aliases:
            line = _encode(alias)
            batch.aliases[self._places.of_alias(alias.workspace)].append(line)
            batch.bytes += len(line) + 1
        if batch.bytes >= FLUSH_BYTES:
            self._enough.set()
        waiter: asyncio.Future[str] = loop.create_future()
        batch.waiters.append(waiter)
        return await waiter

    async def _write_for_ever(self) -> None:
        while True:
            await self._arrived.wait()
            batch = self._batch
            if batch is None:
                return  # closing, and nothing is left
            await self._linger(batch)
            self._batch = None
            self._enough.clear()
            if not self._closing:
                self._arrived.clear()
            records = _records(batch)
            self._adapt(len(records))
            self._bytes_out = batch.bytes
            batch.settle(await self._fate(records))
            self._bytes_out = 0
            self._counts.batch_hits.observe(batch.hits)
            self._counts.publish_seconds.observe(asyncio.get_running_loop().time() - batch.opened_at)

    async def _fate(self, records: list[Append]) -> str:
        """What the waiters are told. Whatever breaks here, they are told something, and the next batch is written."""
        try:
            return await self._store(records)
        except Exception as error:
            self._counts.events["publisher_faults"] += 1
            _log.exception("publisher: %s", type(error).__name__)
            return FAULT

    async def _linger(self, batch: _Batch) -> None:
        """Wait for company, counted from the first of the batch."""
        rest_s = batch.opened_at + self._linger_s - asyncio.get_running_loop().time()
        if rest_s > 0 and not self._closing:
            try:
                async with asyncio.timeout(rest_s):
                    await self._enough.wait()
            except TimeoutError:
                return

    def _adapt(self, records: int) -> None:
        """The more partitions a batch touches, the longer the next one waits: records a second stay bounded."""
        low, high = self._linger_ms
        self._linger_s = min(high, max(low, records * 1_000 / RECORDS_A_SECOND)) / 1_000

    async def _store(self, records: list[Append]) -> str:
        """Into the log, or behind what already waits for it on disk."""
        if self._places.known and self._backlog.empty and await self._append(records):
            return ""
        return await self._backlog.put(records)

    async def write(self, records: Sequence[Append]) -> bool:
        """What waited in the backlog, to where it belongs by now. False: try again."""
        return await self._places.learn() and await self._append(self._places.again(records))

    async def _append(self, records: Sequence[Append]) -> bool:
        """Whether the log has said that it has them. False means unknown: writing them again is safe."""
        append = asyncio.ensure_future(self._log.append(records))
        done, _ = await asyncio.wait({append}, timeout=self._deadline_s)
        if not done:
            append.cancel()
            self._counts.events["log_timeouts"] += 1
            return False
        error = append.exception()
        if error is None:
            self._counts.events["log_records"] += len(records)
            return True
        self._counts.events["log_errors"] += 1
        if not isinstance(error, LogUnavailable):
            _log.error("log: %s while appending", type(error).__name__)
        return False


def _records(batch: _Batch) -> list[Append]:
    """One record a partition, more where one would be too large."""
    hits = [_packed(HITS, HIT_SCHEMA, partition, lines) for partition, lines in batch.lines.items()]
    aliases = [_packed(ALIASES, ALIAS_SCHEMA, partition, lines) for partition, lines in batch.aliases.items()]
    return [record for records in (*hits, *aliases) for record in records]


def _packed(topic: str, schema: str, partition: int, lines: list[bytes]) -> list[Append]:
    records: list[Append] = []
    start = size = 0
    for end, line in enumerate([*lines, b""]):
        if size and (end == len(lines) or size + len(line) > RECORD_BYTES_MAX):
            count = str(end - start)
            records.append(Append(topic, partition, b"\n".join(lines[start:end]), {"schema": schema, "count": count}))
            start, size = end, 0
        size += len(line) + 1
    return records
