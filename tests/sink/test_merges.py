"""Who is one person, as reports see it: joined by statements, apart again without them, whatever order they came in."""

from collections.abc import Sequence
from itertools import pairwise
from random import Random
from typing import Any

import msgspec
import pytest

from pipeline.identity.aliases import Aliases
from pipeline.identity.ids import user_person
from pipeline.limits import USERS_PER_PERSON_MAX
from pipeline.log.port import ALIASES, Append
from pipeline.model import ALIAS_SCHEMA, Alias
from pipeline.sink import merges as sink_merges
from pipeline.sink.sink import Sink
from pipeline.times import iso
from pipeline.warehouse.client import Warehouse
from tests.support.actions import action, ndjson
from tests.support.fake_log import FakeLog
from tests.support.faulty_warehouse import Crash, FaultyWarehouse

START_MS = 1_770_000_000_000
PERSONS = "SELECT user_ids, actions FROM persons WHERE workspace = 'shop' ORDER BY user_ids"


def said(one: str, other: str, number: int, *, withdrawn: bool = False, authority: Any = "secret") -> Alias:
    ts = iso(START_MS + number)
    return Alias(
        workspace="shop", event_id=f"e{number}", ts=ts, received_at=ts, user_id=one, previous_id=other,
        withdrawn=withdrawn, authority=authority,
    )  # fmt: skip


def record(statements: Sequence[Alias]) -> Append:
    value = b"\n".join(map(msgspec.json.encode, statements))
    return Append(ALIASES, 0, value, {"schema": ALIAS_SCHEMA, "count": str(len(statements))})


async def tell(warehouse: Warehouse, *flushes: Sequence[Alias]) -> None:
    """Each in a flush of its own."""
    log = FakeLog(1)
    sink = Sink(log, warehouse)
    for statements in flushes:
        await log.append([record(statements)])
        await sink.flush_once()


def merged(warehouse: Warehouse) -> dict[str, str]:
    """User to canonical person, of those the dictionary knows."""
    sql = """
        SELECT user_id, dictGet('canonical_persons', 'canonical_id', person_id) FROM person_merges FINAL
        WHERE dictHas('canonical_persons', person_id) ORDER BY user_id
    """
    return dict(warehouse.query(sql).rows)


def expected(statements: Sequence[Alias]) -> dict[str, str]:
    """The core's answer, without those who are their component's person themselves."""
    aliases = Aliases("shop")
    for statement in statements:
        aliases.fold(statement)
    found = aliases.resolve().canonical
    return {user: person for user, person in found.items() if person != user_person("shop", user)}


def rows(warehouse: Warehouse, users: str) -> None:
    """One action of each of these users, on a device of their own."""
    made = [action(f"of-{u}", n, device=f"d{u}", user=u) for n, u in enumerate(users)]
    warehouse.insert_rows("action_log", ndjson(*made))


async def test_reports_show_one_person(warehouse: Warehouse) -> None:
    """Actions, persons and journeys, asked by any of the IDs; an un-alias restores what was before, row by row."""
    rows(warehouse, "abc")
    everything = "SELECT * FROM actions ORDER BY event_id"
    before = warehouse.query(everything).rows
    await tell(warehouse, [said("a", "b", 1)])

    assert [[["a", "b"], 2], [["c"], 1]] == warehouse.query(PERSONS).rows
    for user in "ab":
        sql, asked = "SELECT event_id FROM journey(person = {p:UUID})", {"p": user_person("shop", user)}
        assert [["of-a"], ["of-b"]] == warehouse.query(sql, asked).rows
        assert 2 == len(warehouse.query("SELECT 1 FROM person_visits(person = {p:UUID})", asked).rows)

    await tell(warehouse, [said("b", "a", 2, withdrawn=True)])
    assert [[["a"], 1], [["b"], 1], [["c"], 1]] == warehouse.query(PERSONS).rows
    assert before == warehouse.query(everything).rows


async def test_a_merge_names_the_statement_that_made_it(warehouse: Warehouse) -> None:
    """The newest of those that name the user; a withdrawal too."""
    named = "SELECT user_id, event_id FROM person_merges FINAL ORDER BY user_id"
    await tell(warehouse, [said("a", "b", 1), said("b", "c", 2)])
    assert [["a", "e1"], ["b", "e2"], ["c", "e2"]] == warehouse.query(named).rows

    await tell(warehouse, [said("b", "a", 3, withdrawn=True)])
    assert [["a", "e3"], ["b", "e3"], ["c", "e2"]] == warehouse.query(named).rows


async def test_any_order_and_any_flushes_make_the_same(warehouse: Warehouse) -> None:
    """And what the core says of all statements at once."""
    rng = Random(11)
    users = [f"u{n}" for n in range(14)]
    statements = [
        said(
            *rng.sample(users, 2), n, withdrawn=rng.random() < 0.3, authority=rng.choice(["page", "secret", "operator"])
        )
        for n in range(40)
    ]
    for _ in range(4):
        for table in ("alias_statements", "person_merges", "merge_components", "merged_persons"):
            warehouse.command(f"TRUNCATE TABLE {table}")
        told = rng.sample([*statements, *statements[:15]], 55)
        borders = sorted([0, *rng.sample(range(1, 55), 6), 55])
        await tell(warehouse, *[told[a:b] for a, b in pairwise(borders)])

        assert expected(statements) == merged(warehouse)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", ["aliases_staged", "person_merges", "SYSTEM RELOAD DICTIONARY canonical_persons"])
async def test_a_crash_at_any_step_is_repaired_by_the_next_reading(warehouse: Warehouse, when: str, step: str) -> None:
    """What was said is not lost, and the components are whole."""
    log = FakeLog(1)
    await log.append([record([said("a", "b", 1), said("b", "c", 2)])])
    faulty = FaultyWarehouse(warehouse)

    def die(at: str) -> None:
        if at == step:
            raise Crash(at)

    setattr(faulty, when, die)
    with pytest.raises(Crash):
        await Sink(log, faulty).flush_once()
    await Sink(log, warehouse).flush_once()

    assert expected([said("a", "b", 1), said("b", "c", 2)]) == merged(warehouse)


async def test_too_many_users_are_nobody(warehouse: Warehouse) -> None:
    """The statement that makes it too large takes the whole component apart; its withdrawal puts it together again."""
    crowd = [said("hub", f"u{n:03}", n) for n in range(USERS_PER_PERSON_MAX)]
    await tell(warehouse, crowd[1:])
    assert USERS_PER_PERSON_MAX - 1 == len(merged(warehouse))

    await tell(warehouse, crowd[:1])
    refused = "SELECT countIf(refused), any(users) FROM person_merges FINAL"
    assert {} == merged(warehouse)
    assert [[USERS_PER_PERSON_MAX + 1] * 2] == warehouse.query(refused).rows

    await tell(warehouse, [said("hub", "u000", 999, withdrawn=True)])
    assert USERS_PER_PERSON_MAX - 1 == len(merged(warehouse))


async def test_a_component_past_the_bound_is_frozen(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """It stays refused and is not read any more; whoever is joined to it is refused too, and the neighbours are not."""
    monkeypatch.setattr(sink_merges, "CONNECTED_USERS_MAX", 60)
    await tell(warehouse, [said("hub", f"u{n:03}", n) for n in range(61)])
    await tell(warehouse, [said("x", "y", 100)], [said("y", "u007", 101), said("p", "q", 102)])

    frozen = "SELECT user_id FROM person_merges FINAL WHERE refused AND user_id NOT LIKE 'u%' ORDER BY 1"
    assert [["hub"], ["x"], ["y"]] == warehouse.query(frozen).rows
    assert expected([said("p", "q", 102)]) == merged(warehouse)


async def test_a_late_writer_who_knew_less_changes_nothing(warehouse: Warehouse) -> None:
    """One that lost the partition and writes after its successor: fewer statements are a lower version."""
    await tell(warehouse, [said("a", "b", 1)])
    old = warehouse.query_json("SELECT * FROM person_merges FINAL")
    await tell(warehouse, [said("a", "b", 2, withdrawn=True)])
    warehouse.insert_rows("person_merges", old)
    warehouse.command("SYSTEM RELOAD DICTIONARY canonical_persons")

    assert {} == merged(warehouse)


async def test_traits_follow_the_person(warehouse: Warehouse) -> None:
    """The latest value of a key by event time, across devices and aliases; else the earliest of `traits_once`."""
    await tell(warehouse, [said("a", "b", 1)])
    made = [
        action("1", 0, user="a", traits={"plan": "free", "seats": 2, "gone": 1}, traits_once={"source": "ad"}),
        action("2", 5, user="b", device="laptop", traits={"plan": "pro"}, traits_once={"source": "mail", "plan": "x"}),
        action("3", 9, user="a", traits={"gone": None}),
        action("4", 5, user="b", device="laptop", traits={"plan": "pro+"}),
        action("5", 0, user="c", traits={"plan": "other"}),
    ]
    Random(3).shuffle(made)
    for row in made:
        warehouse.insert_rows("action_log", ndjson(row))

    traits = "SELECT user_ids, traits FROM persons ORDER BY user_ids"
    assert [
        [["a", "b"], {"plan": "pro+", "seats": "2", "source": "ad"}],
        [["c"], {"plan": "other"}],
    ] == warehouse.query(traits).rows
