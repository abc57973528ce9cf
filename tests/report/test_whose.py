"""Where a person's actions are is asked once: with it reports say what they say without, and hold together."""

from typing import Any

import msgspec
import pytest

from pipeline.identity.ids import user_person
from pipeline.limits import DEVICES_ASKED_MAX
from pipeline.questions import Questions, to
from pipeline.report.asking import rows
from pipeline.report.catalogue import REPORTS
from pipeline.report.whose import Whose, whose
from pipeline.warehouse.client import DICTIONARIES, Warehouse
from tests.report import oracle
from tests.report.reported_world import JOINED, PARTED, Reported
from tests.report.test_reports_equal import EVER, Known, answered
from tests.support.actions import action, ndjson

ABOUT_ONE = sorted(name for name, one in REPORTS.items() if any(own.name == "person" for own in one.parameters))


def told(ask: Questions, name: str, workspace: str, theirs: Whose | None, person: str = "") -> list[list[Any]]:
    """A report about the person, out of what is known of them, or about whoever goes by this ID."""
    person = theirs.person if theirs else person
    about = {"person": person, "persons": [person], "whose": theirs}
    found = rows(ask, name, {**EVER, "workspace": workspace, "limit": 200, **about})
    assert isinstance(found, list), found
    return [list(row.values()) for row in found]


@pytest.mark.parametrize("name", ABOUT_ONE)
def test_a_report_is_the_same_wherever_it_is_told_to_look(reported: Known, name: str) -> None:
    """By any of a person's IDs: known already, or asked in the same question."""
    ask, known = reported
    for workspace in (JOINED, PARTED):
        person = next(row.person for row in known.done[workspace] if row.hit.user_id == "user7")
        expected = answered(ask, name, {**EVER, "workspace": workspace, "person": person, "limit": 200})
        for user in ("user7", "user9") if workspace == JOINED else ("user7",):
            by_user = user_person(workspace, user)
            assert told(ask, name, workspace, None, by_user) == expected
            assert told(ask, name, workspace, whose(ask, workspace, by_user)) == expected
        assert expected


def test_what_is_known_of_somebody_is_the_same_too(reported: Known) -> None:
    """Names, times and traits, of whoever has the most of them; and of nobody nothing is known."""
    ask, known = reported
    for workspace in (JOINED, PARTED):
        by_person = oracle.groups(known.done[workspace], lambda row: row.person)
        person = max(by_person, key=lambda one: len(oracle.traits(by_person[one])))
        values = {**EVER, "workspace": workspace, "persons": [person]}

        found = rows(ask, "known", {**values, "whose": whose(ask, workspace, person)})

        assert found == rows(ask, "known", values)
        assert isinstance(found, list)
        assert found[0]["traits"] == oracle.traits(by_person[person])
        assert rows(ask, "known", {**values, "workspace": "nowhere", "whose": whose(ask, "nowhere", person)}) == []


def test_who_somebody_is_and_where(reported: Known) -> None:
    """All IDs and devices of somebody joined; those apart again are two; whoever nobody saw was nowhere."""
    ask, known = reported
    users = [user_person(JOINED, user) for user in ("user7", "user9")]
    theirs = whose(ask, JOINED, users[0])

    assert theirs.person == min(users)
    assert sorted(theirs.members) == sorted(users)
    assert theirs.devices is not None
    done = oracle.groups(known.done[JOINED], lambda row: row.person)[theirs.person]
    assert set(theirs.devices) >= {row.hit.device for row in done}
    apart = user_person(PARTED, "user7")
    assert whose(ask, PARTED, apart).members == (apart,)
    nobody = whose(ask, "nowhere", apart)
    assert nobody == Whose(apart, (apart,), ())
    assert [told(ask, name, "nowhere", nobody) for name in ABOUT_ONE] == [[]] * len(ABOUT_ONE)


def test_devices_without_number_or_with_odd_names_are_all_looked_at(stored: tuple[Warehouse, Reported]) -> None:
    """More than travel in an address; and names that SQL, addresses or lists could take for something else."""
    warehouse, _ = stored
    ask = to(warehouse)
    odd = ["a'b", 'a"b', "a\\", "a,b", "[x]", "a\tb", "a\nb", "ä&b=c%20+", "{d:String}", "\\'", "NULL"]
    for workspace, names in (("whose", [f"d{n}" for n in range(DEVICES_ASKED_MAX + 1)]), ("odd names", odd)):
        made = [action(f"e{n}", n, user="alice", device=name, workspace=workspace) for n, name in enumerate(names)]
        warehouse.insert_rows("action_log", ndjson(*made))
        theirs = whose(ask, workspace, user_person(workspace, "alice"))
        found = told(ask, "person_devices", workspace, theirs)
        assert {row[0] for row in found} == {f"d:{name}" for name in names}
        assert (theirs.devices is None) == (workspace == "whose")


def test_who_is_joined_meanwhile_is_somebody_else_until_asked_anew(stored: tuple[Warehouse, Reported]) -> None:
    """Every report of a page is about the person who was told, in whatever moment of it an alias comes."""
    warehouse, _ = stored
    ask = to(warehouse)
    persons = sorted((user_person("meanwhile", user), user) for user in ("ann", "bea"))
    (first, name), (second, other) = persons
    warehouse.insert_rows(
        "action_log",
        ndjson(
            action("a", 0, user=name, device="phone", workspace="meanwhile"),
            action("b", 1, user=other, device="laptop", workspace="meanwhile"),
            action("c", 60, user=name, device="laptop", workspace="meanwhile"),
        ),
    )
    theirs = whose(ask, "meanwhile", second)
    before = {report: told(ask, report, "meanwhile", theirs) for report in ("journey", "person_devices", "known")}
    _join(warehouse, persons)

    assert {report: told(ask, report, "meanwhile", theirs) for report in before} == before
    assert [row[1] for row in before["journey"]] == ["b"]
    anew = whose(ask, "meanwhile", second)
    assert anew.person == first
    assert [row[1] for row in told(ask, "journey", "meanwhile", anew)] == ["a", "b", "c"]
    assert [row[7] for row in told(ask, "person_users", "meanwhile", anew)] == ["said", "said"]


def _join(warehouse: Warehouse, persons: list[tuple[str, str]]) -> None:
    """As the sink writes it."""
    merges = [
        {
            "workspace": "meanwhile", "user_id": user, "person_id": person, "canonical_id": persons[0][0],
            "component": persons[0][0], "users": 2, "event_id": "said", "version": 1,
        }
        for person, user in persons
    ]  # fmt: skip
    warehouse.insert_rows("person_merges", b"\n".join(map(msgspec.json.encode, merges)))
    for dictionary in DICTIONARIES:
        warehouse.command(f"SYSTEM RELOAD DICTIONARY {dictionary}")
