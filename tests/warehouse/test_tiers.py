"""Old actions go to slower disks and stay what they were; a server that has none says so."""

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.warehouse.client import Warehouse, open_warehouse
from pipeline.warehouse.errors import WarehouseRefused
from pipeline.warehouse.migrate import migrate
from pipeline.warehouse.retention import set_retention
from tests.support.actions import action, ndjson
from tests.support.clickhouse_front import Front, start_front
from tests.support.deadline import wait_until

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def tiered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """A server with the storage policy of the manual: a volume for new rows and one that is cold."""
    folder = tmp_path_factory.mktemp("tiered")
    config = folder / "storage.xml"
    manual = (ROOT / "deploy" / "README.md").read_text()
    found = re.search(r"<storage_configuration>.*?</storage_configuration>", manual, re.DOTALL)
    assert found, "the manual shows no storage policy"
    told = re.sub(r"<path>.*?</path>", f"<path>{folder / 'cold'}/</path>", found[0])
    config.write_text(f"<clickhouse>{textwrap.dedent(told)}</clickhouse>")
    front = start_front(f"{folder / 'data'}?config-file={config}")
    yield front
    front.stop()


def _on_disks(warehouse: Warehouse) -> dict[str, str]:
    """Event to disk."""
    sql = """
        SELECT a.event_id, p.disk_name FROM action_log AS a
        INNER JOIN system.parts AS p ON p.name = a._part
        WHERE p.active AND p.database = currentDatabase() AND p.table = 'action_log'
    """
    return dict(warehouse.query(sql, readonly=False).rows)


def test_old_actions_move_to_the_cold_volume_and_are_read_there(tiered: Front) -> None:
    """Those that are there, and those that come in when they are old already; new ones stay."""
    warehouse = open_warehouse(tiered.database_url("moving"))
    migrate(warehouse)
    days, old = {"action_log": 18_250}, "2020-01-01T00:00:00.000Z"
    new = "2040-01-01T00:00:00.000Z"
    warehouse.insert_rows("action_log", ndjson(action("was there", ts=old, day=old[:10])))
    assert "action_log" in set_retention(warehouse, days, 30)
    assert set_retention(warehouse, days, 30) == []
    warehouse.insert_rows("action_log", ndjson(action("came old", ts=old, day=old[:10])))
    warehouse.insert_rows("action_log", ndjson(action("new", ts=new, day=new[:10])))

    expected = {"was there": "cold", "came old": "cold", "new": "default"}
    wait_until(lambda: _on_disks(warehouse) == expected, 30, "parts move")
    assert warehouse.query("SELECT count() FROM actions").rows == [[3]]
    assert set_retention(warehouse, days) == ["action_log"]
    warehouse.close()


def test_without_the_storage_policy_nothing_moves(warehouse: Warehouse) -> None:
    """The server says which policy it lacks, and the actions keep what they had."""
    set_retention(warehouse, {"action_log": 365})

    with pytest.raises(WarehouseRefused, match="tiered"):
        set_retention(warehouse, {"action_log": 365}, 30)

    assert set_retention(warehouse, {"action_log": 365}) == []
