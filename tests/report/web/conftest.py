"""The seeded world in this process, stitched, for pages that have to have something to show."""

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
import pytest_asyncio
from starlette.testclient import TestClient

from pipeline.audit.policy import AuditPolicy
from pipeline.identity.policy import Policy
from pipeline.model import Hit
from pipeline.questions import QuestionRefused, Questions, to
from pipeline.report.saved import Saved
from pipeline.report.web.access import Grants
from pipeline.report.web.app import ReportApp
from pipeline.report.web.moments import Clock
from pipeline.report.web.pages.page import Asked
from pipeline.settings import load_settings
from pipeline.warehouse.client import Warehouse, open_warehouse
from pipeline.warehouse.migrate import migrate
from tests.audit.stitched_world import stitch_into
from tests.report.web.seeded import SHOP, crowd, mara, shoppers, sites
from tests.support.generator import END_MS


class Seen(NamedTuple):
    """The pages on it, whoever answers for it, where it is stored, and what was sent, as it came."""

    client: TestClient
    ask: Questions
    warehouse: Warehouse
    hits: Sequence[Hit]


def asked_of(ask: Questions | None = None, **given: Any) -> Asked:
    """A request for a page of the shop, at a time of no matter, that asks `ask`."""

    def nobody(sql: str, parameters: Mapping[str, Any]) -> tuple[list[str], list[list[Any]]]:
        raise QuestionRefused("nobody is asked here")

    values = {"workspace": SHOP, "query": {}, "clock": Clock(ZoneInfo("UTC"), END_MS), **given}
    return Asked(ask=ask or nobody, policy=AuditPolicy(Policy()), **values)


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def seen(chdb_path: str, tmp_path_factory: object) -> AsyncIterator[Seen]:
    """One for the package: a test that stores something takes a workspace or a name of its own."""
    warehouse = open_warehouse(f"chdb://{chdb_path}?database=seen")
    migrate(warehouse)
    now_ms = time.time_ns() // 1_000_000
    hits = [*mara(now_ms), *crowd(now_ms), *shoppers(now_ms)]
    await stitch_into(warehouse, hits, Policy())
    folder: Path = tmp_path_factory.mktemp("seen")  # type: ignore[attr-defined]
    settings = load_settings({"SEAMLINE_SITES": str(sites(folder))})

    def keep(named: Saved) -> None:
        warehouse.insert_rows("segments", msgspec.json.encode(named))

    ask = to(warehouse)
    app = ReportApp(settings, ask, Grants(()), keep)
    client = TestClient(app, "http://localhost", client=("127.0.0.1", 4711), follow_redirects=False)
    yield Seen(client, ask, warehouse, hits)
    app.close()
    warehouse.close()
