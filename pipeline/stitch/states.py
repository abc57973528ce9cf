"""Device states on this node's disk, a bounded number of them in memory; it must not know what a state means.

SQLite on both sides: embedded, the table stands in the log's own file and is written in the checkpoint's transaction;
on Kafka it is a cache beside the changelog `stitch-state`, which a restart reads only from where the cache ends.
"""

import sqlite3
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pipeline.identity.device import Device, decode, encode, renamed
from pipeline.identity.policy import Policy
from pipeline.identity.stitcher import Key

SCHEMA = """
CREATE TABLE IF NOT EXISTS device_states (
  workspace TEXT NOT NULL, anonymous_id TEXT NOT NULL, partition INTEGER NOT NULL, state BLOB NOT NULL,
  PRIMARY KEY (workspace, anonymous_id)
) WITHOUT ROWID
"""
SAVE = "INSERT OR REPLACE INTO device_states (workspace, anonymous_id, partition, state) VALUES (?, ?, ?, ?)"
# A join, because SQLite answers `(a, b) IN (VALUES …)` by reading the whole table.
_LOAD = """
WITH wanted (w, a) AS (VALUES {}) SELECT workspace, anonymous_id, state
FROM wanted CROSS JOIN device_states ON workspace = w AND anonymous_id = a
"""
_KEYS_PER_QUERY = 400  # two parameters each; SQLite's oldest default allows 999

Row = tuple[str, str, int, bytes]


class DeviceStates:
    """Read through a connection of its own; what is written comes back by `keep` before the next read."""

    def __init__(self, reader: sqlite3.Connection, policy: Policy, devices_max: int = 50_000) -> None:
        self._reader = reader
        self._policy = policy
        self._devices_max = devices_max
        self._recent: OrderedDict[Key, Device | None] = OrderedDict()

    def load(self, keys: Iterable[Key]) -> dict[Key, Device]:
        """The states of those devices that have one. The caller may change them, and then must `keep` or `forget`."""
        wanted = set(keys)
        missing = [key for key in wanted if key not in self._recent]
        for start in range(0, len(missing), _KEYS_PER_QUERY):
            self._read(missing[start : start + _KEYS_PER_QUERY])
        found = {}
        for key in wanted:
            self._recent.move_to_end(key)
            device = self._recent[key]
            if device is not None:
                found[key] = device
        self._bound()
        return found

    def keep(self, devices: Mapping[Key, Device]) -> None:
        """Remember states that are now on disk."""
        for key, device in devices.items():
            self._recent[key] = device
            self._recent.move_to_end(key)
        self._bound()

    def forget(self) -> None:
        """Drop everything in memory: what was changed but not written is undone."""
        self._recent.clear()

    def _read(self, keys: list[Key]) -> None:
        self._recent.update(dict.fromkeys(keys))
        marks = ",".join(["(?,?)"] * len(keys))
        texts = [text for key in keys for text in key]
        for workspace, anonymous_id, state in self._reader.execute(_LOAD.format(marks), texts):
            self._recent[workspace, anonymous_id] = decode(state, self._policy)

    def _bound(self) -> None:
        while len(self._recent) > self._devices_max:
            self._recent.popitem(last=False)


def rows(partition: int, devices: Mapping[Key, Device]) -> list[Row]:
    """What `SAVE` takes."""
    return [
        (workspace, anonymous_id, partition, encode(device)) for (workspace, anonymous_id), device in devices.items()
    ]


def erase(
    execute: Callable[[str, Sequence[object]], list[tuple[Any, ...]]],
    whole: Iterable[Key],
    names: Mapping[Key, Mapping[str, str]],
) -> int:
    """Delete the states of the devices in `whole`, and call users of the others as `names` says; how many changed."""
    changed = 0
    for key in whole:
        changed += len(execute("DELETE FROM device_states WHERE workspace = ? AND anonymous_id = ? RETURNING 1", key))
    for key, called in names.items():
        found = execute("SELECT state FROM device_states WHERE workspace = ? AND anonymous_id = ?", key)
        for (state,) in found:
            new = renamed(state, called)
            execute("UPDATE device_states SET state = ? WHERE workspace = ? AND anonymous_id = ?", (new, *key))
            changed += new != state
    return changed
