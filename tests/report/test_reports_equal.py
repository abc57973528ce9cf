"""Every report says what a plain calculation on the actions says: after late logins, aliases, withdrawals, forgets."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from pipeline.limits import DAY_MS
from pipeline.questions import Questions
from pipeline.report.catalogue import REPORTS
from pipeline.report.reports import Question, question
from pipeline.report.segments.compile import compiled, compiled_step
from pipeline.report.segments.condition import Condition
from pipeline.times import iso, ms_of
from tests.report import oracle
from tests.report.reported_world import FORGOTTEN, JOINED, PARTED, PLAIN, WORKSPACES, Done, Reported
from tests.support.generator import END_MS

SINCE, UNTIL, ZONE = END_MS - 25 * DAY_MS, END_MS - 3 * DAY_MS + 12_345, "Europe/Berlin"
EVER = {"since": "2000-01-01", "until": "2100-01-01"}
COMMON = {"since": iso(SINCE), "until": iso(UNTIL), "zone": ZONE, "limit": 10_000}
STEPS = ["page starts with /page", "Signup", "name = Order and revenue > 20"]
MET = [
    lambda row: oracle.path(row).startswith("/page"),
    lambda row: row.hit.name == "Signup",
    lambda row: row.hit.name == "Order" and row.hit.revenue > 20,
]
Known = tuple[Questions, Reported]
Expected = Callable[[list[Done], Reported, str], list[oracle.Row]]

MANY: Mapping[str, tuple[dict[str, Any], Expected]] = {
    "overview": ({}, lambda rows, *_: oracle.overview(rows)),
    "days": ({}, lambda rows, *_: oracle.days(rows, ZONE)),
    "visit_days": ({}, lambda rows, *_: oracle.visit_days(rows, ZONE)),
    "persons": ({}, lambda rows, *_: oracle.persons(rows)),
    "audience": ({}, lambda rows, *_: oracle.audience(rows)),
    "visits": ({}, lambda rows, *_: oracle.visit_log(rows)),
    "users": ({}, lambda rows, *_: oracle.users(rows)),
    "pages": ({}, lambda rows, *_: oracle.pages(rows)),
    "goals": ({}, lambda rows, *_: oracle.goals(rows)),
    "handovers": ({}, lambda rows, *_: oracle.handovers(rows)),
    "cross_device": ({}, lambda rows, *_: oracle.cross_device(rows)),
    "cross_device of a goal": ({"goal": "Signup"}, lambda rows, *_: oracle.cross_device(rows, "Signup")),
    "funnel": ({"within_ms": 5 * DAY_MS}, lambda rows, *_: oracle.funnel(rows, MET, 5 * DAY_MS)),
    "identify_time": ({}, lambda rows, known, w: oracle.identify_time(rows, _before_end(known.done[w]), SINCE)),
    "retention": ({}, lambda rows, *_: oracle.retention(rows, ZONE)),
    "campaigns": ({}, lambda rows, *_: oracle.campaigns(rows)),
    "campaigns of a goal": ({"goal": "Signup"}, lambda rows, *_: oracle.campaigns(rows, "Signup")),
    "identity_health": ({}, lambda rows, known, w: oracle.identity_health(rows, ZONE, _crowded(known, w))),
    "latest": ({}, lambda rows, *_: oracle.latest(rows)),
}
ONE: Mapping[str, Callable[[list[Done]], list[oracle.Row]]] = {
    name: getattr(oracle, name)
    for name in ("person_devices", "person_pages", "person_goals", "person_traits", "person_users", "journey")
} | {"journey_back": oracle.journey, "known": oracle.known}


def answered(ask: Questions, name: str, values: Mapping[str, Any], segment: str = "") -> list[list[Any]]:
    """The rows of a report that has to be there, under the columns it promises."""
    condition = compiled(segment)
    steps = [compiled_step(step, number) for number, step in enumerate(STEPS)] if name == "funnel" else []
    assert isinstance(condition, Condition)
    asked = question(name, {**COMMON, **values}, condition, [step for step in steps if isinstance(step, Condition)])
    assert isinstance(asked, Question), asked
    columns, rows = ask(asked.sql, asked.parameters)
    assert tuple(columns) == REPORTS[name].columns
    return rows


def same(expected: Sequence[oracle.Row], actual: Sequence[Sequence[Any]]) -> bool:
    """In any order, and with sums as exact as a float is."""
    return sorted(map(_plain, expected), key=repr) == sorted(map(_plain, actual), key=repr)


def _plain(row: Sequence[Any]) -> list[Any]:
    return [
        {"none": 0} if value is None else value if isinstance(value, list | dict | str) else float(f"{value:.9g}")
        for value in row
    ]


def _before_end(rows: Sequence[Done]) -> list[Done]:
    return [row for row in rows if row.ts < UNTIL and not row.hit.bot]


def _crowded(known: Reported, workspace: str) -> set[str]:
    return {device for (of, device), users in known.users.items() if of == workspace and len(users) > 1}


def counted(known: Reported, workspace: str) -> list[Done]:
    """What the reports count, unless they are asked for more."""
    return [row for row in _before_end(known.done[workspace]) if row.ts >= SINCE]


@pytest.mark.parametrize("workspace", WORKSPACES)
@pytest.mark.parametrize("name", MANY)
def test_a_report_equals_the_plain_calculation(reported: Known, name: str, workspace: str) -> None:
    """In a period that cuts visits, in another zone, without bots, beside workspaces with the same IDs."""
    ask, known = reported
    values, expected = MANY[name]

    rows = answered(ask, name.split(" ", maxsplit=1)[0], {"workspace": workspace, **values})
    if name == "persons":
        rows = [row[:-1] for row in rows]

    assert rows
    assert same(expected(counted(known, workspace), known, workspace), rows)


@pytest.mark.parametrize("workspace", WORKSPACES)
@pytest.mark.parametrize("name", ONE)
def test_a_persons_report_equals_the_plain_calculation(reported: Known, name: str, workspace: str) -> None:
    """Of the one with most devices and most actions, and of somebody who is nobody; over all time, without bots."""
    ask, known = reported
    by_person = oracle.groups(known.done[workspace], lambda row: row.person)
    busiest = sorted(by_person, key=lambda one: (oracle.devices_in(by_person[one]), len(by_person[one])))[-1:]
    nobody = next(one for one, done in by_person.items() if done[0].attribution == "anonymous")
    for person in [*busiest, nobody] if workspace == JOINED else busiest:
        done = by_person[person]
        if name == "known":
            rows = answered(ask, name, {"workspace": workspace, **EVER, "persons": [person]})
        else:
            done = [row for row in done if not row.hit.bot]
            rows = answered(ask, name, {"workspace": workspace, **EVER, "person": person})
        rows = [row[:-3] for row in rows if row[1]] if name == "person_users" else rows
        assert same(ONE[name](done), rows)


def test_bots_are_counted_when_they_are_asked_for(reported: Known) -> None:
    """And only then."""
    ask, known = reported
    rows = [row for row in known.done[PLAIN] if SINCE <= row.ts < UNTIL]

    assert any(row.hit.bot for row in rows)
    assert same(oracle.overview(rows), answered(ask, "overview", {"workspace": PLAIN, "bots": "1"}))


def test_the_world_has_what_the_reports_are_about(reported: Known) -> None:
    """Logins that came days after what they claimed, hand-overs, people joined, parted and gone."""
    _, known = reported
    first = {}
    for sent in known.arrivals:
        first.setdefault(sent.key, sent)
    late = [sent for sent in first.values() if sent.user_id and sent.received_ms - sent.ts_ms > DAY_MS]
    persons = {workspace: oracle.persons_in(rows) for workspace, rows in known.done.items()}

    assert len(late) > 10
    assert all(sum(oracle.shares(rows)[1:3]) > 100 for rows in known.done.values())
    assert persons[JOINED] == persons[PARTED] - 3
    assert persons[PARTED] == persons[PLAIN]
    assert len(known.done[FORGOTTEN]) < len(known.done[JOINED])
    assert len(oracle.handovers(known.done[PLAIN])) > 3


def test_who_joined_whom_is_said(reported: Known) -> None:
    """Each user ID of a joined person with the statement and its authority; after a withdrawal there is one ID."""
    ask, known = reported
    for workspace, users in ((JOINED, ["user7", "user9"]), (PARTED, ["user7"])):
        person = min(row.person for row in known.done[workspace] if row.hit.user_id in ("user7", "user9"))
        if workspace == PARTED:
            person = next(row.person for row in known.done[workspace] if row.hit.user_id == "user7")
        rows = answered(ask, "person_users", {"workspace": workspace, **EVER, "person": person})
        joined = "said-('user7', 'user9')" if workspace == JOINED else ""
        assert [(row[0], row[7], row[8]) for row in rows] == [(one, joined, "secret" * bool(joined)) for one in users]


def test_statements_are_counted(reported: Known) -> None:
    """Said, withdrawn, and what they come to."""
    ask, _ = reported
    expected = {PLAIN: [0] * 6, JOINED: [3, 0, 5, 2, 0, 0], PARTED: [6, 3, 0, 0, 0, 0]}

    assert expected == {workspace: answered(ask, "aliases", {"workspace": workspace})[0] for workspace in expected}


@pytest.mark.parametrize("name", sorted(REPORTS))
def test_nobody_sees_another_workspace(reported: Known, name: str) -> None:
    """Not even by somebody's own ID: a workspace without hits has nothing to show of them."""
    ask, known = reported
    person = next(row.person for row in known.done[PLAIN] if row.attribution == "identified")
    values = {"workspace": "nowhere", **EVER, "person": person, "persons": [person]}
    values |= {"user_person": person, "search": known.done[PLAIN][0].hit.device} if name == "find" else {}

    rows = answered(ask, name, values)

    assert [row for row in rows if any(value for value in row if not isinstance(value, str))] == []


def test_a_late_login_is_in_the_report(reported: Known) -> None:
    """Pages it claimed are backfilled in the days they were made, not when it came."""
    ask, known = reported
    expected = sum(row.attribution == "backfilled" for row in counted(known, PLAIN))

    assert expected == sum(row[4] for row in answered(ask, "days", {"workspace": PLAIN}))
    assert expected > 20
    assert ms_of(COMMON["since"]) == SINCE
