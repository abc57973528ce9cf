"""Records on this node's disk while the log is away: one SQLite file, every write fsynced; it knows no log.

Used from one thread at a time. A torn write is undone by SQLite; a damaged record is skipped, counted and kept aside;
a damaged file is moved aside whole, and what can still be read of it goes into a new one.
"""

import json
import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from pipeline.log.file_format import UNSTAMPED, NewerFormat, format_of, stamp
from pipeline.log.port import Append
from pipeline.times import ms_of

_SCHEMA = """
CREATE TABLE IF NOT EXISTS records (
  id INTEGER PRIMARY KEY, topic TEXT NOT NULL, partition INTEGER NOT NULL,
  headers TEXT NOT NULL, value BLOB NOT NULL, crc INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS damaged (id INTEGER PRIMARY KEY, topic, partition, headers, value, crc);
"""
_COLUMNS = "id, topic, partition, headers, value, crc"
Row = tuple[int, str, int, str, bytes, int]
_FILE = "spool.sqlite3"
_FORMAT = 1
_ROW_OVERHEAD = 128  # keys, headers and pages of a record, roughly


class _Arrived(Struct):
    received_at: str


_arrival = msgspec.json.Decoder(_Arrived).decode


def spool_file(folder: Path) -> Path:
    """Where the spool of a folder is."""
    return folder / _FILE


class SpoolLocked(Exception):
    """Another process has this spool."""


class Chunk(Struct, frozen=True):
    """The oldest part of the queue, up to row `last`: its sound records, and how much it is with the damaged ones."""

    last: int
    rows: int
    bytes: int
    records: list[Append]


class Spool:
    """A queue of records on disk, oldest first. Raises SpoolLocked, NewerFormat, or sqlite3.Error when it is opened.

    `count` and `bytes` are what waits, and `oldest_ms` when the first of it arrived (epoch; 0: nothing waits, or the
    record does not say); `damaged` is how many records could not be read since this was opened.
    """

    def __init__(self, folder: Path, bytes_max: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.bytes_max = bytes_max
        self.damaged = 0
        self._path = spool_file(folder)
        self._db = self._open()
        self.count, self.bytes, self.oldest_ms = self._measure()

    def put(self, records: Sequence[Append]) -> bool:
        """Whether all of them are on disk, fsynced; False if there is no room under the bound: then none is.

        Raises sqlite3.Error when the disk refuses; then none is either.
        """
        size = sum(len(record.value) + _ROW_OVERHEAD for record in records)
        if self.bytes + size > self.bytes_max:
            return False
        rows = [_row(record) for record in records]
        with _transaction(self._db):
            self._db.executemany(
                "INSERT INTO records (topic, partition, headers, value, crc) VALUES (?, ?, ?, ?, ?)", rows
            )
        if not self.count and records:
            self.oldest_ms = _arrived_ms(records[0].value)
        self.count += len(records)
        self.bytes += size
        return True

    def oldest(self, bytes_max: int, rows_max: int = 1_000) -> Chunk:
        """The oldest records: at least one if there is any, otherwise within the bounds. Damaged ones are set aside."""
        last = size = 0
        rows, bad = 0, list[int]()
        records: list[Append] = []
        with closing(self._db.execute(f"SELECT {_COLUMNS} FROM records ORDER BY id LIMIT {rows_max:d}")) as cursor:  # noqa: S608
            for row in cursor:
                length = len(row[4]) + _ROW_OVERHEAD
                if rows and size + length > bytes_max:
                    break
                last, rows, size = row[0], rows + 1, size + length
                record = _record(row)
                if record is None:
                    bad.append(row[0])
                else:
                    records.append(record)
        self._set_aside(bad)
        return Chunk(last, rows, size, records)

    def drop(self, chunk: Chunk) -> None:
        """Forget this part of the queue. An empty spool gives its space back."""
        with _transaction(self._db):
            self._db.execute("DELETE FROM records WHERE id <= ?", (chunk.last,))
        self.count -= chunk.rows
        self.bytes -= chunk.bytes
        self.oldest_ms = self._oldest_ms()
        if not self.count:
            self._db.execute("VACUUM")
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def rebuild(self) -> None:
        """Move the file aside and keep what can be read of it."""
        self._db.close()
        self._db = self._salvage()
        self.count, self.bytes, self.oldest_ms = self._measure()

    def close(self) -> None:
        """Let go of the file and its lock."""
        self._db.close()

    def _measure(self) -> tuple[int, int, int]:
        count, size = self._db.execute("SELECT count(*), coalesce(sum(length(value)), 0) FROM records").fetchone()
        return count, size + count * _ROW_OVERHEAD, self._oldest_ms()

    def _oldest_ms(self) -> int:
        row = self._db.execute("SELECT value FROM records ORDER BY id LIMIT 1").fetchone()
        return _arrived_ms(row[0]) if row else 0

    def _set_aside(self, ids: Sequence[int]) -> None:
        """Copied for people to look at; the rows themselves go with their chunk."""
        if not ids:
            return
        copy = f"INSERT OR REPLACE INTO damaged SELECT {_COLUMNS} FROM records WHERE id = ?"  # noqa: S608
        with _transaction(self._db):
            self._db.executemany(copy, [(row_id,) for row_id in ids])
        self.damaged += len(ids)

    def _open(self) -> sqlite3.Connection:
        try:
            db = _connect(self._path)
            if db.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok":
                return db
            db.close()
        except sqlite3.OperationalError:
            raise  # no room, no permission: the file is as good as it was
        except sqlite3.DatabaseError:
            return self._salvage()
        return self._salvage()

    def _salvage(self) -> sqlite3.Connection:
        aside = _free_name(self._path)
        for suffix in ("", "-wal", "-shm"):
            part = self._path.with_name(self._path.name + suffix)
            if part.exists():
                part.rename(aside.with_name(aside.name + suffix))
        db = _connect(self._path)
        for row in _readable(aside):
            if row is None or _record(row) is None:
                self.damaged += 1
                continue
            with _transaction(db):
                db.execute(f"INSERT INTO records ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)", row)  # noqa: S608
        self.damaged += 1
        return db


@contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    """BEGIN IMMEDIATE … COMMIT, or ROLLBACK when anything raises, COMMIT included."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")


def _connect(path: Path) -> sqlite3.Connection:
    """Open for this process alone. `synchronous=FULL` fsyncs the WAL at every commit."""
    db = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA locking_mode=EXCLUSIVE")
        found = format_of(db, path, "a spool", _FORMAT)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON"):
            db.execute(f"PRAGMA {pragma}")
        db.executescript(_SCHEMA)
        with _transaction(db):
            pass
        if found == UNSTAMPED:
            with suppress(sqlite3.OperationalError), _transaction(db):  # the disk is full: the next start says it
                stamp(db, _FORMAT)
    except (sqlite3.DatabaseError, NewerFormat) as error:
        db.close()
        if getattr(error, "sqlite_errorname", "") == "SQLITE_BUSY":
            raise SpoolLocked(f"{path} is in use by another process") from None
        raise
    return db


def _record(row: Row) -> Append | None:
    """The record as it was put, or None if it is not."""
    _, topic, partition, headers, value, crc = row
    try:
        return (
            Append(topic, partition, value, json.loads(headers))
            if _crc(topic, partition, headers, value) == crc
            else None
        )
    except (TypeError, ValueError):
        return None


def _arrived_ms(value: bytes) -> int:
    """When the first line of a record came to ingest; 0 where that cannot be read."""
    try:
        return ms_of(_arrival(value.partition(b"\n")[0]).received_at)
    except (msgspec.MsgspecError, ValueError, TypeError):
        return 0


def _row(record: Append) -> tuple[str, int, str, bytes, int]:
    headers = json.dumps(dict(record.headers))
    return (
        record.topic,
        record.partition,
        headers,
        record.value,
        _crc(record.topic, record.partition, headers, record.value),
    )


def _crc(topic: str, partition: int, headers: str, value: bytes) -> int:
    return zlib.crc32(value, zlib.crc32(f"{topic}|{partition}|{headers}".encode()))


def _readable(path: Path) -> Iterator[Row | None]:
    """The rows of a damaged file, asked for one by one: None for one that SQLite cannot read."""
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as db:
        try:
            # Each alone follows one edge of the tree; both in one query would read all of it, damage included.
            first, last = (db.execute(f"SELECT {edge}(id) FROM records").fetchone()[0] for edge in ("min", "max"))  # noqa: S608
        except sqlite3.DatabaseError:
            return
        for row_id in range(first or 1, (last or 0) + 1):
            try:
                row = db.execute(f"SELECT {_COLUMNS} FROM records WHERE id = ?", (row_id,)).fetchone()  # noqa: S608
            except sqlite3.DatabaseError:
                yield None
            else:
                if row is not None:
                    yield row


def _free_name(path: Path) -> Path:
    number = 1
    while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    return aside
