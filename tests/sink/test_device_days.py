"""Days of devices that were added up say what their rows say, at every moment, whatever happened in between."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.identity.ids import device_person, user_person
from pipeline.model import Action, Merge
from pipeline.questions import to
from pipeline.report import asking
from pipeline.report.reports import Question, question
from pipeline.sink.device_days import DeviceDays
from pipeline.sink.figures import Figures
from pipeline.times import iso, ms_of
from pipeline.warehouse.client import DICTIONARIES, Warehouse
from pipeline.warehouse.erasure import WarehouseErasure
from pipeline.warehouse.errors import WarehouseRefused, WarehouseUnavailable
from tests.support.actions import NOON, action, link, ndjson
from tests.support.deadline import until
from tests.support.faulty_warehouse import FaultyWarehouse

REPORTS = ("overview", "days", "visit_days", "handovers", "retention", "goals", "cross_device")
PERIODS = (
    {"since": "2026-08-31", "until": "2026-09-03", "zone": "UTC"},
    {"since": "2026-08-31T22:00:00Z", "until": "2026-09-01T22:00:00Z", "zone": "Europe/Berlin", "goal": "Signup"},
    {"since": "2026-08-31T18:15:00Z", "until": "2026-09-01T12:15:00Z", "zone": "Asia/Kathmandu", "bots": "1"},
)
QUARTER_MS = 900_000
ROW = st.fixed_dictionaries(
    {
        "number": st.integers(0, 12),
        "device": st.sampled_from(["phone", "tv"]),
        "day": st.sampled_from(["2026-08-31", "2026-09-01"]),  # a clock may have been wrong by a day
        "quarter": st.integers(-50, 50),
        "user": st.sampled_from(["", "alice", "bob"]),
        "attribution": st.sampled_from(["carried", "backfilled"]),
        "bot": st.booleans(),
        "name": st.sampled_from(["", "Signup"]),
        "revenue": st.sampled_from([None, 0.0, 2.5]),
    }
)
# A flush of rows, some of which were there before; or a round: it drops what the one before added up.
STEPS = st.lists(st.one_of(st.lists(ROW, min_size=1, max_size=4), st.sampled_from(["round"])), min_size=1, max_size=9)


@pytest.fixture
def adding(warehouse: Warehouse) -> DeviceDays:
    """What was added up is dropped by the next round."""
    return DeviceDays(warehouse, Figures(), settle_s=0, kept_s=0)


def counted(warehouse: Warehouse, workspace: str = "shop", period: Mapping[str, str] = PERIODS[0]) -> tuple[Any, Any]:
    """Every report of a period: as it is asked, and with every action counted by itself."""
    ask, values = to(warehouse), {"workspace": workspace, **period}
    asked = [asking.rows(ask, name, values) for name in REPORTS]
    plain = [question(name, values) for name in REPORTS]
    alone = [ask(one.sql, one.parameters) for one in plain if isinstance(one, Question)]
    return asked, [[dict(zip(columns, row, strict=True)) for row in rows] for columns, rows in alone]


def due(warehouse: Warehouse) -> set[tuple[str, str]]:
    """(device, day) that wait."""
    return {(d, day) for d, day in warehouse.query("SELECT device, toString(day) FROM device_days_due").rows}


def insert(warehouse: Warehouse, *rows: Action) -> None:
    """As a flush does."""
    warehouse.insert_rows("action_log", ndjson(*rows))


def made(rows: Sequence[Mapping[str, Any]], workspace: str, version: int) -> list[Action]:
    """Rows of one flush: an event that comes again is a newer version of itself."""
    found = {}
    for row in rows:
        event = f"e{row['number']}-{row['device']}-{row['day'][-2:]}"
        user = row["user"]
        ts = iso(ms_of(NOON) + row["quarter"] * QUARTER_MS // 2 + row["number"])
        person = user_person(workspace, user) if user else device_person(workspace, row["device"])
        found[event] = action(
            event, device=row["device"], workspace=workspace, ts=ts, day=row["day"], version=version, bot=row["bot"],
            name=row["name"], revenue=row["revenue"], currency="EUR" if row["revenue"] else "", person_id=person,
            attribution=row["attribution"] if user else "anonymous",
            device_type={"phone": "phone", "tv": ""}[row["device"]],
        )  # fmt: skip
    return list(found.values())


@pytest.fixture(scope="module")
def worlds() -> Iterator[int]:
    """Workspaces that were not used yet."""
    return iter(range(1_000_000))


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, period=st.sampled_from(PERIODS))
def test_reports_are_the_same_whatever_happened_before(
    warehouse: Warehouse, adding: DeviceDays, worlds: Iterator[int], steps: list[Any], period: Mapping[str, str]
) -> None:
    """Rows of several persons, bots, quarters and clocks, rewritten in between, and rounds at any moment."""
    workspace = f"w{next(worlds)}"
    for version, step in enumerate(steps, 1):
        if step == "round":
            adding.round()
        else:
            insert(warehouse, *made(step, workspace, version * 7 % 11))  # what comes late may be of an older version
    asked, plain = counted(warehouse, workspace, period)
    assert asked == plain


def test_what_was_added_up_is_counted_and_only_what_changed_is_read_again(
    warehouse: Warehouse, adding: DeviceDays
) -> None:
    """Sums that were spoilt by hand are believed until a row of their day comes."""
    insert(warehouse, action("a"), action("b", 1, device="tv"))
    adding.round()
    adding.round()
    warehouse.command("ALTER TABLE device_days UPDATE anonymous = 100 WHERE true SETTINGS mutations_sync = 2")

    assert due(warehouse) == set()
    assert overview(warehouse)["actions"] == 200
    insert(warehouse, action("c", 2))
    assert due(warehouse) == {("d:phone", "2026-09-01")}
    assert overview(warehouse)["actions"] == 102
    adding.round()
    assert overview(warehouse)["actions"] == 102


def test_a_link_changes_the_days_it_covers(warehouse: Warehouse, adding: DeviceDays) -> None:
    """A login claims the past: its persons are counted at once, before anything is added up again."""
    insert(warehouse, action("a"), action("b", 1))
    adding.round()
    adding.round()
    warehouse.insert_rows("links_staged", ndjson(link(0, 5, version=9)).replace(b"{", b'{"batch":"one",', 1))
    warehouse.apply_links("one")

    assert due(warehouse) == {("d:phone", "2026-09-01")}
    assert (overview(warehouse)["signed_in_persons"], overview(warehouse)["backfilled"]) == (1, 2)
    adding.round()
    adding.round()
    assert due(warehouse) == set()
    assert (overview(warehouse)["signed_in_persons"], overview(warehouse)["backfilled"]) == (1, 2)


def test_an_alias_counts_without_adding_up_again(warehouse: Warehouse, adding: DeviceDays) -> None:
    """Two users of two devices are one person from the moment the dictionaries know."""
    insert(warehouse, action("a", user="alice"), action("b", 1, device="tv", user="bob"))
    adding.round()
    adding.round()
    assert overview(warehouse)["persons"] == 2
    alice, bob = user_person("shop", "alice"), user_person("shop", "bob")
    merge = Merge(
        workspace="shop", user_id="bob", person_id=bob, canonical_id=alice, component=alice, users=2, version=1
    )
    warehouse.insert_rows("person_merges", ndjson(merge))
    for dictionary in DICTIONARIES:
        warehouse.command(f"SYSTEM RELOAD DICTIONARY {dictionary}")

    assert overview(warehouse)["persons"] == 1
    assert due(warehouse) == set()


def test_a_month_that_was_never_added_up_is_counted_row_by_row(warehouse: Warehouse, adding: DeviceDays) -> None:
    """As after an upgrade: the month waits as a whole, and a round adds up all of it."""
    insert(warehouse, action("a"), action("b", 1, device="tv"))
    warehouse.command("TRUNCATE TABLE device_days_due")
    assert overview(warehouse)["actions"] == 0  # nobody says that anything changed
    warehouse.command("INSERT INTO device_days_due SELECT '', '', toDate('2026-09-01')")

    assert overview(warehouse)["actions"] == 2
    adding.round()
    adding.round()
    assert due(warehouse) == set()
    assert overview(warehouse)["actions"] == 2


def test_what_is_too_much_day_by_day_is_added_up_by_month(
    warehouse: Warehouse, adding: DeviceDays, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a day without a sink: months in shares, in as many statements as it takes, and nothing else."""
    monkeypatch.setattr("pipeline.sink.device_days.DAYS_BY_MONTH_MIN", 2)
    monkeypatch.setattr("pipeline.sink.device_days.ROWS_AT_ONCE", 2)
    for number in range(3):
        insert(warehouse, *(action(f"{number}-{n}", n, device=f"tv{number}") for n in range(2)))
    adding.round()
    adding.round()

    assert due(warehouse) == set()
    assert warehouse.query("SELECT count() FROM device_days").rows == [[3]]
    asked, plain = counted(warehouse)
    assert asked == plain


def test_sums_that_lack_columns_are_refused(warehouse: Warehouse, adding: DeviceDays) -> None:
    """As of a sink of the version before, in a rolling upgrade: its days stay due, and the next sink adds them up."""
    insert(warehouse, action("a"))
    before = "INSERT INTO device_days (workspace, day, device_key, version) SELECT 'shop', '2026-09-01', 1, 1"
    with pytest.raises(WarehouseRefused, match="all_columns"):
        warehouse.command(before)

    adding.round()
    assert warehouse.query("SELECT count(), min(edition) FROM device_days").rows == [[1, 2]]


def test_what_came_this_moment_waits(warehouse: Warehouse, adding: DeviceDays) -> None:
    """Rows and what says that they came are stored one after the other; sums in between would miss them for good."""
    insert(warehouse, action("a"))
    patient = DeviceDays(warehouse, Figures(), settle_s=3_600, kept_s=0)
    for _ in range(2):
        patient.round()

    assert due(warehouse) == {("d:phone", "2026-09-01")}
    assert warehouse.query("SELECT count() FROM device_days").rows == [[0]]


def test_a_round_that_dies_is_done_again(warehouse: Warehouse) -> None:
    """Before, between and after its statements: what is due stays due, and reports never differ."""
    for number, moment in enumerate(("before", "after")):
        insert(warehouse, action(f"a{number}", number, device=f"tv{number}"))
        dying = FaultyWarehouse(warehouse)
        setattr(dying, moment, _die)
        with pytest.raises(WarehouseUnavailable):
            DeviceDays(dying, Figures(), settle_s=0, kept_s=0).round()
        assert (f"d:tv{number}", "2026-09-01") in due(warehouse)
        asked, plain = counted(warehouse)
        assert asked == plain

    adding = DeviceDays(warehouse, Figures(), settle_s=0, kept_s=0)
    adding.round()
    adding.round()
    assert due(warehouse) == set()
    asked, plain = counted(warehouse)
    assert asked == plain


def test_nothing_of_the_forgotten_stays_added_up(warehouse: Warehouse, adding: DeviceDays) -> None:
    """Her own device leaves no day; of a device that another uses too, the day is added up again without her."""
    insert(
        warehouse,
        action("own", user="alice", device="phone"),
        action("shared", 1, user="alice", device="tv"),
        action("his", 2, user="bob", device="tv"),
    )
    adding.round()
    adding.round()
    erasure = WarehouseErasure(warehouse)
    erasure.find("shop", "alice", user_person("shop", "alice"))
    erasure.erase()
    erasure.finish()

    hers = """
        SELECT count() FROM device_days
        WHERE device_key = cityHash64('d:phone')
           OR has(arrayPushBack(slot.person_key, person_key), cityHash64({p:UUID}))
    """
    assert warehouse.query(hers, {"p": user_person("shop", "alice")}).rows == [[0]]
    assert due(warehouse) == {("d:tv", "2026-09-01")}
    for _ in range(3):
        asked, plain = counted(warehouse)
        assert asked == plain
        adding.round()


async def test_the_sink_adds_up_by_itself_and_goes_on_when_that_fails(warehouse: Warehouse) -> None:
    """A round that comes to nothing is counted; the next one does it."""
    insert(warehouse, action("a"))
    figures = Figures()
    failing = FaultyWarehouse(warehouse)
    failing.before = lambda step: None if figures.days_failed else _die(step)
    stop = asyncio.Event()
    watching = asyncio.create_task(DeviceDays(failing, figures, each_s=0.01, settle_s=0, kept_s=0).watch(stop))
    try:
        await until(lambda: not due(warehouse), what="nothing is due")
    finally:
        stop.set()
        await watching

    assert figures.days_failed == 1
    assert figures.days_due == 0
    assert overview(warehouse)["actions"] == 1


def _die(step: str) -> None:
    raise WarehouseUnavailable(step)


def overview(warehouse: Warehouse) -> Mapping[str, Any]:
    """Its only row, of the days around noon."""
    rows = asking.rows(to(warehouse), "overview", {"workspace": "shop", **PERIODS[0]})
    assert isinstance(rows, list)
    return rows[0]
