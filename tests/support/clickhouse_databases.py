"""A migrated database of its own for each test, in this process and behind HTTP; it must not know what is tested."""

import uuid
from collections.abc import Iterator

import pytest

from pipeline.warehouse.client import Warehouse, open_warehouse
from pipeline.warehouse.migrate import migrate
from tests.support.clickhouse_front import Front, start_front


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


@pytest.fixture(params=["chdb", "http"])
def warehouse_url(request: pytest.FixtureRequest) -> str:
    """A database that does not exist yet."""
    return _url(request)


@pytest.fixture
def warehouse(warehouse_url: str) -> Iterator[Warehouse]:
    """Migrated, empty, and this test's own."""
    yield from _migrated(warehouse_url)


@pytest.fixture(scope="module", params=["chdb", "http"])
def reader(request: pytest.FixtureRequest) -> Iterator[Warehouse]:
    """Migrated, and empty as long as nobody writes: for the tests of a module that only ask."""
    yield from _migrated(_url(request))


def _url(request: pytest.FixtureRequest) -> str:
    name = f"t_{uuid.uuid4().hex[:12]}"
    if request.param == "chdb":
        return f"chdb://{request.getfixturevalue('chdb_path')}?database={name}"
    front: Front = request.getfixturevalue("front")
    return front.database_url(name)


def _migrated(warehouse_url: str) -> Iterator[Warehouse]:
    warehouse = open_warehouse(warehouse_url)
    migrate(warehouse)
    yield warehouse
    warehouse.command(f"DROP DATABASE {warehouse_url.rsplit('=', maxsplit=1)[-1].rsplit('/', maxsplit=1)[-1]}")
    warehouse.close()
