"""Statements about persons to who everybody is; it must not know how a component is found.

One flush of `aliases`, in this order; a crash at any point reads the statements since the last commit again, and what
comes out depends on the whole set of them, so nothing is lost and nothing is doubled:

1. statements are staged, and with that kept in `alias_statements` (again: the same keys);
2. everything said about everybody they connect is read, and worked out (again: the same, or newer);
3. all of these users are written to `person_merges` (again: the same rows, by the same version);
4. the dictionaries are loaded anew: from here on every report says so (again: nothing changes).

Only then are positions committed. Who writes late, having lost the partition, knew fewer statements: a lower version.
"""

import time
from collections.abc import Callable, Sequence

import msgspec

from pipeline.identity.merges import by_workspace, merges
from pipeline.limits import CONNECTED_USERS_MAX
from pipeline.model import Alias, Merge
from pipeline.warehouse.client import DICTIONARIES
from pipeline.warehouse.port import Store

_REST = 2  # at most a third of the time is spent loading the dictionary
_ROWS = 50_000


class Merges:
    """Steps 2 to 4. `written` and `refused` count rows since the start."""

    def __init__(self, warehouse: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self.written = 0
        self.refused = 0
        self._warehouse = warehouse
        self._clock = clock
        self._stale = True  # what an earlier process wrote may not be loaded
        self._next_load = float("-inf")

    def settle(self, batch: str) -> None:
        """Work out whom this batch of `aliases_staged` touches. Blocks; raises what the warehouse raises."""
        rows = [merge for merges_ in self._resolved(batch) for merge in merges_]
        for at in range(0, len(rows), _ROWS):
            self._warehouse.insert_rows("person_merges", b"\n".join(map(msgspec.json.encode, rows[at : at + _ROWS])))
            self._stale = True
        self.written += len(rows)
        self.refused += sum(row.refused for row in rows)

    @property
    def due(self) -> bool:
        """Whether there is anything new to load; a dictionary of millions no more often than it can be afforded."""
        return self._stale and self._clock() >= self._next_load

    def load(self) -> None:
        """Step 4."""
        began = self._clock()
        for dictionary in DICTIONARIES:
            self._warehouse.command(f"SYSTEM RELOAD DICTIONARY {dictionary}")
        ended = self._clock()
        self._stale, self._next_load = False, ended + (ended - began) * _REST

    def _resolved(self, batch: str) -> Sequence[list[Merge]]:
        said = self._warehouse.touched_aliases(batch, CONNECTED_USERS_MAX)
        ice: dict[str, dict[str, str]] = {}
        for workspace, user, component in self._warehouse.frozen_aliases(batch, CONNECTED_USERS_MAX):
            ice.setdefault(workspace, {})[user] = component
        statements = [Alias(received_at="", **fields) for fields in said]
        return [merges(name, told, ice.get(name, {})) for name, told in by_workspace(statements).items()]
