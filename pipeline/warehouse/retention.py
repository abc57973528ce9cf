"""How long the warehouse keeps what, and what of it on slower disks, as TTLs; it must not know why.

ClickHouse removes what is too old when it merges, at the latest some hours later. `person_devices` has no time: a pair
in it outlives the rows, and finds nothing. What has become cold is moved part by part, as it is.
"""

from collections.abc import Mapping

from pipeline.warehouse.client import Warehouse
from pipeline.warehouse.port import Store

_AGE = {
    "action_log": "toDateTime(ts)",
    "identity_facts": "toDateTime(ts)",
    "identity_links": "toDateTime(end)",
    "dead_letters": "toDateTime(received_at)",
    "user_names": "toDateTime(ts)",
    "trait_values": "toDateTime(ts)",
    "device_days": "toDateTime(last_ts)",
}
POLICY, COLD = "tiered", "cold"  # a storage policy of the server's configuration, and its volume for old actions
_COPIES = {"action_log": ("user_names", "trait_values", "device_days")}  # of what it holds: kept as long


def set_retention(store: Store, days: Mapping[str, int], cold_days: int = 0) -> list[str]:
    """Have each table keep rows for so many days, 0 for ever; the tables this changed. Asking again changes nothing.

    After `cold_days` actions go to the volume `cold` of the storage policy `tiered`, which the server has to have; with
    0 no more of them go, and those that went stay.
    """
    changed = [table for shard in store.shards for table in _set(shard, days, cold_days)]
    return list(dict.fromkeys(changed))


def _set(warehouse: Warehouse, days: Mapping[str, int], cold_days: int) -> list[str]:
    changed = []
    copies = {copy: days[table] for table, names in _COPIES.items() if table in days for copy in names}
    for table, kept_days in {**days, **copies}.items():
        moved_days = cold_days if table == "action_log" else 0
        wanted = _wanted(_AGE[table], kept_days, moved_days)
        ttl, policy = _storage(warehouse, table)
        if moved_days and policy != POLICY:
            warehouse.command(f"ALTER TABLE {table} MODIFY SETTING storage_policy = '{POLICY}'")
        if wanted == ttl:
            continue
        change = f"MODIFY TTL {wanted}" if wanted else "REMOVE TTL"
        warehouse.command(f"ALTER TABLE {table} {change}")
        changed.append(table)
    return changed


def _wanted(age: str, kept_days: int, moved_days: int) -> str:
    """As the engine prints it."""
    moves = f"{age} + toIntervalDay({moved_days}) TO VOLUME '{COLD}'" if moved_days else ""
    ends = f"{age} + toIntervalDay({kept_days})" if kept_days else ""
    return ", ".join(filter(None, (moves, ends)))


def _storage(warehouse: Warehouse, table: str) -> tuple[str, str]:
    """Its TTL as the engine prints it, and its storage policy."""
    sql = "SELECT extract(engine_full, ' TTL (.*) SETTINGS '), storage_policy"
    where = " FROM system.tables WHERE database = currentDatabase() AND name = {table:String}"
    ttl, policy = warehouse.query(sql + where, {"table": table}, readonly=False).rows[0]
    return str(ttl), str(policy)
