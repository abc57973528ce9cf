"""Reads of the local log on threads of their own, beside the one that writes; it must not know who wants them."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import orjson

from pipeline.log.local_store import is_machine_error, open_readonly
from pipeline.log.port import LogUnavailable, Record

T = TypeVar("T")
_THREADS = 2  # the stitcher and the sink read at once; more would only wait for the interpreter
_BYTES_MAX = 16 * 1024 * 1024  # one read: what a reader holds in memory, whatever the size of the records

_SPAN = """
SELECT partition, first_offset, coalesce((SELECT max(offset) + 1 FROM records WHERE partition_id = id), first_offset)
FROM partitions WHERE topic = ?
"""
_RECORDS = """
SELECT offset, value, headers, timestamp_ms FROM records
WHERE partition_id = (SELECT id FROM partitions WHERE topic = ? AND partition = ?) AND offset >= ? AND offset < ?
ORDER BY offset LIMIT ?
"""
_COMMITTED = "SELECT partition, position FROM positions WHERE topic = ? AND reader_group = ?"

Range = tuple[int, int, int]  # partition, start, stop


class Reads:
    """Read-only connections, one a thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="local-log-reader")
        self._mine = threading.local()
        self._connections: list[sqlite3.Connection] = []

    def connect(self) -> sqlite3.Connection:
        """A connection more, for one thread at a time; `close` closes it."""
        connection = open_readonly(self._path)
        self._connections.append(connection)
        return connection

    async def span(self, topic: str) -> Mapping[int, tuple[int, int]]:
        """Per partition: the oldest offset kept, and the next to be given."""
        rows = await self._on_thread(lambda file: file.execute(_SPAN, (topic,)).fetchall())
        return {partition: (oldest, end) for partition, oldest, end in rows}

    async def committed(self, topic: str, group: str) -> Mapping[int, int]:
        """Per partition: the group's position."""
        return dict(await self._on_thread(lambda file: file.execute(_COMMITTED, (topic, group)).fetchall()))

    async def records(self, topic: str, ranges: Sequence[Range], records_max: int) -> list[Record]:
        """Records of the ranges, one range after the other, until `records_max` or 16 MiB; at least one, if any."""
        return await self._on_thread(lambda file: _records(file, topic, ranges, records_max))

    async def _on_thread(self, read: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._with_connection, read)
        except sqlite3.Error as error:
            if is_machine_error(error):
                raise LogUnavailable(f"the log file could not be read: {error}") from error
            raise
        except RuntimeError as error:
            raise LogUnavailable(f"the log is closed: {error}") from error

    def _with_connection(self, read: Callable[[sqlite3.Connection], T]) -> T:
        if not hasattr(self._mine, "connection"):
            self._mine.connection = self.connect()
        return read(self._mine.connection)

    def close(self) -> None:
        """Wait for what is being read and let go of the file."""
        self._threads.shutdown(wait=True)
        for connection in self._connections:
            connection.close()


def _records(file: sqlite3.Connection, topic: str, ranges: Sequence[Range], records_max: int) -> list[Record]:
    found: list[Record] = []
    room = _BYTES_MAX
    for partition, start, stop in ranges:
        rows = file.execute(_RECORDS, (topic, partition, start, stop, records_max - len(found)))
        for offset, value, headers, timestamp_ms in rows:
            found.append(Record(topic, partition, offset, value, orjson.loads(headers), timestamp_ms))
            room -= len(value)
            if len(found) >= records_max or room <= 0:
                rows.close()  # an unfinished statement would hold its snapshot, and the WAL could not be emptied
                return found
    return found
