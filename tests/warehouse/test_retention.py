"""What is too old goes, what is not stays, and asking twice rewrites nothing."""

from pipeline.sink.device_days import DeviceDays
from pipeline.sink.figures import Figures
from pipeline.warehouse.client import Warehouse
from pipeline.warehouse.retention import set_retention
from tests.support.actions import action, ndjson


def test_old_rows_go_with_the_next_merge(warehouse: Warehouse) -> None:
    """Actions, facts, and what is kept to find them; a table that keeps for ever is left alone."""
    old = "2001-01-01T00:00:00.000Z"
    said = {"traits": {"plan": "pro"}}
    rows = [
        action("old", user="a", ts=old, day=old[:10], **said),
        action("new", user="b", ts="2099-01-01T00:00:00.000Z", **said),
    ]
    warehouse.insert_rows("action_log", ndjson(*rows))
    days = {"action_log": 365, "identity_facts": 365, "identity_links": 0, "dead_letters": 90}

    DeviceDays(warehouse, Figures(), settle_s=0).round()
    copies = {"user_names": "ts", "trait_values": "ts", "device_days": "last_ts"}
    assert ["action_log", "identity_facts", "dead_letters", *copies] == set_retention(warehouse, days)
    assert [] == set_retention(warehouse, days)
    for table in ("action_log", "identity_facts"):
        warehouse.command(f"OPTIMIZE TABLE {table} FINAL")
        assert [["new"]] == warehouse.query(f"SELECT event_id FROM {table}").rows
    for table, time in copies.items():
        warehouse.command(f"OPTIMIZE TABLE {table} FINAL")
        assert [[2099]] == warehouse.query(f"SELECT toYear({time}) FROM {table}").rows


def test_kept_for_ever_again(warehouse: Warehouse) -> None:
    """The setting can be taken back."""
    set_retention(warehouse, {"dead_letters": 90})

    assert ["dead_letters"] == set_retention(warehouse, {"dead_letters": 0})
    assert [] == set_retention(warehouse, {"dead_letters": 0})
