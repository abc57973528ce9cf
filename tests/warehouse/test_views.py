"""What analysts read: deduplicated actions, persons, devices, visits, journeys."""

import msgspec

from pipeline.identity.ids import device_person, user_person
from pipeline.warehouse.client import Warehouse
from tests.support.actions import action, at, ndjson

ALICE = user_person("shop", "alice")
COLUMNS = [
    *("event_id", "workspace", "site_id", "ts", "received_at", "type", "name", "anonymous_id", "user_id", "person_id"),
    *("attribution", "url", "device_type", "properties"),
]


def test_actions_begin_with_what_everybody_asks_for(warehouse: Warehouse) -> None:
    """And end with all the rest, the version included."""
    columns = warehouse.query("SELECT * FROM actions").columns

    assert columns[: len(COLUMNS)] == COLUMNS
    assert set(columns) - {"stitched_person_id", "device_key"} == set(
        warehouse.query("SELECT * FROM action_log").columns
    )


def test_the_highest_version_of_a_row_is_the_row(warehouse: Warehouse) -> None:
    """In one insert or in several, in any order; before any merge and after it."""
    for versions in ([3, 1, 2], [1, 2, 3], [2, 3, 1]):
        rows = [action("one", name=f"v{version}", version=version, workspace=f"w{versions}") for version in versions]
        warehouse.insert_rows("action_log", ndjson(*rows))
    for version in (2, 1, 3, 1):
        warehouse.insert_rows("action_log", ndjson(action("two", name=f"v{version}", version=version)))

    shown = warehouse.query("SELECT event_id, name FROM actions ORDER BY event_id, workspace").rows
    warehouse.command("OPTIMIZE TABLE action_log FINAL")

    assert shown == [["one", "v3"], ["one", "v3"], ["one", "v3"], ["two", "v3"]]
    assert shown == warehouse.query("SELECT event_id, name FROM actions ORDER BY event_id, workspace").rows


def test_a_row_is_its_workspace_device_day_and_event(warehouse: Warehouse) -> None:
    """Each of the four makes another row; nothing else does."""
    base = action("e")
    others = [{"workspace": "x"}, {"device": "d:other"}, {"day": "2026-08-31"}, {"event_id": "f"}]
    same = [{"user_id": "u"}, {"person_id": ALICE}, {"attribution": "carried"}, {"ts": at(9)}, {"site_id": "x"}]
    changed = [msgspec.structs.replace(base, **change) for change in [{}, *others, *same]]  # type: ignore[arg-type]
    for row in changed:
        warehouse.insert_rows("action_log", ndjson(row))

    assert warehouse.query("SELECT count() FROM actions").rows == [[1 + len(others)]]


def test_ten_years_fit_one_insert(warehouse: Warehouse) -> None:
    """A backfill touches a partition a month; the server's own limit is a hundred."""
    days = [f"{year}-{month:02}-01" for year in range(2010, 2021) for month in range(1, 13)]
    warehouse.insert_rows("action_log", ndjson(*(action(f"e{day}", day=day) for day in days)))

    assert warehouse.query("SELECT count() FROM actions").rows == [[len(days)]]


def test_a_person_is_one_row_across_devices(warehouse: Warehouse) -> None:
    """With how much was seen, where and when."""
    rows = [
        action("a", 0, person_id=ALICE, attribution="backfilled"), action("b", 5, user="alice"),
        action("c", 90, device="laptop", user="alice", site_id="app"), action("d", 1, device="other"),
    ]  # fmt: skip
    warehouse.insert_rows("action_log", ndjson(*rows))

    assert warehouse.query("SELECT * FROM persons WHERE person_id = {p:UUID}", {"p": ALICE}).rows == [
        ["shop", ALICE, ["alice"], at(0), at(90), 3, 2, ["app", "www"], {}]
    ]
    assert warehouse.query("SELECT device, actions, persons, user_ids FROM devices ORDER BY device").rows == [
        ["d:laptop", 1, 1, ["alice"]], ["d:other", 1, 1, []], ["d:phone", 2, 1, ["alice"]],
    ]  # fmt: skip


def test_a_visit_ends_after_thirty_minutes_of_silence(warehouse: Warehouse) -> None:
    """Gaps of less belong to it; another device or person is another visit."""
    ms = 1 / 60_000
    minutes = [0, 10, 40 - ms, 70 - ms, 200]  # 30 minutes less one millisecond, then 30 minutes exactly
    rows = [action(f"e{n}", when, url=f"/{n}", user="alice") for n, when in enumerate(minutes)]
    rows.append(action("x", 5, device="laptop", user="alice", type="track"))
    warehouse.insert_rows("action_log", ndjson(*rows))

    visits = warehouse.query(
        "SELECT device, started_at, ended_at, actions, pages, entry_url, exit_url FROM visits ORDER BY 2, 1"
    ).rows

    assert visits == [
        ["d:phone", at(0), at(40 - ms), 3, 3, "/0", "/2"],
        ["d:laptop", at(5), at(5), 1, 0, "", ""],
        ["d:phone", at(70 - ms), at(70 - ms), 1, 1, "/3", "/3"],
        ["d:phone", at(200), at(200), 1, 1, "/4", "/4"],
    ]
    assert len(warehouse.query("SELECT * FROM person_visits(person = {p:UUID})", {"p": ALICE}).rows) == 4


def test_a_journey_is_one_person_in_time_order_across_devices(warehouse: Warehouse) -> None:
    """And no row that was once theirs and is not any more."""
    rows = [
        action("c", 3, device="phone", user="alice"), action("a", 1, device="laptop", user="alice"),
        action("b", 2, device="phone", person_id=ALICE, attribution="backfilled"), action("x", 2, device="other"),
        action("lost", 2, device="phone", person_id=ALICE, version=1), action("lost", 2, device="phone", version=2),
    ]  # fmt: skip
    warehouse.insert_rows("action_log", ndjson(*rows))

    journey = warehouse.query("SELECT event_id, device FROM journey(person = {p:UUID})", {"p": ALICE}).rows
    nobody = warehouse.query(
        "SELECT event_id FROM journey(person = {p:UUID})", {"p": device_person("shop", "other")}
    ).rows

    assert journey == [["a", "d:laptop"], ["b", "d:phone"], ["c", "d:phone"]]
    assert nobody == [["x"]]


def test_facts_are_a_set_of_logins_and_logouts(warehouse: Warehouse) -> None:
    """Once each with the earliest arrival, however often and in whatever order they come; two that differ are two."""
    login = action("in", 1, user="alice", holds=True, received_at=at(5))
    out = action("out", 2, logout=True, device="phone", received_at=at(2))
    rows = [login, out, action("page", 3), msgspec.structs.replace(login, received_at=at(1), version=7)]
    rows += [msgspec.structs.replace(login, user_id="bob", version=8)]
    for _ in range(2):
        warehouse.insert_rows("action_log", ndjson(*rows))
        rows.reverse()

    facts = warehouse.query(
        """SELECT event_id, ts, user_id, holds, logout, received_at, version
           FROM identity_facts FINAL ORDER BY ts, user_id"""
    ).rows

    assert facts == [
        ["in", at(1), "alice", True, False, at(1), 1],
        ["in", at(1), "bob", True, False, at(5), 8],
        ["out", at(2), "", False, True, at(2), 1],
    ]
