"""Everything the warehouse has of some users: found, counted, and removed for good; it must not know why.

Names never stand in SQL: they are inserted into tables that live in memory, and every statement refers to those. So no
query log and no `mutation_*.txt` holds one. Each method may be run again; what is gone is not found.

On a cluster every replica works each mutation out for itself, so all of them have those tables, on disk, for as long as
it takes, and have every row before a statement refers to it. While a replica is away nobody is forgotten.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import msgspec

from pipeline.warehouse.client import DICTIONARIES, Warehouse
from pipeline.warehouse.errors import WarehouseRefused, WarehouseUnavailable
from pipeline.warehouse.texts import sql_text

_STAGES = {
    "erasing_users": "workspace String, user_id String, person_id UUID",
    "erasing_devices": "workspace String, device String",
    "erasing_rows": "workspace String, device String, day Date, event_id String",
    "erasing_letters": "id String",
}
_USER = "(workspace, user_id) IN (SELECT workspace, user_id FROM erasing_users)"
_PERSON = "person_id IN (SELECT person_id FROM erasing_users)"
_DEVICE = "(workspace, device) IN (SELECT workspace, device FROM erasing_devices)"
# Older versions of a row may have been somebody else's: all go by key. Where only an older one was hers, that goes.
_ROW = "(workspace, device, day, event_id) IN (SELECT workspace, device, day, event_id FROM erasing_rows)"
_EVENT = "(workspace, device, event_id) IN (SELECT workspace, device, event_id FROM erasing_rows)"
_DAY = "(workspace, day, device_key) IN (SELECT workspace, day, cityHash64(device) FROM erasing_rows)"
_DAYS = "(workspace, device_key) IN (SELECT workspace, cityHash64(device) FROM erasing_devices)"
# What was worked out from rows goes before them: whoever begins again after a crash finds it by the rows.
CONDITIONS: Mapping[str, str] = {
    "device_days": f"{_DAYS} OR {_DAY}",
    "device_days_due": _DEVICE,
    "action_log": f"{_DEVICE} OR {_ROW} OR {_PERSON}",
    "trait_values": f"{_DEVICE} OR {_ROW} OR {_PERSON}",
    "user_names": _USER,
    "identity_facts": f"{_DEVICE} OR {_USER}",
    "identity_links": f"{_DEVICE} OR {_PERSON} OR {_EVENT}",
    "person_devices": f"{_DEVICE} OR {_PERSON}",
    "alias_statements": f"{_USER} OR {_USER.replace('(workspace, user_id) IN', '(workspace, previous_id) IN')}",
    "person_merges": _USER,
    "merge_components": _USER,
    "merged_persons": f"{_PERSON} OR {_PERSON.replace('person_id IN', 'canonical_id IN', 1)}",
    "links_staged": f"{_DEVICE} OR {_PERSON} OR {_EVENT}",
    "aliases_staged": f"{_USER} OR {_USER.replace('(workspace, user_id) IN', '(workspace, previous_id) IN')}",
    "dead_letters": "id IN (SELECT id FROM erasing_letters)",
}
_ADDED_UP_AGAIN = f"""
    INSERT INTO device_days_due
    SELECT DISTINCT workspace, device, day
    FROM erasing_rows
    WHERE NOT ({_DEVICE})
"""  # noqa: S608
_LEFT_BEHIND = """
    KILL MUTATION
    WHERE database = currentDatabase() AND NOT is_done AND positionCaseInsensitive(command, 'erasing_') > 0
"""
_DROPPED = """
    SELECT DISTINCT table FROM clusterAllReplicas('{cluster}', system.dropped_tables)
    WHERE database = {{d:String}} AND startsWith(table, 'erasing_')
"""
_REPLACED = """
    SELECT DISTINCT table FROM {parts}
    WHERE database = {{d:String}} AND NOT active AND has({{t:Array(String)}}, table)
"""
_REPLICAS = """
    SELECT total_replicas, active_replicas FROM system.replicas
    WHERE database = currentDatabase() AND table = 'action_log'
"""
_MEMORY = "ENGINE = Memory"
_ON_EVERY_REPLICA = "ENGINE = ReplicatedMergeTree ORDER BY tuple()"
_PURGED_WITHIN_S = 120
_LOOK_AGAIN_S = 0.5


class WarehouseErasure:
    """One erasure on one shard, from `find` to `finish`. Blocks. Nothing may insert meanwhile."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse

    def find(self, workspace: str, user_id: str, person_id: str) -> None:
        """This user and everybody who is the same person by alias, their rows, and devices where nobody else signed in.

        For a device that is nobody's, its own person, and a user ID that no user can have.
        """
        self.find_users(workspace, user_id, person_id)
        self.find_theirs()

    def find_users(self, workspace: str, user_id: str, person_id: str) -> None:
        """The first half of it: who they are, as this shard knows."""
        replicas = self._replicas()
        self.finish()
        engine = _ON_EVERY_REPLICA if replicas else _MEMORY
        for table, columns in _STAGES.items():
            self._warehouse.command(f"CREATE TABLE {table} ({columns}) {engine}")
        who = [{"workspace": workspace, "user_id": user_id, "person_id": person_id}]
        self._insert("erasing_users", who, replicas)
        if replicas:
            self._resolve()
        self._warehouse.command(sql_text("erase/find_users"), replicas=replicas)

    def also(self, workspace: str, users: Iterable[tuple[str, str]]) -> None:
        """In between: these (user ID, person ID) too, whom another shard knows."""
        who = [{"workspace": workspace, "user_id": user, "person_id": person} for user, person in users]
        self._insert("erasing_users", who, self._replicas())

    def find_theirs(self) -> None:
        """The second half: devices and rows, of this shard."""
        replicas = self._replicas()
        for name in ("devices", "rows"):
            self._warehouse.command(sql_text(f"erase/find_{name}"), replicas=replicas)

    def users(self) -> list[tuple[str, str]]:
        """(user ID, person ID) of everybody who goes."""
        return [(user, person) for user, person in self._ask("SELECT user_id, toString(person_id) FROM erasing_users")]

    def devices(self) -> list[str]:
        """Devices that go whole."""
        return [row[0] for row in self._ask("SELECT device FROM erasing_devices")]

    def rows(self) -> list[tuple[str, str]]:
        """(device, event ID) of actions on devices that others use too."""
        shared = f"SELECT device, event_id FROM erasing_rows WHERE NOT ({_DEVICE})"  # noqa: S608
        return [(device, event) for device, event in self._ask(shared)]

    def spans(self) -> list[dict[str, str]]:
        """Stretches (`device`, `since`, `until`) of devices that others use too in which all actions are theirs."""
        return self._warehouse.rows(sql_text("erase/spans"))

    def logins(self) -> list[dict[str, Any]]:
        """Her logins on devices that others use too, with the fields of a hit that are nobody's, and the version."""
        return self._warehouse.rows(sql_text("erase/logins"))

    def letters(self) -> Iterable[tuple[str, str, str]]:
        """(id, payload, detail) of every dead letter."""
        for row in self._warehouse.rows("SELECT DISTINCT id, payload, detail FROM dead_letters"):
            yield row["id"], row["payload"], row["detail"]

    def mark_letters(self, ids: Iterable[str]) -> None:
        """These dead letters go too."""
        self._insert("erasing_letters", [{"id": name} for name in ids], self._replicas())

    def erase(self) -> dict[str, int]:
        """Remove it from every table; how many row versions went, by table."""
        gone = {}
        self._warehouse.command(_ADDED_UP_AGAIN)
        for table, condition in CONDITIONS.items():
            gone[table] = int(self._ask(f"SELECT count() FROM {table} WHERE {condition}")[0][0])  # noqa: S608
            if gone[table]:
                self._warehouse.command(
                    f"ALTER TABLE {table} DELETE WHERE {condition} "
                    "SETTINGS mutations_sync = 2, allow_nondeterministic_mutations = 1"
                )
        self._resolve()
        return gone

    def purge(self) -> None:
        """Wait until no file holds what was removed: a server keeps replaced parts for eight minutes."""
        with self.hurried():
            self.wait_for_parts()

    @contextmanager
    def hurried(self) -> Iterator[None]:
        """Replaced parts go at once while the block runs."""
        try:
            for table in CONDITIONS:
                self._warehouse.command(f"ALTER TABLE {table} MODIFY SETTING old_parts_lifetime = 1")
            yield
        finally:
            for table in CONDITIONS:
                self._warehouse.command(f"ALTER TABLE {table} RESET SETTING old_parts_lifetime")

    def finish(self) -> None:
        """Forget the names that were looked for. A mutation that a crash left behind would wait for them for ever."""
        self._warehouse.command(_LEFT_BEHIND)
        for table in _STAGES:
            self._warehouse.command(f"DROP TABLE IF EXISTS {table} SYNC")
        if cluster := self._warehouse.cluster:
            self._wait_until_gone(_DROPPED.format(cluster=cluster), {}, lambda table: None)

    def wait_for_parts(self) -> None:
        """Until no file of a table holds what was replaced; on a cluster, of any server."""

        def hurry(table: str) -> None:
            with suppress(WarehouseRefused):  # without the grant it comes to it by itself, in half a minute
                self._warehouse.command(f"SYSTEM START CLEANUP {table}")

        cluster = self._warehouse.cluster
        parts = f"clusterAllReplicas('{cluster}', system.parts)" if cluster else "system.parts"
        self._wait_until_gone(_REPLACED.format(parts=parts), {"t": list(CONDITIONS)}, hurry)

    def _wait_until_gone(self, left: str, params: Mapping[str, Any], hurry: Callable[[str], None]) -> None:
        """Until `left` names no table any more; `hurry` is called for each that it does."""
        deadline_s = time.monotonic() + _PURGED_WITHIN_S
        while found := self._ask(left, {"d": self._warehouse.database, **params}):
            if time.monotonic() > deadline_s:
                raise WarehouseUnavailable(f"replaced parts are still on disk after {_PURGED_WITHIN_S} s")
            for (table,) in found:
                hurry(table)
            time.sleep(_LOOK_AGAIN_S)

    def _replicas(self) -> int:
        """How many a cluster has, all of them there; 0 for one node."""
        if not self._warehouse.cluster:
            return 0
        (total, active), *_ = [*self._ask(_REPLICAS), [0, 0]]
        if not total or active < total:
            raise WarehouseUnavailable(f"erasing takes every replica: {active} of {total} are there; ask again then")
        return int(total)

    def _resolve(self) -> None:
        """Have aliases resolved by what is stored now, on every replica."""
        cluster, where = self._warehouse.cluster, ""
        if cluster:
            where = f"ON CLUSTER `{cluster}` `{self._warehouse.database}`."
            self._warehouse.command(f"SYSTEM SYNC REPLICA {where}person_merges LIGHTWEIGHT")
        for dictionary in DICTIONARIES:
            self._warehouse.command(f"SYSTEM RELOAD DICTIONARY {where}{dictionary}")

    def _ask(self, sql: str, params: Mapping[str, Any] | None = None) -> list[list[Any]]:
        return self._warehouse.query(sql, params, readonly=False, rows_max=10_000_000, seconds_max=600).rows

    def _insert(self, table: str, rows: Sequence[Any], replicas: int = 0) -> None:
        if rows:
            self._warehouse.insert_rows(table, b"\n".join(map(msgspec.json.encode, rows)), replicas=replicas)
