"""The tables of a cluster as the engine itself takes them, with a ZooKeeper for its Keeper.

The engine in the process speaks to it and writes a replicated table's structure there, but has no door for other
replicas: so nothing can be inserted, and a database cannot replicate. What is shown is what a table's making shows.
"""

import re
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.warehouse.client import Warehouse, open_warehouse
from pipeline.warehouse.errors import WarehouseRefused
from pipeline.warehouse.migrate import migrate
from pipeline.warehouse.replication import replicated
from tests.support.clickhouse_front import Front, start_front
from tests.support.kafka_jars import KafkaMissing
from tests.support.lacking import may_lack
from tests.support.zookeeper import ZooKeeper

_CONFIG = """
<clickhouse>
  <zookeeper><node><host>127.0.0.1</host><port>{port}</port></node></zookeeper>
  <macros><shard>01</shard><replica>{replica}</replica></macros>
</clickhouse>
"""
_TABLES = """
    SELECT name, create_table_query FROM system.tables
    WHERE database = currentDatabase() AND engine LIKE '%MergeTree' ORDER BY name
"""
_REGISTERED = "SELECT table, zookeeper_path, replica_name, total_replicas FROM system.replicas ORDER BY table"


@pytest.fixture(scope="module")
def zookeeper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ZooKeeper]:
    """Empty."""
    zookeeper = ZooKeeper(tmp_path_factory.mktemp("zookeeper"))
    with may_lack(KafkaMissing):
        zookeeper.start()
    yield zookeeper
    zookeeper.stop()


def _replica(zookeeper: ZooKeeper, folder: Path, name: str) -> Front:
    config = folder / f"{name}.xml"
    config.write_text(_CONFIG.format(port=zookeeper.port, replica=name))
    return start_front(f"{folder / name}?config-file={config}")


def _opened(replica: Front, database: str) -> Warehouse:
    warehouse = open_warehouse(replica.database_url(database))
    warehouse.create_database()
    return warehouse


def _everywhere_the_same(statement: str, name: str, number: int) -> str:
    """With the UUID that a database which replicates gives to a table, on every replica."""
    table = uuid.uuid5(uuid.NAMESPACE_URL, f"{number}/{name}")
    return re.sub(r"CREATE TABLE \w+\.(\w+)", rf"CREATE TABLE \1 UUID '{table}'", replicated(statement), count=1)


def test_every_table_is_registered_and_a_second_replica_joins_it(zookeeper: ZooKeeper, tmp_path: Path) -> None:
    """Made from the same text elsewhere it is the same table; from a text with another column it is refused."""
    one, two = _replica(zookeeper, tmp_path, "one"), _replica(zookeeper, tmp_path, "two")
    try:
        plain = _opened(one, "plain")
        migrate(plain)
        tables = {name: _everywhere_the_same(text, name, 1) for name, text in plain.query(_TABLES, readonly=False).rows}
        first, second = _opened(one, "seamline"), _opened(two, "seamline")
        for statement in tables.values():
            first.command(statement)
            second.command(statement)
        paths = {table: path for table, path, _, _ in first.query(_REGISTERED, readonly=False).rows}

        assert set(paths) == set(tables) > {"action_log", "identity_links", "migrations"}
        assert [path for path in paths.values() if not re.fullmatch(r"/clickhouse/tables/[0-9a-f-]{36}/01", path)] == []
        expected = [[table, paths[table], "two", 2] for table in sorted(tables)]
        assert second.query(_REGISTERED, readonly=False).rows == expected

        odd = tables["segments"].replace("`segment` String", "`segment` FixedString(9)")
        assert odd != tables["segments"]
        second.command("DROP TABLE segments SYNC")
        with pytest.raises(WarehouseRefused, match="INCOMPATIBLE_COLUMNS"):
            second.command(odd)
    finally:
        one.kill()  # it would look for its other replicas for half a minute
        two.kill()


def test_a_replica_that_joins_is_one_by_the_tables_uuid(zookeeper: ZooKeeper, tmp_path: Path) -> None:
    """`ON CLUSTER`, said again for a replica that came later, would give it a UUID of its own: another table, empty.
    So the database says it, which knows the UUID; without either the engine refuses."""
    one, two = _replica(zookeeper, tmp_path, "early"), _replica(zookeeper, tmp_path, "late")
    try:
        early, late = _opened(one, "seamline"), _opened(two, "seamline")
        text = "CREATE TABLE seamline.t (k Int8) ENGINE = MergeTree ORDER BY k"
        early.command(_everywhere_the_same(text, "t", 2))
        late.command(_everywhere_the_same(text, "t", 3))

        replicas = [each.query(_REGISTERED, readonly=False).rows[0] for each in (early, late)]
        assert replicas[0][1] != replicas[1][1]
        assert [row[3] for row in replicas] == [1, 1]
        with pytest.raises(WarehouseRefused, match="explicitly specified"):
            early.command(replicated(text.replace(".t ", ".u ")))
    finally:
        one.kill()
        two.kill()
