"""The SQLite file behind the local log: its tables, pragmas and lock; it must not know who appends or reads."""

import fcntl
import os
import sqlite3
import uuid
from pathlib import Path

from pipeline.log.file_format import NewerFormat, format_of, stamp
from pipeline.log.port import LogUnavailable

_FORMAT = 1  # of the tables below, and of the device states that stitch keeps beside them
_BUSY_S = 5.0
# Records are micro-batches of 4 KiB and up: a quarter of the pages, and so of the overflow chain, of SQLite's default.
_PAGE_BYTES = 16_384
# The log is written twice (WAL, then file): rarely and in long runs is cheaper than SQLite's every 1,000 pages.
_WAL_PAGES = 16 * 1024 * 1024 // _PAGE_BYTES

_TABLES = """
CREATE TABLE log (log_id TEXT NOT NULL);
CREATE TABLE topics (topic TEXT PRIMARY KEY, partitions INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE partitions (
  id INTEGER PRIMARY KEY, topic TEXT NOT NULL, partition INTEGER NOT NULL, first_offset INTEGER NOT NULL,
  UNIQUE (topic, partition)
);
CREATE TABLE records (
  partition_id INTEGER NOT NULL, offset INTEGER NOT NULL, timestamp_ms INTEGER NOT NULL, headers TEXT NOT NULL,
  value BLOB NOT NULL,
  PRIMARY KEY (partition_id, offset)
);
CREATE TABLE reader_groups (topic TEXT NOT NULL, reader_group TEXT NOT NULL, PRIMARY KEY (topic, reader_group))
  WITHOUT ROWID;
CREATE TABLE positions (
  topic TEXT NOT NULL, reader_group TEXT NOT NULL, partition INTEGER NOT NULL, position INTEGER NOT NULL,
  PRIMARY KEY (topic, reader_group, partition)
) WITHOUT ROWID;
"""

# What a machine does to a good program; everything else SQLite raises is a fault of the statement.
_MACHINE_ERRORS = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_READONLY,
}


class LogInUse(Exception):
    """Another process (or another LocalLog of this one) has the file open."""


def is_machine_error(error: BaseException) -> bool:
    """Whether the disk or the memory failed, not the statement: such errors pass, and trying again is right."""
    return isinstance(error, sqlite3.Error) and (getattr(error, "sqlite_errorcode", 0) & 0xFF) in _MACHINE_ERRORS


LOG_FILE = "log.db"  # in the folder of the settings


class FileLock:
    """The right to write the log at `path`, held in `path`.lock until `release` or the death of the process."""

    def __init__(self, path: Path) -> None:
        self._file = path.with_name(path.name + ".lock").open("a+")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.seek(0)
            holder = self._file.read().strip() or "unknown"
            self._file.close()
            raise LogInUse(f"{path} is already open, in process {holder}: one process at a time") from None
        self._file.truncate(0)
        self._file.write(f"{os.getpid()}\n")
        self._file.flush()

    def release(self) -> None:
        """Let another process have it."""
        self._file.close()


def in_use(path: Path) -> bool:
    """Whether a process holds the log at `path` now."""
    if not path.parent.is_dir():
        return False
    try:
        FileLock(path).release()
    except LogInUse:
        return True
    return False


def open_writable(path: Path) -> sqlite3.Connection:
    """The connection that writes; makes the file and its tables the first time. Raises LogUnavailable or NewerFormat.

    `synchronous=FULL` syncs the WAL at every commit. `secure_delete` overwrites what is deleted: erasure must leave no
    bytes in free pages. Freed pages are reused; `auto_vacuum` also lets `expire` give the file's tail back after a
    burst, and costs less than the noise of a measurement.
    """
    connection = None
    try:
        connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
        found = format_of(connection, path, "a log", _FORMAT)
        connection.execute(f"PRAGMA page_size={_PAGE_BYTES}")
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA secure_delete=ON")
        connection.execute(f"PRAGMA wal_autocheckpoint={_WAL_PAGES}")
        if found != _FORMAT:
            _create_tables(connection)
    except (sqlite3.Error, NewerFormat) as error:
        if connection is not None:
            connection.close()
        if is_machine_error(error):
            raise LogUnavailable(f"cannot open {path}: {error}") from error
        raise
    return connection


def _create_tables(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    for statement in _TABLES.split(";"):
        connection.execute(statement)
    connection.execute("INSERT INTO log VALUES (?)", (str(uuid.uuid4()),))
    stamp(connection, _FORMAT)
    connection.execute("COMMIT")


def open_readonly(path: Path) -> sqlite3.Connection:
    """A connection that can only read, for any one thread at a time."""
    uri = f"{path.absolute().as_uri()}?mode=ro"
    return sqlite3.connect(uri, uri=True, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
