"""A migrated database of its own for each test, in this process and behind HTTP; it must not know what is tested."""

import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from pipeline.warehouse.client import DICTIONARIES, Warehouse, open_warehouse
from pipeline.warehouse.migrate import migrate
from tests.support.clickhouse_front import Front, start_front

# Of a database that a test gave back: is it as migrations left it?
_SHAPE = """
    SELECT
        (SELECT sum(cityHash64(name, create_table_query)) FROM system.tables WHERE database = currentDatabase()),
        (SELECT sum(cityHash64(*)) FROM migrations),
        (SELECT count() FROM system.mutations WHERE database = currentDatabase() AND NOT is_done)
"""
_FILLED = """
    SELECT name FROM system.tables
    WHERE database = currentDatabase() AND engine LIKE '%MergeTree' AND name != 'migrations' AND total_rows > 0
"""


class Databases:
    """Migrated databases, lent to one test after the other: making one takes twenty times as long as emptying it."""

    def __init__(self) -> None:
        self._idle: defaultdict[str, list[Warehouse]] = defaultdict(list)
        self._urls: dict[str, str] = {}
        self._shapes: dict[str, object] = {}

    @contextmanager
    def lent(self, kind: str, new_url: Callable[[], str]) -> Iterator[str]:
        """Where an empty one is. What comes back changed in any other way than by rows is dropped."""
        keeper = self._idle[kind].pop() if self._idle[kind] else self._made(new_url())
        yield self._urls[keeper.database]
        if keeper.query(_SHAPE, readonly=False).rows == self._shapes[keeper.database]:
            _empty(keeper)
            self._idle[kind].append(keeper)
        else:
            _drop(keeper)

    def close(self) -> None:
        """Drop those that are not lent."""
        for keepers in self._idle.values():
            for keeper in keepers:
                _drop(keeper)

    def _made(self, url: str) -> Warehouse:
        keeper = open_warehouse(url)
        migrate(keeper)
        self._urls[keeper.database] = url
        self._shapes[keeper.database] = keeper.query(_SHAPE, readonly=False).rows
        return keeper


def _empty(keeper: Warehouse) -> None:
    for (table,) in keeper.query(_FILLED, readonly=False).rows:
        keeper.command(f"TRUNCATE TABLE {table}")
    for dictionary in DICTIONARIES:
        keeper.command(f"SYSTEM RELOAD DICTIONARY {dictionary}")


def _drop(keeper: Warehouse) -> None:
    keeper.command(f"DROP DATABASE {keeper.database}")
    keeper.close()


@pytest.fixture(scope="package")
def chdb_path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The one directory that the engine of this process has open while the package runs."""
    path = str(tmp_path_factory.mktemp("chdb"))
    anchor = open_warehouse(f"chdb://{path}?database=anchor")
    assert anchor.ping()
    yield path
    anchor.close()


@pytest.fixture(scope="package")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """A server; leave it without a fault."""
    front = start_front(tmp_path_factory.mktemp("front"))
    yield front
    front.stop()


@pytest.fixture(scope="package")
def databases(chdb_path: str, front: Front) -> Iterator[Databases]:
    """Of both."""
    databases = Databases()
    yield databases
    databases.close()


@pytest.fixture(params=["chdb", "http"])
def warehouse_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Where this test's own database is: migrated and empty if the test has the `warehouse`, else not there yet."""
    if "warehouse" not in request.fixturenames:
        yield _new_url(request)
        return
    databases: Databases = request.getfixturevalue("databases")
    with databases.lent(request.param, lambda: _new_url(request)) as url:
        yield url


@pytest.fixture
def warehouse(warehouse_url: str) -> Iterator[Warehouse]:
    """Migrated, empty, and this test's own."""
    warehouse = open_warehouse(warehouse_url)
    yield warehouse
    warehouse.close()


@pytest.fixture(scope="module", params=["chdb", "http"])
def reader(request: pytest.FixtureRequest, databases: Databases) -> Iterator[Warehouse]:
    """Migrated, and empty as long as nobody writes: for the tests of a module that only ask."""
    with databases.lent(request.param, lambda: _new_url(request)) as url:
        warehouse = open_warehouse(url)
        yield warehouse
        warehouse.close()


def _new_url(request: pytest.FixtureRequest) -> str:
    name = f"t_{uuid.uuid4().hex[:12]}"
    if request.param == "chdb":
        return f"chdb://{request.getfixturevalue('chdb_path')}?database={name}"
    front: Front = request.getfixturevalue("front")
    return front.database_url(name)
