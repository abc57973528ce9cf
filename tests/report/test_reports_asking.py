"""How reports are asked: borders, pages, search, what is refused; and small worlds worked out by hand."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
import pytest

from pipeline.identity.ids import user_person
from pipeline.limits import MINUTE_MS
from pipeline.model import Action
from pipeline.questions import to
from pipeline.report.asking import audience, find, known, rows
from pipeline.report.catalogue import REPORTS
from pipeline.report.parameters import Problem
from pipeline.report.reports import Question, question
from pipeline.report.segments.compile import compiled, compiled_step
from pipeline.report.segments.condition import EVERYBODY, Condition
from pipeline.warehouse.client import Warehouse, open_warehouse
from pipeline.warehouse.migrate import migrate
from tests.report import oracle
from tests.report.reported_world import JOINED, PLAIN
from tests.report.test_reports_equal import COMMON, Known, answered, counted, same
from tests.support.actions import action, at, ndjson

Cursor = Callable[[list[Any]], Mapping[str, Any]]
NOON = {"since": at(-60), "until": at(100_000)}
ALICE = user_person("shop", "alice")


class Shown:
    """A workspace of this test's own."""

    def __init__(self, warehouse: Warehouse, workspace: str) -> None:
        self._warehouse = warehouse
        self._workspace = workspace

    def __call__(self, name: str, made: Sequence[Action], steps: Sequence[str] = (), **more: Any) -> list[Any]:
        """A report about these actions, and those before."""
        here = [msgspec.structs.replace(one, workspace=self._workspace) for one in made]
        self._warehouse.insert_rows("action_log", ndjson(*here))
        conditions = [compiled_step(step, number) for number, step in enumerate(steps)]
        values = {"workspace": self._workspace, **NOON, **more}
        met = [one for one in conditions if isinstance(one, Condition)]
        found = rows(to(self._warehouse), name, values, steps=met)
        assert not isinstance(found, Problem), found
        return [list(row.values()) for row in found]


@pytest.fixture(scope="module")
def small(chdb_path: str) -> Iterator[Warehouse]:
    """Migrated, for all small worlds."""
    warehouse = open_warehouse(f"chdb://{chdb_path}?database=small")
    migrate(warehouse)
    yield warehouse
    warehouse.close()


@pytest.fixture
def shown(small: Warehouse, request: pytest.FixtureRequest) -> Shown:
    """Nobody else's actions."""
    return Shown(small, request.node.name)


# --- small worlds ------------------------------------------------------------------------------------------------


def test_an_order_on_the_second_device_needed_two(shown: Shown) -> None:
    """Even when it is the first thing done there; the one before the second device was seen did not."""
    order = {"name": "Order", "revenue": 20.0, "currency": "EUR"}
    made = [
        action("a", 0, user="alice", device="phone", device_type="phone"),
        action("b", 1, user="alice", device="phone", device_type="phone", **order),
        action("c", 50, user="alice", device="laptop", device_type="desktop", **order),
        action("d", 60, user="alice", device="phone", device_type="phone", **order),
        action("e", 70, user="bob", device="tablet", **order),
    ]

    assert shown("cross_device", made) == [
        ["phone", "phone", "EUR", 2, 1, 40.0, 1],
        ["phone", "desktop", "EUR", 1, 1, 20.0, 1],
        ["unknown", "unknown", "EUR", 1, 1, 20.0, 0],
    ]


def test_a_funnel_across_devices_is_one_for_the_person_and_none_for_the_devices(shown: Shown) -> None:
    """The window counts from the first step to its very end; an action is one step; the best start counts."""
    made = [
        action("a", 0, user="alice", device="phone", url="https://x/a"),
        action("b", 10, user="alice", device="laptop", name="Order"),
        action("c", 0, user="bob", device="tablet", url="https://x/a"),
        action("d", 20, user="bob", device="tablet", url="https://x/a", name="Order"),
        action("e", 30, user="bob", device="tablet", name="Order"),
        action("f", 0, user="carl", device="one", name="Order"),
        action("g", 5, user="carl", device="one", url="https://x/a"),
    ]

    assert shown("funnel", made, ["/a", "Order"], within_ms=10 * MINUTE_MS) == [[1, 3, 3], [2, 2, 1]]
    assert shown("funnel", made, ["/a", "Order"], within_ms=10 * MINUTE_MS - 1) == [[1, 3, 3]]


def test_a_hand_over_is_from_visit_to_visit(shown: Shown) -> None:
    """Phone, desktop, phone: two; a visit that began while another ran has no gap; the same kind is none."""
    made = [
        action("a", 0, user="alice", device="phone", device_type="phone"),
        action("b", 20, user="alice", device="phone", device_type="phone"),
        action("c", 10, user="alice", device="laptop", device_type="desktop"),
        action("d", 90, user="alice", device="phone", device_type="phone"),
        action("e", 200, user="alice", device="other", device_type="phone"),
    ]

    assert shown("handovers", made) == [
        ["desktop", "phone", 1, 1, 80 * MINUTE_MS],
        ["phone", "desktop", 1, 1, 0],
    ]


def test_a_campaign_of_the_first_device_is_the_persons(shown: Shown) -> None:
    """First and last touch before the order, wherever they were; one that came after it counts for nothing."""
    made = [
        action("a", 0, user="alice", device="phone", campaign_source="google", campaign_medium="cpc"),
        action("b", 10, user="alice", device="laptop", campaign_source="mail"),
        action("c", 20, user="alice", device="laptop", name="Order", revenue=10.0, currency="EUR"),
        action("d", 30, user="alice", device="laptop", campaign_source="late"),
        action("e", 40, user="bob", device="tablet", name="Order", revenue=5.0, currency="EUR"),
    ]

    assert shown("campaigns", made) == [
        ["", "", "", "EUR", 1, 5.0, 1, 5.0, 1],
        ["mail", "", "", "EUR", 0, 0.0, 1, 10.0, 1],
        ["google", "cpc", "", "EUR", 1, 10.0, 0, 0.0, 1],
    ]


def test_a_period_holds_its_beginning_and_not_its_end(shown: Shown) -> None:
    """To the millisecond; days begin at midnight in the viewer's zone; a client's wrong day does not hide an action."""
    made = [action("a", 0), action("b", 10), action("c", 20, day="2026-08-28"), action("d", 60 * 10.5)]

    assert shown("overview", made, since=at(0), until=at(20))[0][0] == 2
    assert shown("overview", [], since=at(1 / 60_000), until=at(20 + 1 / 60_000))[0][0] == 2
    assert [row[:2] for row in shown("days", [], zone="Europe/Berlin")] == [
        ["2026-09-01", 3],
        ["2026-09-02", 1],
    ]
    assert [row[:2] for row in shown("days", [])] == [["2026-09-01", 4]]


def test_an_empty_workspace_has_an_overview(shown: Shown) -> None:
    """All noughts, and no division by nought."""
    assert shown("overview", []) == [[0] * 12]


# --- pages -------------------------------------------------------------------------------------------------------


def walked(
    page: Callable[[Mapping[str, Any]], list[list[Any]]], cursor: Callable[[list[Any]], Mapping[str, Any]]
) -> list[Any]:
    """All pages of a report, one after another."""
    found: list[Any] = []
    after: Mapping[str, Any] = {}
    while rows := page(after):
        found += rows
        after = cursor(rows[-1])
    return found


@pytest.mark.parametrize(
    ("sort", "ascending"), [("last", "0"), ("first", "1"), ("actions", "0"), ("devices", "1"), ("conversions", "0")]
)
def test_pages_of_persons_are_everybody_once_in_order(reported: Known, sort: str, ascending: str) -> None:
    """Whatever they are sorted by, with ties across pages."""
    ask, _ = reported
    values = {"workspace": PLAIN, "sort": sort, "ascending": ascending}
    columns = REPORTS["persons"].columns
    cursor = lambda row: {"after_rank": row[columns.index("rank")], "after_person": row[0]}  # noqa: E731

    found = walked(lambda after: answered(ask, "persons", {**values, **after, "limit": 20}), cursor)

    assert found == answered(ask, "persons", values)
    by = {"last": "last_action", "first": "first_action"}.get(sort, sort)
    values_of = [row[columns.index(by)] for row in found]
    assert values_of == sorted(values_of, reverse=ascending == "0")
    assert len(found) > 40


def test_pages_of_visits_users_and_journeys_are_the_whole(reported: Known) -> None:
    """In both directions of a journey."""
    ask, known_ = reported
    done = counted(known_, PLAIN)
    person = max(oracle.groups(done, lambda row: row.person).items(), key=lambda one: len(one[1]))[0]
    cursors: dict[str, Callable[[list[Any]], Mapping[str, Any]]] = {
        "visits": lambda row: {"before_ts": row[0], "before_device": row[3], "before_person": row[4]},
        "users": lambda row: {"after_hits": row[2], "after_user": row[0]},
        "journey": lambda row: {"after_ts": row[0], "after_event": row[1], "after_device": row[2]},
        "journey_back": lambda row: {"before_ts": row[0], "before_event": row[1], "before_device": row[2]},
        "audience": lambda row: {"after_person": row[0]},
    }
    for name, cursor in cursors.items():
        values = {"workspace": PLAIN, "person": person}
        found = walked(lambda after: answered(ask, name, {**values, **after, "limit": 40}), cursor)  # noqa: B023
        assert found == answered(ask, name, values), name
        assert len(found) > 10, name


def test_an_audience_comes_in_pages_with_all_that_is_known(reported: Known) -> None:
    """However many they are; names are of all time, figures of the period."""
    ask, known_ = reported
    values = {**COMMON, "workspace": JOINED}
    condition = compiled("signed_in")
    assert isinstance(condition, Condition)

    pages = list(audience(ask, values, condition, page=6))

    found = [row for page in pages for row in page]
    ever = oracle.groups(known_.done[JOINED], lambda row: row.person)
    assert len(pages) > 2
    assert len({row["person_id"] for row in found}) == len(found)
    expected = {row.person for row in counted(known_, JOINED) if row.attribution != "anonymous"}
    assert {row["person_id"] for row in found} == expected
    for row in found:
        assert row["user_ids"] == sorted({one.hit.user_id for one in ever[row["person_id"]]} - {""})
        assert row["traits"] == oracle.traits(ever[row["person_id"]])


# --- search ------------------------------------------------------------------------------------------------------


def test_a_person_is_found_by_what_people_know_of_them(reported: Known) -> None:
    """Part of a user ID, a device, an event ID, part of a trait; in any period they are in."""
    ask, known_ = reported
    done = counted(known_, PLAIN)
    row = next(one for one in done if one.attribution == "backfilled")
    by_trait = {
        person
        for person, theirs in oracle.groups(known_.done[PLAIN], lambda one: one.person).items()
        if any('old\\ "' in str(one.hit.traits.get("plan")) for one in theirs)
    }
    on_device = {one.person for one in known_.done[PLAIN] if one.hit.device == row.hit.device}
    here = {one.person for one in done}
    for search, expected in (
        ("SER1", {one.person for one in known_.done[PLAIN] if "user1" in one.hit.user_id} & here),
        (row.hit.anonymous_id, on_device & here),
        (row.hit.device, on_device & here),
        (row.hit.event_id, {row.person}),
        ('OLD\\ "', by_trait & here),
        ("nobody is called like this", set()),
    ):
        found = rows(ask, "persons", {**COMMON, "workspace": PLAIN, "search": search})
        assert isinstance(found, list)
        assert {one["person_id"] for one in found} == expected, search
        figures = [list(one.values())[:-1] for one in found]
        assert same(oracle.persons([one for one in done if one.person in expected]), figures)
        assert [list(one.values()) for one in found] == answered(ask, "persons", {"workspace": PLAIN, "search": search})


def test_a_whole_user_id_or_device_is_found_at_once(reported: Known) -> None:
    """At any time; under an alias it is the person joined; nobody of another workspace."""
    ask, known_ = reported
    for workspace, user in ((PLAIN, "user4"), (JOINED, "user9")):
        person = next(row.person for row in known_.done[workspace] if row.hit.user_id == user)
        assert find(ask, {**COMMON, "workspace": workspace}, user) == [{"person_id": person, "by_user": True}]
    device = known_.done[PLAIN][0].hit.anonymous_id
    there = {row.person for row in known_.done[PLAIN] if row.hit.anonymous_id == device}
    for search in (device, f"d:{device}"):
        found = find(ask, {**COMMON, "workspace": PLAIN}, search)
        assert not isinstance(found, Problem)
        assert {row["person_id"] for row in found} == there
    assert find(ask, {**COMMON, "workspace": "nowhere"}, device) == []


def test_known_asks_for_many_at_once(reported: Known) -> None:
    """Of everybody, and of nobody."""
    ask, known_ = reported
    ever = {row.person for row in known_.done[PLAIN]}

    assert set(known(ask, {**COMMON, "workspace": PLAIN}, sorted(ever))) == ever
    assert known(ask, {**COMMON, "workspace": PLAIN}, []) == {}


# --- what is refused ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "values", "field"),
    [
        ("nothing", {}, "report"),
        ("overview", {"workspace": ""}, "workspace"),
        ("overview", {"since": None}, "since"),
        ("overview", {"since": "yesterday"}, "since"),
        ("overview", {"since": "1999-12-31"}, "since"),
        ("overview", {"since": "2026-09-01T10:00:00"}, "since"),
        ("overview", {"since": "2026-10-01", "until": "2026-10-01"}, "until"),
        ("overview", {"zone": "Mars/Olympus"}, "zone"),
        ("overview", {"zone": "../etc/passwd"}, "zone"),
        ("overview", {"bots": "perhaps"}, "bots"),
        ("persons", {"sort": "person_id"}, "sort"),
        ("persons", {"limit": 0}, "limit"),
        ("persons", {"limit": 10_001}, "limit"),
        ("persons", {"after_rank": "nan"}, "after_rank"),
        ("persons", {"after_person": "x"}, "after_person"),
        ("journey", {}, "person"),
        ("known", {"persons": "x"}, "persons"),
        ("funnel", {}, "step"),
        ("cross_device", {"goal": 3}, "goal"),
    ],
)
def test_a_wrong_parameter_is_named(name: str, values: Mapping[str, Any], field: str) -> None:
    """With what was expected, and nothing is asked."""
    problem = question(name, {"workspace": "shop", "since": "2026-09-01", "until": "2026-10-01", **values})

    assert isinstance(problem, Problem)
    assert (problem.field, bool(problem.expected)) == (field, True)
    assert str(problem).startswith(f"{field}: expected ")


def test_a_report_about_one_person_takes_no_segment() -> None:
    """It would say nothing."""
    condition = compiled("device = phone")
    assert isinstance(condition, Condition)
    for report in REPORTS.values():
        values = {
            **COMMON,
            "workspace": "shop",
            "person": ALICE,
            "persons": [ALICE],
            "user_person": ALICE,
            "search": "x",
        }
        asked = question(report.name, values, condition, [EVERYBODY])
        assert isinstance(asked, Question if report.segmented else Problem), report.name
