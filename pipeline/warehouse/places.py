"""Holds a database to the place among shards that it was made for; it must not know what is in it.

Rows are where the number of shards put them: with another number, or in another order, new versions of a row would be
written beside the old ones. So the place stands in the database, and whoever comes with another one is refused.
"""

from typing import Any

from pipeline.warehouse.errors import WarehouseRefused, WarehouseUnavailable
from pipeline.warehouse.placement import PLACES, Place
from pipeline.warehouse.replication import replicated

_TABLE = """
    CREATE TABLE IF NOT EXISTS `{database}`.{table} (shard UInt16, shards UInt16)
    ENGINE = ReplacingMergeTree ORDER BY (shard, shards)
"""
_THERE = "SELECT count() FROM system.tables WHERE database = {d:String} AND name = {t:String}"
_HELD = "SELECT arrayStringConcat(groupUniqArray(concat('shard ', toString(shard), ' of ', toString(shards))), ', ')"
_CODE = "OTHER_SHARDS"
_KEPT = (
    "The list is fixed: another number or order is another database (deploy/README.md, ClickHouse on several shards)"
)


def claim(client: Any, database: str, place: Place, cluster: str) -> None:
    """Have this new database be that shard; again changes nothing. WarehouseRefused when it is anything else."""
    if not _there(client, database, PLACES) and _there(client, database, "migrations"):
        raise WarehouseRefused(f"`{database}` was filled as one shard, and cannot be {place}. {_KEPT}", _CODE)
    table = _TABLE.format(database=database, table=PLACES)
    client.command(replicated(table) if cluster else table)
    if cluster:
        client.command(f"SYSTEM SYNC REPLICA `{database}`.{PLACES} LIGHTWEIGHT")
    if not _held(client, database):
        client.command(f"INSERT INTO `{database}`.{PLACES} VALUES ({place.shard}, {place.shards})")  # noqa: S608
    _refuse_other(database, _held(client, database), place)


def hold(client: Any, database: str, place: Place | None) -> None:
    """WarehouseRefused when this database is another shard than that, or is one where none is expected."""
    if not _there(client, database, PLACES):
        if place is not None:
            raise WarehouseRefused(f"`{database}` is not {place} yet: run `seamline migrate`", _CODE)
        return
    held = _held(client, database)
    if not held:
        raise WarehouseUnavailable(f"this replica does not know yet which shard `{database}` is")
    _refuse_other(database, held, place)


def _refuse_other(database: str, held: str, place: Place | None) -> None:
    if held != str(place):
        expected = "the whole warehouse" if place is None else str(place)
        raise WarehouseRefused(f"SEAMLINE_WAREHOUSE has `{database}` as {expected}, and it is {held}. {_KEPT}", _CODE)


def _there(client: Any, database: str, table: str) -> bool:
    return bool(int(client.command(_THERE, {"d": database, "t": table})))


def _held(client: Any, database: str) -> str:
    return str(client.command(f"{_HELD} FROM `{database}`.{PLACES}"))
