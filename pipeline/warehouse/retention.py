"""How long the warehouse keeps what, as TTLs; it must not know why.

ClickHouse removes what is too old when it merges, at the latest some hours later. `person_devices` has no time: a pair
in it outlives the rows, and finds nothing.
"""

from collections.abc import Mapping

from pipeline.warehouse.client import Warehouse

_AGE = {
    "action_log": "toDateTime(ts)",
    "identity_facts": "toDateTime(ts)",
    "identity_links": "toDateTime(end)",
    "dead_letters": "toDateTime(received_at)",
    "user_names": "toDateTime(ts)",
    "trait_values": "toDateTime(ts)",
}
_COPIES = {"action_log": ("user_names", "trait_values")}  # of what it holds: kept as long


def set_retention(warehouse: Warehouse, days: Mapping[str, int]) -> list[str]:
    """Have each table keep rows for so many days, 0 for ever; the tables this changed. Asking again changes nothing."""
    changed = []
    copies = {copy: days[table] for table, names in _COPIES.items() if table in days for copy in names}
    for table, kept_days in {**days, **copies}.items():
        wanted = f"TTL {_AGE[table]} + toIntervalDay({kept_days})" if kept_days else ""
        if wanted == _ttl(warehouse, table):
            continue
        change = f"MODIFY {wanted}" if wanted else "REMOVE TTL"
        warehouse.command(f"ALTER TABLE {table} {change}")
        changed.append(table)
    return changed


def _ttl(warehouse: Warehouse, table: str) -> str:
    sql = r"SELECT extract(engine_full, 'TTL toDateTime\\(\\w+\\) \\+ toIntervalDay\\(\\d+\\)')"
    where = " FROM system.tables WHERE database = currentDatabase() AND name = {table:String}"
    return str(warehouse.query(sql + where, {"table": table}, readonly=False).rows[0][0])
