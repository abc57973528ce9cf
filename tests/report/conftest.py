"""One engine in this process, and one world in it, for every test that only asks; a server for what commands do."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from pipeline.questions import Questions, to
from pipeline.warehouse.client import Warehouse, open_warehouse
from pipeline.warehouse.migrate import migrate
from tests.report.reported_world import Reported, fill
from tests.support.clickhouse_databases import chdb_path, databases, front, reader, warehouse, warehouse_url

__all__ = ["chdb_path", "databases", "front", "reader", "reported", "stored", "warehouse", "warehouse_url"]


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def stored(chdb_path: str) -> AsyncIterator[tuple[Warehouse, Reported]]:
    """Four workspaces with the same devices, users and hits, and what became of each."""
    warehouse = open_warehouse(f"chdb://{chdb_path}?database=reported")
    migrate(warehouse)
    yield warehouse, await fill(warehouse)
    warehouse.close()


@pytest.fixture(scope="package")
def reported(stored: tuple[Warehouse, Reported]) -> tuple[Questions, Reported]:
    """The same, and who answers for it."""
    return to(stored[0]), stored[1]
