"""What one transaction of the local log may do: append, commit positions, run SQL; it must not know about threads."""

import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import orjson

from pipeline.limits import APPEND_BYTES_MAX
from pipeline.log.port import Append

T = TypeVar("T")
Place = tuple[str, int]  # topic, partition

# Rows a statement: every call into SQLite gives the interpreter away and waits to get it back, from a busy event loop
# up to 5 ms. A few calls a group instead of one a record keep a commit short whatever else the process does.
_CHUNKS = (256, 64, 16, 4, 1)
_INSERT = "INSERT INTO records (partition_id, offset, timestamp_ms, headers, value) VALUES "
# An end needs no place of its own: it follows the last record, or where expiry left off when none is left.
_ENDS = """
SELECT id, partition, coalesce((SELECT max(offset) + 1 FROM records WHERE partition_id = id), first_offset)
FROM partitions WHERE topic = ?
"""
_INSERTS = {rows: _INSERT + ",".join(["(?,?,?,?,?)"] * rows) for rows in _CHUNKS}


class LocalWriter:
    """One transaction at a time on the writing connection. What `LocalLog.write` hands to its callable.

    Offsets are counted in memory; `load` reads them back after a transaction failed.
    """

    def __init__(self, connection: sqlite3.Connection, partitions_default: int) -> None:
        self._connection = connection
        self._partitions_default = partitions_default
        self._partitions: dict[str, int] = {}
        self._ids: dict[Place, int] = {}
        self._ends: dict[Place, int] = {}
        self._rows: list[tuple[int, int, int, str, bytes]] = []
        self._moved: set[Place] = set()
        self.bytes = 0  # appended since `begin`: what bounds a transaction

    def append(self, topic: str, partition: int, value: bytes, headers: Mapping[str, str]) -> int:
        """The record's offset, which holds if the transaction does. Raises ValueError for a wrong partition or size."""
        return self.append_all([Append(topic, partition, value, headers)])[0]

    def append_all(self, records: Sequence[Append]) -> list[int]:
        """All of them or, raising ValueError or TypeError, none."""
        for record in records:
            self._check(record.topic, record.partition, record.value)
        headers = [orjson.dumps(dict(record.headers)).decode() for record in records]
        return [self._put(record, text) for record, text in zip(records, headers, strict=True)]

    def _put(self, record: Append, headers: str) -> int:
        place = (record.topic, record.partition)
        offset = self._ends[place]
        self._rows.append((self._ids[place], offset, int(time.time() * 1000), headers, record.value))
        self._ends[place] = offset + 1
        self._moved.add(place)
        self.bytes += len(record.value)
        return offset

    def _check(self, topic: str, partition: int, value: bytes) -> None:
        partitions = self.partitions(topic)
        if not 0 <= partition < partitions:
            raise ValueError(f"{topic} has partitions 0 to {partitions - 1}, not {partition}")
        if len(value) > APPEND_BYTES_MAX:
            raise ValueError(f"a record of {len(value)} bytes; at most {APPEND_BYTES_MAX} are taken")

    def partitions(self, topic: str) -> int:
        """How many partitions the topic has; a topic not seen before is made with the default number."""
        if topic not in self._partitions:
            self.execute("INSERT INTO topics VALUES (?, ?)", (topic, self._partitions_default))
            for partition in range(self._partitions_default):
                self.execute(
                    "INSERT INTO partitions (topic, partition, first_offset) VALUES (?, ?, 0)", (topic, partition)
                )
            self._read_topic(topic, self._partitions_default)
        return self._partitions[topic]

    def commit(self, topic: str, group: str, positions: Mapping[int, int]) -> None:
        """Store, per partition, the offset of the next record that `group` is to read."""
        self.join(topic, group)
        rows = [(topic, group, partition, position) for partition, position in positions.items()]
        self.executemany("INSERT OR REPLACE INTO positions VALUES (?, ?, ?, ?)", rows)

    def join(self, topic: str, group: str) -> None:
        """Make the group known, so that nothing it has not read is expired."""
        self.execute("INSERT OR IGNORE INTO reader_groups VALUES (?, ?)", (topic, group))

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one statement in the transaction, after what was appended so far; its rows."""
        self._flush()
        return self._connection.execute(sql, parameters).fetchall()

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """The same statement for every row."""
        self._flush()
        self._connection.executemany(sql, rows)

    def _flush(self) -> None:
        rows, self._rows = self._rows, []
        start = 0
        for chunk in _CHUNKS:
            while len(rows) - start >= chunk:
                fields = [field for row in rows[start : start + chunk] for field in row]
                self._connection.execute(_INSERTS[chunk], fields)
                start += chunk

    # --- for the thread that owns the transaction ------------------------------------------------------------------

    def load(self) -> dict[Place, int]:
        """Topics and ends as the file has them; the ends."""
        self._rows, self._moved = [], set()
        self._partitions, self._ids, self._ends = {}, {}, {}
        for topic, partitions in self._connection.execute("SELECT topic, partitions FROM topics").fetchall():
            self._read_topic(topic, partitions)
        return dict(self._ends)

    def _read_topic(self, topic: str, partitions: int) -> None:
        self._partitions[topic] = partitions
        for place_id, partition, end in self._connection.execute(_ENDS, (topic,)).fetchall():
            self._ids[topic, partition] = place_id
            self._ends[topic, partition] = end
            self._moved.add((topic, partition))

    def begin(self) -> None:
        """Open a transaction."""
        self.bytes = 0
        self._moved = set()
        self._connection.execute("BEGIN IMMEDIATE")

    def attempt(self, work: Callable[["LocalWriter"], T]) -> T:
        """Run `work`; if it raises, undo what it did and nothing else of the transaction, and raise on."""
        self._flush()
        before = (dict(self._partitions), dict(self._ids), dict(self._ends), set(self._moved))
        self._connection.execute("SAVEPOINT work")
        try:
            result = work(self)
            self._flush()
        except BaseException:
            self._rows = []
            self._partitions, self._ids, self._ends, self._moved = before
            if self._connection.in_transaction:  # a full disk may have ended it already
                self._connection.execute("ROLLBACK TO work")
                self._connection.execute("RELEASE work")
            raise
        self._connection.execute("RELEASE work")
        return result

    def finish(self) -> dict[Place, int]:
        """Commit and sync; the ends that moved."""
        self._flush()
        self._connection.execute("COMMIT")
        return {place: self._ends[place] for place in self._moved}

    def abandon(self) -> None:
        """Undo the transaction; `load` before the next one: SQLite may have kept it and failed only afterwards."""
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
