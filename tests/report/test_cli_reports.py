"""`seamline overview`, `persons`, `visits`, `segment` and `reports`: what they print, and how they end."""

import csv
import io
import json
import shlex
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline.cli import main
from pipeline.report.catalogue import REPORTS
from pipeline.report.csv_text import csv_head, csv_lines
from pipeline.times import iso, ms_of
from pipeline.warehouse.client import open_warehouse
from pipeline.warehouse.migrate import migrate
from tests.support.actions import action, ndjson
from tests.support.clickhouse_front import Front

Run = Callable[[str], tuple[int, str, str]]
NOW = datetime.now(UTC).replace(microsecond=0)


def today(minutes: float) -> dict[str, str]:
    """So many minutes ago."""
    ts = iso(ms_of((NOW - timedelta(minutes=minutes)).isoformat()))
    return {"ts": ts, "received_at": ts, "day": ts[:10]}


MADE = [
    action("e1", user="alice", device="phone", device_type="phone", traits={"plan": "pro"}, **today(5)),
    action("e2", user="alice", device="laptop", device_type="desktop", name="Order", revenue=10.0, **today(3)),
    action("e3", device="tablet", url="https://x/\x1b[31mred", **today(2)),
    action("e4", user="=cmd()", device="other", **today(60 * 24 * 40)),
]


@pytest.fixture(scope="module")
def url(front: Front) -> Iterator[str]:
    """A server's database with four actions of three persons, one of them long ago."""
    url = front.database_url("cli_reports")
    warehouse = open_warehouse(url)
    migrate(warehouse)
    warehouse.insert_rows("action_log", ndjson(*MADE))
    yield url
    warehouse.close()


@pytest.fixture
def run(url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """A command in this process: exit code, output, errors."""
    monkeypatch.setenv("SEAMLINE_WAREHOUSE", url)
    monkeypatch.setenv("SEAMLINE_DATA", str(tmp_path))

    def run(words: str) -> tuple[int, str, str]:
        code = main(shlex.split(words))
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def test_an_overview_is_a_sentence_and_figures(run: Run) -> None:
    """Of the last 28 days, or of as many as are asked for; JSON is one object."""
    code, printed, errors = run("overview --workspace shop")

    assert (code, errors, printed.splitlines()[0]) == (0, "", "3 devices are 2 persons.")
    assert "devices_per_person  1.500" in printed
    assert json.loads(run("overview --workspace shop --days 60 --json")[1])["devices"] == 4
    assert json.loads(run("overview --workspace nowhere --json")[1])["actions"] == 0


def test_persons_are_listed_searched_and_sorted(run: Run) -> None:
    """With every user ID and trait that is known of them."""
    code, printed, _ = run("persons --workspace shop --sort actions")
    head, _, first, second = printed.splitlines()

    assert (code, head.split()[:3]) == (0, ["user_ids", "person_id", "devices"])
    assert '["alice"]' in first
    assert '{"plan": "pro"}' in first
    assert second.startswith("[]")
    (found,) = map(json.loads, run("persons ALI --workspace shop --json")[1].splitlines())
    assert (found["user_ids"], found["kinds"], found["spent"]) == (["alice"], ["desktop", "phone"], 10)
    assert run("persons carol --workspace shop")[2] == "nobody matches 'carol'\n"
    assert run("persons --workspace nowhere")[2] == "nobody in this period\n"


def test_visits_are_listed_the_latest_first(run: Run) -> None:
    """Control characters cannot move a cursor."""
    code, printed, _ = run("visits --workspace shop")

    assert (code, len(printed.splitlines())) == (0, 5)
    assert "d:tablet" in printed.splitlines()[2]
    assert "\x1b" not in printed
    assert [json.loads(line)["device"] for line in run("visits --workspace shop --json --limit 2")[1].splitlines()] == [
        "d:tablet",
        "d:laptop",
    ]
    assert run("visits --workspace nowhere")[2] == "no visits in this period\n"


def test_two_segments_stand_side_by_side(run: Run) -> None:
    """Signed in against nobody known."""
    code, printed, _ = run("segment signed_in --against 'not signed_in' --workspace shop")

    lines = printed.splitlines()
    assert (code, lines[:2]) == (0, ["A: signed_in", "B: not signed_in"])
    assert lines[4].split() == ["actions", "2", "1"]
    (side,) = map(json.loads, run("segment 'devices >= 2' --workspace shop --json")[1].splitlines())
    assert (side["segment"], side["persons"]) == ("devices >= 2", 1)


def test_an_audience_is_exported(run: Run) -> None:
    """As CSV that runs nothing in a spreadsheet, and as a JSON object a line."""
    code, printed, errors = run("segment 'signed_in' --export csv --workspace shop --days 60")
    rows = list(csv.DictReader(io.StringIO(printed)))

    assert (code, errors, len(rows)) == (0, "", 2)
    assert {row["user_id"] for row in rows} == {"alice", "'=cmd()"}
    alice = next(row for row in rows if row["user_id"] == "alice")
    assert (alice["devices"], json.loads(alice["traits"])) == ("2", {"plan": "pro"})
    told = [json.loads(line) for line in run("segment signed_in --export ndjson --workspace shop")[1].splitlines()]
    assert [(one["user_id"], one["devices"]) for one in told] == [("alice", 2)]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\t=1", "\r=1", "\n=1", "＝1"])
def test_no_cell_is_a_formula(text: str) -> None:
    """Numbers are left alone, quotes and line breaks are quoted."""
    (row,) = csv.reader(io.StringIO(csv_lines(["a", "b", "c"], [{"a": text, "b": -1.5, "c": ['x"', text]}])))

    assert row[0] == f"'{text}"
    assert row[1] == "-1.5"
    assert json.loads(row[2]) == ['x"', text]
    assert csv_head(["a", "b"]) == "a,b\r\n"


def test_any_report_by_name(run: Run) -> None:
    """With its own parameters; without a name, which there are."""
    assert {line.split()[0] for line in run("reports")[1].splitlines()[2:]} == set(REPORTS)
    assert json.loads(run("reports cross_device --workspace shop --set goal=Order --json")[1])["began_on"] == "phone"
    (step,) = run("reports funnel --workspace shop --step 'device = phone' --step Order --json")[1].splitlines()[1:]
    assert json.loads(step) == {"step": 2, "persons": 1, "devices": 0}
    assert run("reports days --workspace shop --from 2020-01-01 --to 2020-02-01")[1].splitlines()[0].startswith("date")
    persons = json.loads(run("persons --workspace shop --json --sort actions --limit 1")[1])["person_id"]
    assert json.loads(run(f"reports known --workspace shop --set persons={persons} --json")[1])["user_ids"] == ["alice"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("overview --from soon", "since: expected a day (2026-11-22) or a time"),
        ("overview --zone Nowhere", "zone: expected the name of a time zone"),
        ("persons --sort name", "sort: expected one of last, first"),
        ("persons --limit many", "limit: expected a number from 1 to 10000"),
        ("reports nothing", "report: expected one of overview"),
        ("reports funnel", "step: expected 1 to 10 steps"),
        ("reports funnel --step 'devices > 2'", "--step: devices > 2\n        ^ devices is about a person"),
        ("reports days --set goal=x", "--set: expected one of nothing, got 'goal'"),
        ("overview --segment 'devices two'", "segment: devices two\n                 ^ devices takes"),
        (
            "segment 'devices >= two' --export csv",
            "segment: devices >= two\n                    ^ devices takes",
        ),
    ],
)
def test_what_cannot_be_asked_is_a_sentence(run: Run, words: str, said: str) -> None:
    """Exit code 2, the place, and nothing on standard output."""
    code, printed, errors = run(f"{words} --workspace shop")

    assert (code, printed, errors[: len(said)]) == (2, "", said)


def test_a_warehouse_that_is_away_is_a_sentence(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 1."""
    monkeypatch.setenv("SEAMLINE_WAREHOUSE", "clickhouse://default@127.0.0.1:1/none")

    for words in ("overview", "persons", "visits", "segment signed_in --export csv", "reports days"):
        code, printed, errors = run(words)
        assert (code, printed, bool(errors.strip())) == (1, "", True), words


def test_colours_and_progress_are_for_terminals(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """On one a table's head is bold, and an export says how far it is."""
    assert "\x1b" not in "".join(map(str, run("persons --workspace shop")))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)

    assert run("persons --workspace shop")[1].startswith("\x1b[1muser_ids")
    assert "\x1b" not in run("persons --workspace shop --json")[1]
    assert "1 persons" in run("segment signed_in --export ndjson --workspace shop")[2]


def test_a_segment_with_a_name_is_taken_wherever_one_is(run: Run) -> None:
    """Saved, listed, used, said anew, taken away; another workspace has names of its own."""
    listed = '{"name": "@many", "segment": "devices >= 2"}\n'
    assert (0, listed, "") == run("segments --save many 'devices >= 2' --workspace shop --json")
    assert (0, listed, "") == run("segments --workspace shop --json")
    assert (0, "", "") == run("segments --workspace other --json")

    by_name, by_words = (run(f"overview --segment '{s}' --workspace shop --json")[1] for s in ("@many", "devices >= 2"))
    assert by_words == by_name
    assert (
        run("segment 'not signed_in' --export csv --workspace shop")[1]
        != run("segment @many --export csv --workspace shop")[1]
    )
    assert (2, "", "segment: @few\n         ^ expected a name that was saved in shop: @many\n") == run(
        "overview --segment @few --workspace shop"
    )

    run("segments --save many 'devices >= 3' --workspace shop")
    assert '"persons": 0' in run("overview --segment @many --workspace shop --json")[1]
    assert (0, "", "") == run("segments --drop many --workspace shop --json")
    assert 2 == run("overview --segment @many --workspace shop")[0]


@pytest.mark.parametrize(
    ("words", "errors"),
    [
        ("--save Many signed_in", "expected a name of 1 to 64 small letters, digits, - and _, got 'Many'"),
        ("--save many 'devices two'", "devices takes"),
        ("--drop nobody", "no segment is called @nobody in shop"),
    ],
)
def test_what_cannot_be_saved_is_said(run: Run, words: str, errors: str) -> None:
    """A name that is none, a segment that is none, a name that nobody gave."""
    code, _, said = run(f"segments {words} --workspace shop")

    assert (2, True) == (code, errors in said)
