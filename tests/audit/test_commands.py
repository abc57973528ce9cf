"""`seamline audit` and `seamline explain`: what they print, and how they end."""

import json
import shlex
from pathlib import Path

import pytest

from pipeline.audit.policy import AuditPolicy
from pipeline.cli import main
from pipeline.identity.ids import user_person
from pipeline.identity.policy import Policy
from pipeline.warehouse.client import Warehouse
from tests.audit.stitched_world import stitch_into
from tests.audit.test_explanation import HOUR, PAGE, hit
from tests.support.actions import action, ndjson

pytestmark = pytest.mark.parametrize("warehouse_url", ["http"], indirect=True)
Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _asked(monkeypatch: pytest.MonkeyPatch, warehouse_url: str, tmp_path: Path) -> None:
    monkeypatch.setenv("SEAMLINE_WAREHOUSE", warehouse_url)
    monkeypatch.setenv("SEAMLINE_DATA", str(tmp_path))


def run(words: str, capsys: Capture) -> tuple[int, str, str]:
    """Exit code, output, errors."""
    code = main(shlex.split(words))
    printed = capsys.readouterr()
    return code, printed.out, printed.err


async def test_an_audit_without_a_difference_ends_with_nought(warehouse: Warehouse, capsys: Capture) -> None:
    """And says how many rows it looked at."""
    await stitch_into(warehouse, [PAGE, hit("in", HOUR, "alice")], Policy())

    assert run("audit", capsys) == (0, "2 rows checked, 0 differences\n", "")
    assert run("audit --workspace nowhere", capsys)[:2] == (0, "0 rows checked, 0 differences\n")
    assert json.loads(run("audit --json", capsys)[1])["differing"] == 0


def test_a_difference_ends_with_one_and_a_sentence(warehouse: Warehouse, capsys: Capture) -> None:
    """The row, what it says and what it should say; a row that came too late is listed apart."""
    alice = user_person("shop", "alice")
    rows = [action("a", person_id=alice), action("b", 1, person_id=alice, late=True), action("c", 2)]
    warehouse.insert_rows("action_log", ndjson(*rows))

    code, printed, errors = run("audit", capsys)

    first, example, late, late_example = printed.splitlines()
    assert (code, first) == (1, "3 rows checked, 1 difference")
    assert f"shop  d:phone  a  2026-09-01 12:00:00.000  is anonymous {alice}, should be anonymous" in example
    assert (late, "  b  " in late_example) == ("1 row came too late to be sure of, 1 of them different", True)
    assert "seamline explain" in errors


async def test_a_policy_is_tried_and_nothing_changes(warehouse: Warehouse, capsys: Capture, tmp_path: Path) -> None:
    """What it would do, and exit code 0."""
    await stitch_into(warehouse, [PAGE, hit("in", 3 * 24 * HOUR, "alice")], Policy())
    file = tmp_path / "new.yaml"
    file.write_text("lookback_days: 1\n")

    code, printed, _ = run(f"audit --policy {file}", capsys)

    assert (code, printed.splitlines()) == (
        0,
        [
            "1 of 2 rows would change, 1 of them to another person, on 1 device",
            "  backfilled → anonymous   1",
            "persons: 1 now, 2 then",
        ],
    )
    assert run("audit", capsys)[:2] == (0, "2 rows checked, 0 differences\n")
    assert json.loads(run(f"audit --json --policy {file}", capsys)[1])["moved"] == 1


@pytest.mark.parametrize("text", ["lookback_dayz: 1", None])
def test_a_policy_file_that_is_none_is_refused(
    warehouse: Warehouse, capsys: Capture, tmp_path: Path, text: str
) -> None:
    """Before anything is asked."""
    file = tmp_path / "new.yaml"
    if text is not None:
        file.write_text(text)

    code, printed, errors = run(f"audit --policy {file}", capsys)

    assert (code, printed) == (2, "")
    assert ("no such key" if text else "No such file") in errors


async def test_the_settings_are_the_policy(
    warehouse: Warehouse, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lookback that the stitcher did not have is a difference."""
    await stitch_into(warehouse, [PAGE, hit("in", 3 * 24 * HOUR, "alice")], Policy())
    monkeypatch.setenv("SEAMLINE_LOOKBACK_DAYS", "1")

    assert run("audit", capsys)[0] == 1


async def test_an_action_is_explained(warehouse: Warehouse, capsys: Capture) -> None:
    """To people and to programs; in every workspace that has one."""
    await stitch_into(warehouse, [PAGE, hit("in", HOUR, "alice"), hit("page", 0, workspace="other")], Policy())

    code, printed, _ = run("explain page --workspace shop", capsys)
    both = [json.loads(line) for line in run("explain page --json", capsys)[1].splitlines()]

    assert code == 0
    for said in ("alice signed in on this device", "login       in", AuditPolicy(Policy()).version, "decided"):
        assert said in printed
    assert [(found["workspace"], found["attribution"], found["answer"]["rule"]) for found in both] == [
        ("other", "anonymous", "never"),
        ("shop", "backfilled", "after"),
    ]
    assert both[1]["login"]["event_id"] == "in"


def test_an_event_nobody_sent_is_a_sentence(warehouse: Warehouse, capsys: Capture) -> None:
    """Exit code 1."""
    assert run("explain nope", capsys) == (1, "", "no action has the event ID 'nope'\n")
    assert run("explain nope --workspace shop", capsys)[2] == "no action has the event ID 'nope' in workspace 'shop'\n"


def test_a_warehouse_that_is_away_is_a_sentence(
    warehouse: Warehouse, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 1, and the warehouse's own words."""
    monkeypatch.setenv("SEAMLINE_WAREHOUSE", "clickhouse://default@127.0.0.1:1/none")

    for words in ("audit", "explain page"):
        code, printed, errors = run(words, capsys)
        assert (code, printed) == (1, "")
        assert errors.strip()
