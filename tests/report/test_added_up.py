"""Reports that count days which were added up say what a plain calculation on the actions says."""

from collections.abc import Mapping
from typing import Any

import pytest

from pipeline.limits import CHANGED_DAYS_MAX, CHANGED_PARTS_MAX, DAY_MS
from pipeline.questions import to
from pipeline.report import added_up, asking
from pipeline.report.reports import Question, question
from pipeline.report.segments.compile import compiled
from pipeline.report.segments.condition import EVERYBODY, Condition
from pipeline.sink.device_days import DeviceDays
from pipeline.sink.figures import Figures
from pipeline.times import iso
from pipeline.warehouse.client import Warehouse
from tests.report import oracle
from tests.report.reported_world import WORKSPACES, Reported
from tests.report.test_reports_equal import same
from tests.support.generator import END_MS

MIDNIGHT = END_MS // DAY_MS * DAY_MS
QUARTERS = (-25 * 96 + 3, -3 * 96 - 5)  # a period that cuts days, at a quarter of an hour
SINCE, UNTIL = (MIDNIGHT + quarters * added_up.QUARTER_MS for quarters in QUARTERS)
DAYS = {"since": "2026-08-01", "until": "2026-09-01", "workspace": "shop"}


@pytest.mark.parametrize("workspace", WORKSPACES)
@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Asia/Kathmandu"])
def test_added_up_days_equal_the_plain_calculation(
    stored: tuple[Warehouse, Reported], workspace: str, zone: str
) -> None:
    """After late logins, aliases, withdrawals, forgets; with bots and without."""
    warehouse, known = stored
    DeviceDays(warehouse, Figures(), settle_s=0, kept_s=0).round()
    values: dict[str, Any] = {"workspace": workspace, "since": iso(SINCE), "until": iso(UNTIL), "zone": zone}
    for bots in (False, True):
        rows = [row for row in known.done[workspace] if SINCE <= row.ts < UNTIL and (bots or not row.hit.bot)]
        asked = {**values, "bots": str(int(bots))}

        assert same(oracle.overview(rows), _answer(warehouse, "overview", asked))
        assert same(oracle.days(rows, zone), _answer(warehouse, "days", asked))
        assert same(oracle.visit_days(rows, zone), _answer(warehouse, "visit_days", asked))
        assert same(oracle.handovers(rows), _answer(warehouse, "handovers", asked))
        assert same(oracle.retention(rows, zone), _answer(warehouse, "retention", asked))
        assert same(oracle.goals(rows), _answer(warehouse, "goals", asked))
        assert same(oracle.cross_device(rows), _answer(warehouse, "cross_device", asked))
        assert same(
            oracle.cross_device(rows, "Signup"), _answer(warehouse, "cross_device", {**asked, "goal": "Signup"})
        )


def _answer(warehouse: Warehouse, name: str, values: Mapping[str, Any]) -> list[list[Any]]:
    asked = question(name, values, changed=[])
    assert isinstance(asked, Question)
    assert "device_days" in asked.sql
    rows = asking.rows(to(warehouse), name, values)
    assert isinstance(rows, list)
    assert rows
    return [list(row.values()) for row in rows]


@pytest.mark.parametrize("name", ["overview", "days", "visit_days", "handovers", "retention", "goals", "cross_device"])
def test_a_segment_or_a_period_that_cuts_a_quarter_counts_actions(name: str) -> None:
    """Nothing that was added up knows of either."""
    segment = compiled("country = DE")
    assert isinstance(segment, Condition)

    assert "device_days" not in _sql(name, DAYS, segment, [])
    assert "device_days" not in _sql(name, {**DAYS, "until": "2026-08-30T00:14:00Z"}, EVERYBODY, [])
    assert "device_days" not in _sql(name, DAYS, EVERYBODY, None)
    assert "device_days" in _sql(name, DAYS, EVERYBODY, [])


def _sql(name: str, values: Mapping[str, Any], segment: Condition, changed: list[str] | None) -> str:
    asked = question(name, values, segment, changed=changed)
    assert isinstance(asked, Question)
    return asked.sql


def test_where_too_much_has_changed_actions_are_counted() -> None:
    """More days, or parts, than can be told apart at less cost; or a month that nobody has added up."""
    assert added_up.changed([["all_1_1_0"], CHANGED_DAYS_MAX, 0]) == ["all_1_1_0"]
    assert added_up.changed([["all_1_1_0"], CHANGED_DAYS_MAX + 1, 0]) is None
    assert added_up.changed([["part"] * (CHANGED_PARTS_MAX + 1), 5_000, 0]) is None
    assert added_up.changed([["all_1_1_0"], 1, 1]) is None
    assert added_up.changed([[], 0, 0]) == []
