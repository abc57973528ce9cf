"""The event log in one SQLite file, for one process; it must not know what its records mean."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from pipeline.log.local_commits import Commits
from pipeline.log.local_expiry import checkpointed, expire_slice, give_back
from pipeline.log.local_reader import Appended, LocalGroup, LocalReader
from pipeline.log.local_reads import Reads
from pipeline.log.local_rewrite import Rule, rewrite_slice
from pipeline.log.local_store import FileLock, LogInUse, open_writable
from pipeline.log.local_writer import LocalWriter
from pipeline.log.port import Append, LogUnavailable, Record

__all__ = ["LocalLog", "LocalWriter", "LogInUse"]

T = TypeVar("T")
_READ_RECORDS = 500
_SCRUB_TRIES, _SCRUB_PAUSE_S = 100, 0.1


class LocalLog:
    """`Log` on the file at `path`, made with its folder if missing. Use it from one event loop.

    `partitions` is for topics made from now on: a topic is made when first named, and its number never changes.
    Raises LogInUse when the file is open already, LogUnavailable when the disk fails.
    """

    def __init__(self, path: Path | str, partitions: int = 1) -> None:
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(path)
        try:
            connection = open_writable(path)
        except BaseException:
            self._lock.release()
            raise
        writer = LocalWriter(connection, partitions)
        self._appended = Appended(writer.load())
        self._log_id = str(connection.execute("SELECT log_id FROM log").fetchone()[0])
        self._reads = Reads(path)
        self._groups: dict[tuple[str, str], LocalGroup] = {}
        self._commits = Commits(connection, writer, self._appended.update)

    @property
    def log_id(self) -> str:
        """A random UUID made with the file: another one means that offsets start anew."""
        return self._log_id

    async def partitions(self, topic: str) -> int:
        """How many partitions the topic has; makes it if it is new."""
        known = len(self._appended.ends(topic))
        return known or await self._commits.submit(lambda writer: writer.partitions(topic))

    async def append(self, records: Sequence[Append]) -> Sequence[int]:
        """Their offsets, once the records are synced to disk. Raises LogUnavailable, or ValueError storing none."""
        if not records:
            return []
        return await self._commits.submit(lambda writer: writer.append_all(records), "append")

    async def write(self, work: Callable[[LocalWriter], T]) -> T:
        """Run `work` on the writing thread in one transaction: all of it durable when this returns, or none of it.

        An exception of `work` undoes what it did and is raised here. It must not keep the LocalWriter.
        """
        return await self._commits.submit(work)

    async def reader(self, topic: str, group: str) -> LocalReader:
        """Join `group` on `topic`; a new group starts at the oldest record. Nothing it has not read will expire."""
        if (topic, group) not in self._groups:
            self._groups[topic, group] = LocalGroup(topic, group, self._reads, self._commits)
        await self._groups[topic, group].join()
        return LocalReader(self._groups[topic, group], self._reads, self._appended)

    async def read(self, topic: str, partition: int, start: int, stop: int) -> AsyncIterator[Record]:
        """Records with start <= offset < stop that are there now, oldest first, outside of any group."""
        stop = min(stop, self._appended.ends(topic).get(partition, 0))
        while start < stop:
            records = await self._reads.records(topic, [(partition, start, stop)], _READ_RECORDS)
            for record in records:
                yield record
            start = records[-1].offset + 1 if records else stop

    async def span(self, topic: str) -> Mapping[int, tuple[int, int]]:
        """Per partition: the oldest offset still kept, and the offset the next record will get."""
        await self.partitions(topic)
        return await self._reads.span(topic)

    async def committed(self, topic: str, group: str) -> Mapping[int, int]:
        """Per partition: the group's stored position; a partition without one is absent."""
        return await self._reads.committed(topic, group)

    async def expire(self, topic: str, before_ms: int) -> int:
        """Remove the oldest records stored before `before_ms` (epoch) that every group of the topic has read; how many.

        In short transactions, so that appends go on. Offsets never restart. Freed pages are overwritten.
        """
        removed = 0
        for partition in range(await self.partitions(topic)):
            work = partial(expire_slice, topic=topic, partition=partition, before_ms=before_ms)
            while count := await self.write(work):
                removed += count
        while await self._commits.alone(give_back):
            pass
        return removed

    async def rewrite(self, rule: Rule) -> int:
        """Change records where they stand, in short transactions; how many. No reader may be at work on them.

        When this returns, what was taken out is in no page of the file and in no write-ahead log.
        """
        after = changed = 0
        while True:
            after, seen, now_changed = await self.write(partial(rewrite_slice, after=after, rule=rule))
            changed += now_changed
            if not seen:
                break
        await self.scrub()
        return changed

    async def scrub(self) -> None:
        """Empty the write-ahead log, which still has the bytes of what was deleted. Raises LogUnavailable."""
        for _ in range(_SCRUB_TRIES):
            if await self._commits.alone(checkpointed):
                return
            await asyncio.sleep(_SCRUB_PAUSE_S)
        raise LogUnavailable("the log's write-ahead file could not be emptied: a reader is at work")

    async def drop_group(self, topic: str, group: str) -> None:
        """Forget a group and its positions: one that never comes back would keep every record for ever."""

        def work(writer: LocalWriter) -> None:
            for table in ("positions", "reader_groups"):
                writer.execute(f"DELETE FROM {table} WHERE topic = ? AND reader_group = ?", (topic, group))  # noqa: S608

        await self.write(work)

    def connect(self) -> sqlite3.Connection:
        """A read-only connection to the file, for one thread at a time: for what `write` keeps beside the records."""
        return self._reads.connect()

    async def close(self) -> None:
        """Finish what was submitted and let go of the file; waiting readers return."""
        self._appended.close()
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._reads.close()
        self._commits.close()
        self._lock.release()
