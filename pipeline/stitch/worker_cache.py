"""The worker's own copy of device states on this node's disk; it must not know Kafka.

A cache in the strict sense: everything in it is in `stitch-state` too, and how far that topic has been read is kept in
the same transaction as what was read. Losing the file costs a longer recovery and nothing else.
"""

import fcntl
import sqlite3
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.identity.device import Device
from pipeline.identity.policy import Policy
from pipeline.identity.stitcher import Key
from pipeline.log.file_format import format_of, stamp
from pipeline.privacy.suppression import Suppression
from pipeline.stitch.erased import state_without
from pipeline.stitch.states import SAVE, SCHEMA, DeviceStates, Row, rows

_MARKS = """
CREATE TABLE IF NOT EXISTS changelog_marks (
  partition INTEGER PRIMARY KEY, position INTEGER NOT NULL, version INTEGER NOT NULL
)
"""
_MARK = """
INSERT INTO changelog_marks (partition, position, version) VALUES (?, ?, ?)
ON CONFLICT (partition) DO UPDATE SET position = excluded.position, version = max(version, excluded.version)
"""
_MARKED = "SELECT position, version FROM changelog_marks WHERE partition = ?"
_CLEANSED = "CREATE TABLE IF NOT EXISTS cleansed (erasures INTEGER NOT NULL)"
_SLICE = 1_000  # states looked at with one query
_NEXT = """
SELECT workspace, anonymous_id, state FROM device_states
WHERE (workspace, anonymous_id) > (?, ?) ORDER BY workspace, anonymous_id LIMIT ?
"""
_FILE = "stitch-state.sqlite"
_FORMAT = 1  # of the tables, and of the states in them


class Mark(NamedTuple):
    """How far the cache goes: the next changelog offset to read, and the newest hits version in what was read."""

    position: int = 0
    version: int = 0


class CacheBusy(Exception):
    """Another process works in this folder."""


class StateCache:
    """One folder, one process. Written from any thread, read from the one that folds.

    Raises CacheBusy or NewerFormat when it is opened.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._lock_file = (folder / "lock").open("w")
        try:
            fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._lock_file.close()
            raise CacheBusy(f"{folder} is in use by another stitch worker: give each a folder of its own") from error
        self.folder = folder
        self._path = folder / _FILE
        self._writing = threading.Lock()
        self._writer = self._connect()
        try:
            self._prepare()
        except BaseException:
            self._writer.close()
            self._lock_file.close()
            raise
        self._reader = self._connect()

    def _prepare(self) -> None:
        found = format_of(self._writer, self._path, "a cache of device states", _FORMAT)
        self._writer.execute("PRAGMA journal_mode=WAL")
        self._writer.execute("PRAGMA synchronous=NORMAL")  # never torn; what power loss takes, the changelog has
        for table in (SCHEMA, _MARKS, _CLEANSED):
            self._writer.execute(table)
        if found != _FORMAT:
            stamp(self._writer, _FORMAT)

    def mark(self, partition: int) -> Mark:
        """How far the cache has that partition's changelog."""
        with self._writing:
            row = self._writer.execute(_MARKED, (partition,)).fetchone()
        return Mark(*row) if row else Mark()

    def states(self, policy: Policy, devices_max: int) -> DeviceStates:
        """What a partition folds into: at most `devices_max` devices of it in memory."""
        return DeviceStates(self._reader, policy, devices_max)

    def save(self, states: Sequence[Row], marks: Mapping[int, Mark]) -> None:
        """Replace the rows and move the marks, in one transaction."""
        with self._writing, self._writer:
            self._writer.execute("BEGIN")
            self._writer.executemany(SAVE, states)
            self._writer.executemany(_MARK, [(partition, *mark) for partition, mark in marks.items()])

    def join(self, partition: int, found: Iterable[tuple[Key, Device]], mark: Mark, policy: Policy) -> None:
        """Merge states of the changelog into the rows, never replacing one, and move the mark."""
        merged: dict[Key, Device] = {}
        for key, device in found:
            if key in merged:
                merged[key].join(device)
            else:
                merged[key] = device
        with self._writing:
            known = DeviceStates(self._writer, policy).load(merged)
        for key, device in known.items():
            merged[key].join(device)
        self.save(rows(partition, merged), {partition: mark})

    def cleanse(self, forgotten: Suppression, erasures: int) -> int:
        """Take the forgotten out of every state, once for so many erasures, leaving no bytes behind; how many changed.

        A crash before the end does it again: what was changed is not found any more.
        """
        with self._writing:
            if (self._writer.execute("SELECT max(erasures) FROM cleansed").fetchone()[0] or 0) >= erasures:
                return 0
            changed = self._cleanse(forgotten)
            if changed:
                self._writer.execute("VACUUM")
                self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._writer.execute("INSERT INTO cleansed VALUES (?)", (erasures,))
        return changed

    def _cleanse(self, forgotten: Suppression) -> int:
        changed, last = 0, ("", "")
        while found := self._writer.execute(_NEXT, (*last, _SLICE)).fetchall():
            for workspace, anonymous_id, state in found:
                key = last = (workspace, anonymous_id)
                left = state_without(key, state, forgotten)
                if left is None:
                    self._writer.execute("DELETE FROM device_states WHERE workspace = ? AND anonymous_id = ?", key)
                elif left != state:
                    change = "UPDATE device_states SET state = ? WHERE workspace = ? AND anonymous_id = ?"
                    self._writer.execute(change, (left, *key))
                changed += left != state
        return changed

    def close(self) -> None:
        """Let go of the file and of the folder."""
        self._reader.close()
        self._writer.close()
        self._lock_file.close()

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, timeout=30)
