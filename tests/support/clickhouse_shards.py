"""Three shards of a warehouse for tests, in one engine; it must not know what is stored.

Each is a database behind HTTP. What reads them is as in production, `Distributed` tables included, which the engine
plans and answers as one server answers for three shards that it has itself. That it has each of them under the same
name is made up here: a `Merge` table of the three, of which a question sees the part that `shardNum()` asks for.

What it cannot show: servers that speak to one another, and one that is away.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.warehouse.address import Server
from pipeline.warehouse.client import Warehouse
from pipeline.warehouse.handles import Handles
from pipeline.warehouse.migrate import migrate
from pipeline.warehouse.opening import sharded
from pipeline.warehouse.placement import BY_DEVICE, PLACES, VIEWS_BY_DEVICE
from pipeline.warehouse.reading import Route, distributed
from pipeline.warehouse.shards import ShardedWarehouse
from tests.support.clickhouse_front import Front, start_front

SHARDS = 3
CLUSTER = "three"
_REPLICA = "<shard><replica><host>127.0.0.1</host><port>9000</port></replica></shard>"
_LISTENING = "<shard><replica><host>127.0.0.1</host><port>{port}</port></replica></shard>"
_CONFIG = f"""
<clickhouse>
  <tcp_port>9000</tcp_port>
  <remote_servers>
    <{CLUSTER}>{_REPLICA * SHARDS}</{CLUSTER}><one>{_REPLICA}</one><wire>{_LISTENING * SHARDS}</wire>
  </remote_servers>
</clickhouse>
"""


def start_shards(folder: Path, wire: int) -> Front:
    """An engine that takes itself for each of three servers; in the cluster `wire` all of them are behind that port."""
    config = folder / "three.xml"
    config.write_text(_CONFIG.format(port=wire))
    return start_front(f"{folder / 'data'}?config-file={config}")


def servers(front: Front, name: str) -> list[Server]:
    """One for each shard of the warehouse of that name."""
    return [Server("127.0.0.1", front.port, "default", False, f"{name}_{number}") for number in range(SHARDS)]


def opened(front: Front, name: str) -> ShardedWarehouse:
    """The warehouse of that name, as a process opens it."""
    return sharded(servers(front, name), route(name))


@contextmanager
def migrated(front: Front, name: str) -> Iterator[ShardedWarehouse]:
    """The same, new, with all its tables."""
    warehouse = opened(front, name)
    for shard in warehouse.shards:
        migrate(shard)
    _join(front, name)
    migrate(warehouse)
    yield warehouse
    warehouse.close()


def route(name: str, cluster: str = CLUSTER) -> Route:
    """How readers reach the shards of that warehouse."""
    real = distributed(cluster, f"{name}_by_number")
    mine = f"_database = concat(''{name}_'', toString(shardNum() - 1))".replace("''", "\\'")
    filters = ", ".join(f"'{name}_by_number.{table}': '{mine}'" for table in _read())
    return Route(real.engine, {**real.settings, "additional_table_filters": f"{{{filters}}}"})


def _join(front: Front, name: str) -> None:
    joined = Warehouse(Handles(Server("127.0.0.1", front.port, "default", False, f"{name}_by_number")))
    joined.create_database()
    for table in _read():
        engine = f"Merge(REGEXP('^{name}_[0-9]$'), '^{table}$')"
        joined.command(f"CREATE TABLE {table} AS {name}_0.{table} ENGINE = {engine}")
    joined.close()


def _read() -> list[str]:
    return [PLACES, *sorted(BY_DEVICE | VIEWS_BY_DEVICE)]
