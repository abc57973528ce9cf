"""Holds a database to the place among shards that it was made for; it must not know what is in it.

Rows are where the number of shards put them: with another number, or in another order, new versions of a row would be
written beside the old ones. So the place stands in the database, and whoever comes with another one is refused.
"""

from typing import Any

from pipeline.warehouse.errors import WarehouseRefused, WarehouseUnavailable
from pipeline.warehouse.placement import PLACES, Place
from pipeline.warehouse.replication import replicated

_TABLE = f"""
    CREATE TABLE IF NOT EXISTS {PLACES} (shard UInt16, shards UInt16)
    ENGINE = ReplacingMergeTree ORDER BY (shard, shards)
""".strip()
_THERE = "SELECT count() FROM system.tables WHERE database = currentDatabase() AND name = {t:String}"
_HELD = "SELECT arrayStringConcat(groupUniqArray(concat('shard ', toString(shard), ' of ', toString(shards))), ', ')"
_CATCH_UP = f"SYSTEM SYNC REPLICA {PLACES} LIGHTWEIGHT"
_CODE = "OTHER_SHARDS"
_KEPT = (
    "The list is fixed: another number or order is another database (deploy/README.md, ClickHouse on several shards)"
)


def claim(client: Any, database: str, place: Place, cluster: str) -> None:
    """Have this database, which the connection is in, be that shard; again changes nothing. WarehouseRefused when it is
    anything else."""
    if not _there(client, PLACES) and _there(client, "migrations"):
        raise WarehouseRefused(f"`{database}` was filled as one shard, and cannot be {place}. {_KEPT}", _CODE)
    client.command(replicated(_TABLE) if cluster else _TABLE)
    if cluster:
        client.command(_CATCH_UP)
    if not _held(client):
        client.command(f"INSERT INTO {PLACES} VALUES ({place.shard}, {place.shards})")  # noqa: S608
    _refuse_other(database, _held(client), place)


def hold(client: Any, database: str, place: Place | None, cluster: str) -> None:
    """WarehouseRefused when this database is another shard than that, or is one where none is expected."""
    if not _there(client, PLACES):
        if place is not None:
            raise WarehouseRefused(f"`{database}` is not {place} yet: run `seamline migrate`", _CODE)
        return
    held = _held(client)
    if not held and cluster:
        client.command(_CATCH_UP)
        held = _held(client)
    if not held:
        raise WarehouseUnavailable(f"this replica does not know yet which shard `{database}` is")
    _refuse_other(database, held, place)


def _refuse_other(database: str, held: str, place: Place | None) -> None:
    if held != str(place):
        expected = "the whole warehouse" if place is None else str(place)
        raise WarehouseRefused(f"SEAMLINE_WAREHOUSE has `{database}` as {expected}, and it is {held}. {_KEPT}", _CODE)


def _there(client: Any, table: str) -> bool:
    return bool(int(client.command(_THERE, {"t": table})))


def _held(client: Any) -> str:
    return str(client.command(f"{_HELD} FROM {PLACES}"))
