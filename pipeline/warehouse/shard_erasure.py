"""One erasure on every shard of a warehouse: who is found over all, what is theirs on each; it must not know why.

Who they are by alias stands on every shard. After a crash between shards some have lost it with the rest, and others
still know: so what any of them knows goes to all of them, before each looks for what is theirs.
"""

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from itertools import chain
from typing import Any

import msgspec

from pipeline.warehouse.erasure import WarehouseErasure
from pipeline.warehouse.placement import EVERYWHERE
from pipeline.warehouse.port import Store


class Erasure:
    """From `find` to `finish`, as `WarehouseErasure` is on one shard. Blocks. Nothing may insert meanwhile."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._shards = [WarehouseErasure(shard) for shard in store.shards]

    def find(self, workspace: str, user_id: str, person_id: str) -> None:
        """This user and everybody who is the same person by alias, their rows, and devices where nobody else signed in.

        For a device that is nobody's, its own person, and a user ID that no user can have.
        """
        for shard in self._shards:
            shard.find_users(workspace, user_id, person_id)
        known = [set(shard.users()) for shard in self._shards]
        for shard, users in zip(self._shards, known, strict=True):
            shard.also(workspace, sorted(set().union(*known) - users))
        for shard in self._shards:
            shard.find_theirs()

    def users(self) -> list[tuple[str, str]]:
        """(user ID, person ID) of everybody who goes; every shard has all of them."""
        return self._shards[0].users()

    def devices(self) -> list[str]:
        """Devices that go whole."""
        return [device for shard in self._shards for device in shard.devices()]

    def rows(self) -> list[tuple[str, str]]:
        """(device, event ID) of actions on devices that others use too."""
        return [row for shard in self._shards for row in shard.rows()]

    def spans(self) -> list[dict[str, str]]:
        """Stretches (`device`, `since`, `until`) of devices that others use too in which all actions are theirs."""
        return [span for shard in self._shards for span in shard.spans()]

    def logins(self) -> list[dict[str, Any]]:
        """Her logins on devices that others use too, with the fields of a hit that are nobody's, and the version."""
        return [login for shard in self._shards for login in shard.logins()]

    def letters(self) -> Iterable[tuple[str, str, str]]:
        """(id, payload, detail) of every dead letter that any shard has; after a crash one of them may have more."""
        return chain.from_iterable(shard.letters() for shard in self._shards)

    def mark_letters(self, ids: Iterable[str]) -> None:
        """These dead letters go too."""
        names = sorted(set(ids))
        for shard in self._shards:
            shard.mark_letters(names)

    def insert(self, table: str, rows: Sequence[Any]) -> None:
        """Rows that stay: stubs and suppressions."""
        if rows:
            self._store.insert_rows(table, b"\n".join(map(msgspec.json.encode, rows)))

    def erase(self) -> dict[str, int]:
        """Remove it from every table of every shard; how many row versions went, by table. What stands on every shard
        counts once."""
        gone = [shard.erase() for shard in self._shards]
        return {table: (max if table in EVERYWHERE else sum)(one[table] for one in gone) for table in gone[0]}

    def purge(self) -> None:
        """Wait until no file holds what was removed."""
        with ExitStack() as hurried:
            for shard in self._shards:  # all first: on a cluster each waits for the files of every server
                hurried.enter_context(shard.hurried())
            for shard in self._shards:
                shard.wait_for_parts()

    def finish(self) -> None:
        """Forget the names that were looked for."""
        for shard in self._shards:
            shard.finish()
