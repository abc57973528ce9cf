"""One engine in this process, and one world in it, for every test that only asks; a server for what commands do."""

from collections.abc import AsyncIterator

import pytest_asyncio

from pipeline.questions import Questions
from pipeline.warehouse.client import open_warehouse
from pipeline.warehouse.migrate import migrate
from tests.audit.stitched_world import questions_to
from tests.report.reported_world import Reported, fill
from tests.support.clickhouse_databases import chdb_path, front, reader, warehouse, warehouse_url

__all__ = ["chdb_path", "front", "reader", "reported", "warehouse", "warehouse_url"]


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def reported(chdb_path: str) -> AsyncIterator[tuple[Questions, Reported]]:
    """Four workspaces with the same devices, users and hits, and what became of each; and who answers for them."""
    warehouse = open_warehouse(f"chdb://{chdb_path}?database=reported")
    migrate(warehouse)
    known = await fill(warehouse)
    yield questions_to(warehouse), known
    warehouse.close()
