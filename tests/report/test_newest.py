"""Lists that begin with the newest look at little, and say what the whole question says: every page, every cursor."""

from collections.abc import Mapping
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.limits import DAY_MS
from pipeline.model import Action
from pipeline.questions import Questions, to
from pipeline.report import newest
from pipeline.report.catalogue import REPORTS
from pipeline.report.reports import Question, question
from pipeline.report.segments.compile import compiled
from pipeline.report.segments.condition import Condition
from pipeline.times import iso
from pipeline.warehouse.client import Warehouse
from tests.report.reported_world import FORGOTTEN, JOINED, PLAIN, Reported
from tests.report.test_reports_equal import COMMON, Known
from tests.support.actions import action, at, ndjson
from tests.support.generator import END_MS

LIMIT = 20


def whole(ask: Questions, name: str, values: Mapping[str, Any]) -> list[list[Any]]:
    """Out of all actions of the period."""
    asked = question(name, values)
    assert isinstance(asked, Question), asked
    return ask(asked.sql, asked.parameters)[1]


def paged(ask: Questions, name: str, values: Mapping[str, Any], rows_min: int = 1) -> list[list[Any]]:
    """Out of the newest. `rows_min` 1: of so few that mostly more have to be looked at."""
    found = newest.page(ask, name, values, rows_min=rows_min)
    assert found is not None
    columns, rows = found
    assert tuple(columns) == REPORTS[name].columns
    return rows


def after(name: str, row: list[Any]) -> Mapping[str, Any]:
    """The cursor behind a row."""
    if name == "visits":
        return {"before_ts": row[0], "before_device": row[3], "before_person": row[4]}
    return {"after_rank": row[-1], "after_person": row[0]}


@pytest.mark.parametrize(("name", "workspace"), [("visits", FORGOTTEN), ("persons", JOINED)])
def test_pages_of_the_newest_are_those_of_everything(reported: Known, name: str, workspace: str) -> None:
    """One after another, to the end: after late logins, aliases, and an erasure."""
    ask, _ = reported
    values = {**COMMON, "workspace": workspace, "limit": LIMIT}
    everything = whole(ask, name, {**values, "limit": 10_000})
    found: list[list[Any]] = []
    cursor: Mapping[str, Any] = {}
    while page := paged(ask, name, {**values, **cursor}):
        found += page
        cursor = after(name, page[-1])

    assert found == everything
    assert len(found) > 2 * LIMIT


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
@pytest.mark.parametrize("name", ["visits", "persons"])
def test_a_page_of_the_newest_is_the_page_of_everything(reported: Known, name: str, data: st.DataObject) -> None:
    """Of any length, after any cursor, in any period, with bots and without, however much is looked at first."""
    ask, known = reported
    instants = st.integers(END_MS - 40 * DAY_MS, END_MS + DAY_MS)
    since, until = sorted(data.draw(st.tuples(instants, instants).filter(lambda two: two[0] != two[1])))
    values: dict[str, Any] = {
        "workspace": data.draw(st.sampled_from([PLAIN, JOINED])), "since": iso(since), "until": iso(until),
        "bots": data.draw(st.sampled_from("01")), "limit": data.draw(st.integers(1, 20)),
    }  # fmt: skip
    values |= data.draw(st.sampled_from([{}, _somewhere(name, known, data.draw(instants))]))

    assert paged(ask, name, values, data.draw(st.sampled_from([1, 60, 500]))) == whole(ask, name, values)


def _somewhere(name: str, known: Reported, ts_ms: int) -> Mapping[str, Any]:
    """A cursor at an action, or at a time when nobody did anything."""
    row = min(known.done[PLAIN], key=lambda row: abs(row.ts - ts_ms))
    ts_ms = ts_ms if ts_ms % 2 else row.ts
    if name == "visits":
        return {"before_ts": iso(ts_ms), "before_device": row.hit.device, "before_person": row.person}
    return {"after_rank": float(ts_ms), "after_person": row.person}


@pytest.fixture(scope="module")
def odd(stored: tuple[Warehouse, Reported]) -> Questions:
    """Actions whose older versions were at other times, or somebody else's; clocks wrong by days; a long visit."""
    warehouse, _ = stored
    warehouse.insert_rows("action_log", ndjson(*_odd(Random(5))))
    return to(warehouse)


def _odd(rng: Random) -> list[Action]:
    made = []
    for number in range(260):
        minutes = rng.randrange(14 * 24 * 60)
        where: dict[str, Any] = {"device": f"odd{rng.randrange(25)}", "workspace": "odd", "bot": rng.random() < 0.2}
        day = at(rng.choice([minutes, minutes, 12 * 24 * 60]))[:10]
        made.append(action(f"o{number}", minutes, user=rng.choice(["", "", "ann", "bo"]), day=day, version=1, **where))
        if rng.random() < 0.3:
            moved = rng.choice([minutes, rng.randrange(14 * 24 * 60)])
            made.append(action(f"o{number}", moved, user=rng.choice(["", "cy"]), day=day, version=2, **where))
    steady = {"workspace": "odd", "device": "steady", "user": "dee"}
    return [*made, *(action(f"s{number}", 8_000 + 20 * number, version=1, **steady) for number in range(120))]


@pytest.mark.parametrize("name", ["visits", "persons"])
def test_older_versions_and_wrong_clocks_mislead_nobody(odd: Questions, name: str) -> None:
    """A visit of hundreds of actions, too, leaves none out that began before it."""
    values = {"workspace": "odd", "since": at(-60), "until": at(13 * 24 * 60), "limit": 3}
    everything = whole(odd, name, {**values, "limit": 10_000})

    assert paged(odd, name, values) == everything[:3]
    for place in range(2, len(everything) - 1, 13 if name == "visits" else 3):
        cursor = after(name, everything[place])
        assert paged(odd, name, {**values, **cursor}) == everything[place + 1 : place + 4], place
    assert len(everything) > 20


def test_a_page_looks_at_little(reported: Known) -> None:
    """At no more actions than it needs: the whole is not asked where the newest fill it."""
    ask, _ = reported
    values = {**COMMON, "workspace": PLAIN, "limit": 5}
    for name in ("visits", "persons"):
        said: list[str] = []

        def listening(sql: str, parameters: Mapping[str, Any], said: list[str] = said) -> tuple[list[str], list[Any]]:
            said.append(str(parameters.get("newest", "")))
            return ask(sql, parameters)

        assert len(paged(listening, name, values, rows_min=50)) == 5
        assert max(said) > iso(END_MS - 6 * DAY_MS)[:10], "of 25 days, the last are looked at"


def test_what_does_not_begin_with_the_newest_is_asked_as_a_whole(reported: Known) -> None:
    """Other orders, searches, segments, other reports, and what is asked wrongly."""
    ask, _ = reported
    values = {**COMMON, "workspace": PLAIN, "limit": 5}
    segment = compiled("device = phone")
    assert isinstance(segment, Condition)

    assert newest.page(ask, "visits", values, segment) is None
    assert newest.page(ask, "overview", values) is None
    assert newest.page(ask, "visits", {**values, "limit": 0}) is None
    for more in ({"sort": "actions"}, {"ascending": "1"}, {"search": "user1"}, {"limit": 501}):
        assert newest.page(ask, "persons", {**values, **more}) is None
