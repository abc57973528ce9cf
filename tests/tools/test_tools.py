"""The manual's examples run as they stand, and every panel of the dashboard asks what the warehouse can answer."""

import asyncio
import contextlib
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.identity.policy import Policy
from pipeline.questions import to
from pipeline.warehouse.client import Warehouse, open_warehouse
from pipeline.warehouse.migrate import migrate
from tests.audit.stitched_world import stitch_into
from tests.support.clickhouse_front import start_front
from tests.support.scenarios import END_MS, hits, scenario

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "schemas" / "README.md").read_text()
EXAMPLES = dict(re.findall(r"^```python (\w+)\n(.*?)^```$", PAGE, re.M | re.S))
DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "seamline.json").read_text())
MACROS = {
    r"\$__timeFilter\((\w+)\)": r"\1 >= $__fromTime AND \1 <= $__toTime",
    r"\$__fromTime": f"fromUnixTimestamp64Milli({END_MS - 40 * 86_400_000})",
    r"\$__toTime": f"fromUnixTimestamp64Milli({END_MS})",
    r"\$\{workspace\}": "shop",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`user@host:port/database` of a server with a stitched world in the workspace `shop`."""
    front = start_front(tmp_path_factory.mktemp("tools"))
    warehouse = open_warehouse(front.url)
    migrate(warehouse)
    asyncio.run(stitch_into(warehouse, hits(scenario("household", 5)), Policy()))
    warehouse.close()
    yield front.url.removeprefix("clickhouse://")
    front.stop()


@pytest.fixture
def warehouse(server: str) -> Iterator[Warehouse]:
    """The same, as we ask it ourselves."""
    opened = open_warehouse(f"clickhouse://{server}")
    yield opened
    opened.close()


def told(example: str, server: str) -> tuple[str, dict[str, Any]]:
    """What the example prints, and what it leaves behind."""
    names: dict[str, Any] = {}
    printed = io.StringIO()
    code = EXAMPLES[example].replace("seamline@clickhouse:8123/seamline", server)
    assert server in code
    with contextlib.redirect_stdout(printed):
        exec(compile(code, example, "exec"), names)
    return printed.getvalue(), names


def test_every_example_is_run_here() -> None:
    """One that nobody runs is a guess."""
    assert {"pandas", "polars", "sqlalchemy"} == EXAMPLES.keys()


def test_pandas(server: str, warehouse: Warehouse) -> None:
    """Visits by the page they began on."""
    _, names = told("pandas", server)
    names["client"].close()

    assert [[len(names["visits"])]] == warehouse.query("SELECT count() FROM visits WHERE workspace = 'shop'").rows
    assert len(names["longest"]) > 0


def test_polars(server: str, warehouse: Warehouse) -> None:
    """The persons with more than one device."""
    printed, names = told("polars", server)
    names["client"].close()

    assert [[names["persons"].height]] == warehouse.query("SELECT count() FROM persons WHERE workspace = 'shop'").rows
    assert "devices" in printed


def test_sqlalchemy(server: str, warehouse: Warehouse) -> None:
    """Rows by attribution."""
    printed, names = told("sqlalchemy", server)
    names["engine"].dispose()
    counted = "SELECT attribution, count() FROM actions WHERE workspace = 'shop' GROUP BY 1 ORDER BY 1"

    assert [f"{name} {count}" for name, count in warehouse.query(counted).rows] == printed.splitlines()


@pytest.mark.parametrize("panel", DASHBOARD["panels"], ids=lambda panel: panel["title"])
def test_every_panel_asks_something_that_has_an_answer(panel: dict[str, Any], warehouse: Warehouse) -> None:
    """Read only and within the limits of a report; where there is data, there is an answer."""
    (target,) = panel["targets"]
    columns, rows = to(warehouse)(_as_sent(target["rawSql"]), {})

    assert columns
    assert (rows or panel["title"] in {"Dead letters", "Where persons come from"}) and panel["description"]
    assert (columns[0] == "time") == (panel["type"] == "timeseries")


def test_the_dashboard_asks_for_a_workspace_and_a_source() -> None:
    """Nothing in it is of one installation; tenants do not meet in one picture."""
    variables = {variable["name"]: variable for variable in DASHBOARD["templating"]["list"]}
    assert {"source", "workspace"} == variables.keys()
    assert all(panel["datasource"]["uid"] == "${source}" for panel in DASHBOARD["panels"])
    assert len(DASHBOARD["panels"]) == len({panel["id"] for panel in DASHBOARD["panels"]})
    of_actions = [panel["targets"][0]["rawSql"] for panel in DASHBOARD["panels"] if panel["title"] != "Dead letters"]
    assert all("workspace = '${workspace}'" in sql for sql in of_actions)


def test_the_choice_of_workspaces(warehouse: Warehouse) -> None:
    """Is what is there."""
    (sql,) = [v["query"] for v in DASHBOARD["templating"]["list"] if v["name"] == "workspace"]

    assert [["shop"]] == to(warehouse)(sql, {})[1]


def _as_sent(sql: str) -> str:
    for macro, text in MACROS.items():
        sql = re.sub(macro, text, sql)
    assert "$" not in sql
    return sql
