"""The worker's own copy of device states on this node's disk; it must not know Kafka.

A cache in the strict sense: everything in it is in `stitch-state` too, and how far that topic has been read is kept in
the same transaction as what was read. Losing the file costs a longer recovery and nothing else.
"""

import fcntl
import sqlite3
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pipeline.identity.device import Device
from pipeline.identity.policy import Policy
from pipeline.identity.stitcher import Key
from pipeline.stitch.states import SAVE, SCHEMA, DeviceStates, Row, rows

_POSITIONS = """
CREATE TABLE IF NOT EXISTS changelog_positions (partition INTEGER PRIMARY KEY, position INTEGER NOT NULL)
"""
_MOVE = "INSERT OR REPLACE INTO changelog_positions (partition, position) VALUES (?, ?)"
_POSITION = "SELECT position FROM changelog_positions WHERE partition = ?"
_FILE = "stitch-state.sqlite"


class CacheBusy(Exception):
    """Another process works in this folder."""


class StateCache:
    """One folder, one process. Written from any thread, read from the one that folds."""

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
        self._writer.execute("PRAGMA journal_mode=WAL")
        self._writer.execute("PRAGMA synchronous=NORMAL")  # never torn; what power loss takes, the changelog has
        self._writer.execute(SCHEMA)
        self._writer.execute(_POSITIONS)
        self._reader = self._connect()

    def position(self, partition: int) -> int | None:
        """The next changelog offset to read; None when nothing of that partition was ever read."""
        with self._writing:
            row = self._writer.execute(_POSITION, (partition,)).fetchone()
        return None if row is None else int(row[0])

    def states(self, policy: Policy, devices_max: int) -> DeviceStates:
        """What a partition folds into: at most `devices_max` devices of it in memory."""
        return DeviceStates(self._reader, policy, devices_max)

    def save(self, states: Sequence[Row], positions: Mapping[int, int]) -> None:
        """Replace the rows and move the positions, in one transaction."""
        with self._writing, self._writer:
            self._writer.execute("BEGIN")
            self._writer.executemany(SAVE, states)
            self._writer.executemany(_MOVE, list(positions.items()))

    def join(self, partition: int, found: Iterable[tuple[Key, Device]], position: int, policy: Policy) -> None:
        """Merge states of the changelog into the rows, never replacing one, and move the position."""
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
        self.save(rows(partition, merged), {partition: position})

    def close(self) -> None:
        """Let go of the file and of the folder."""
        self._reader.close()
        self._writer.close()
        self._lock_file.close()

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, timeout=30)
