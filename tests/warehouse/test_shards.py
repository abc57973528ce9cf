"""Several shards say what one warehouse says, whatever came to them, and each device is on one of them alone."""

import asyncio
import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any

import msgspec
import pytest

from pipeline.audit.attributions import parameters
from pipeline.audit.check import check
from pipeline.audit.pages import Page
from pipeline.audit.policy import AuditPolicy
from pipeline.identity.ids import user_person
from pipeline.identity.policy import Policy
from pipeline.limits import DAY_MS, OFFSET_BITS, SHARDS_MAX
from pipeline.log.port import ALIASES, DEAD_LETTERS, Append
from pipeline.model import ALIAS_SCHEMA, DEAD_LETTER_SCHEMA, Alias
from pipeline.privacy.forget import Request, erase, find, suppressed
from pipeline.privacy.forget import certificate as certified
from pipeline.questions import to
from pipeline.report import asking
from pipeline.report.catalogue import REPORTS
from pipeline.report.parameters import Problem
from pipeline.report.reports import Question, question
from pipeline.report.segments.compile import compiled, compiled_step
from pipeline.report.segments.condition import Condition
from pipeline.restitching import restitch
from pipeline.sink.device_days import DeviceDays
from pipeline.sink.figures import Figures
from pipeline.sink.sink import Sink
from pipeline.times import iso
from pipeline.warehouse.address import Server
from pipeline.warehouse.client import DICTIONARIES, TABLES, Warehouse, open_warehouse
from pipeline.warehouse.errors import RowsRefused, WarehouseRefused, WarehouseUnavailable
from pipeline.warehouse.handles import Handles
from pipeline.warehouse.migrate import migrate
from pipeline.warehouse.opening import open_store, sharded
from pipeline.warehouse.placement import (
    BY_DEVICE,
    EVERYWHERE,
    OF_A_DEVICE,
    PLACES,
    VIEWS_BY_DEVICE,
    VIEWS_OVER_ALL,
    places,
    shard_of,
)
from pipeline.warehouse.port import Store
from pipeline.warehouse.reading import OVER_ALL, distributed, statements, with_dictionaries_of
from pipeline.warehouse.retention import set_retention
from pipeline.warehouse.shard_erasure import Erasure
from pipeline.warehouse.shards import ShardedWarehouse
from tests.report.reported_world import FORGOTTEN, PARTED, Reported, fill
from tests.support.actions import action, at, link, ndjson
from tests.support.clickhouse_cluster import CLUSTER as REPLICATED
from tests.support.clickhouse_cluster import REPLICAS, Replicas, start_cluster
from tests.support.clickhouse_front import Front
from tests.support.clickhouse_shards import SHARDS, migrated, opened, route, servers, start_shards
from tests.support.clickhouse_wire import Wire
from tests.support.fake_log import FakeLog
from tests.support.faulty_warehouse import Crash, FaultyWarehouse
from tests.support.generator import END_MS, Shape
from tests.support.stitched import record
from tests.warehouse.test_moving import MANUAL, MOVES

SINCE, UNTIL = END_MS - 25 * DAY_MS, END_MS - 3 * DAY_MS
PERIOD = {"since": iso(SINCE), "until": iso(UNTIL), "zone": "Europe/Berlin"}
QUARTERS = {"since": iso(SINCE // DAY_MS * DAY_MS), "until": iso(UNTIL // DAY_MS * DAY_MS)}
# Half of the days are counted as they were added up, and half, as if rows had come since, from their rows.
CHANGED = "INSERT INTO device_days_due SELECT DISTINCT workspace, device, day FROM action_log WHERE device_key % 2 = 0"
STEPS = ["page starts with /page", "Signup", "name = Order and revenue > 20"]
# Of a person, a device, a day: what stands on two shards would be counted twice.
KEYS = {
    "action_log": "event_id", "identity_facts": "event_id", "identity_links": "version", "person_devices": "person_id",
    "trait_values": "value",
}  # fmt: skip
# What is asked of each shard by itself, and of nobody else.
SHAPE = Shape(hits=500, devices=30, days=40, late_days=12, late_share=0.3, changed_share=0.03, workspaces=1)
OWN = re.compile(r"erase/|restitch|apply_links|large_devices|aliases$|suppressed|device_days/|reports/(?!aliases)")
World = tuple[Warehouse, ShardedWarehouse, Reported]


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    """Three servers that only listen."""
    wire = Wire()
    yield wire
    wire.close()


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory, wire: Wire) -> Iterator[Front]:
    """Takes itself for three servers."""
    front = start_shards(tmp_path_factory.mktemp("shards"), wire.port)
    yield front
    front.stop()


@pytest.fixture(scope="module")
def shards(engine: Front) -> Iterator[ShardedWarehouse]:
    """Migrated; a test uses a workspace of its own."""
    with migrated(engine, "w") as warehouse:
        yield warehouse


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replicas]:
    """Two shards, each of three replicas that lag behind one another for ever."""
    cluster = start_cluster(tmp_path_factory.mktemp("fleet"))
    for shard in _shards_of(cluster).shards:
        migrate(shard)
    yield cluster
    cluster.stop()


def _shards_of(cluster: Replicas) -> ShardedWarehouse:
    named = [Server("127.0.0.1", cluster.port, "default", False, f"fleet_{number}") for number in range(2)]
    return sharded(named, route("fleet"), cluster=REPLICATED)


@pytest.fixture(scope="module")
def worlds(engine: Front, shards: ShardedWarehouse) -> Iterator[World]:
    """The same hits, links, aliases, withdrawals and erasures, by the real sink, in one warehouse and in shards."""
    whole = open_warehouse(engine.database_url("whole"))
    migrate(whole)
    for warehouse in (whole, shards):
        known = asyncio.run(fill(warehouse, (PARTED, FORGOTTEN), SHAPE))
        DeviceDays(warehouse, Figures(), settle_s=0, kept_s=0).round()
        warehouse.command(CHANGED)
    yield whole, shards, known
    whole.close()


def test_every_report_is_what_one_warehouse_says(worlds: World) -> None:
    """In a period that cuts visits, over days that were added up, of a segment, of those who are found."""
    whole, shards, known = worlds
    person, device = _on_most_shards(shards, FORGOTTEN), known.done[FORGOTTEN][0].hit.device
    told = {"workspace": FORGOTTEN, "person": person, "persons": [person], "limit": 10_000, **PERIOD}
    parted = {**told, "workspace": PARTED, "person": user_person(PARTED, "user1")}
    asked = [(name, told, "") for name in sorted(REPORTS) if name != "find"]
    asked += [("find", {**told, "user_person": person, "search": device}, "")]
    asked += [(name, {**told, **QUARTERS}, "") for name in ("overview", "days", "cross_device")]
    asked += [("persons", {**told, "search": text}, "") for text in ("user", device)]
    asked += [(name, told, "devices > 1 and did(Order) within 30d") for name in ("overview", "visits", "funnel")]
    asked += [(name, parted, "") for name in ("overview", "persons", "person_users", "aliases", "handovers")]

    said = [(name, values, segment, _answers(whole, name, values, segment)) for name, values, segment in asked]

    assert {name for name, _, _, rows in said if rows} == set(REPORTS)
    for name, values, segment, expected in said:
        assert _answers(shards, name, values, segment) == expected, (name, values, segment)


def _answers(warehouse: Store, name: str, values: Mapping[str, Any], segment: str) -> list[list[Any]]:
    condition = compiled(segment)
    steps = [compiled_step(step, number) for number, step in enumerate(STEPS)] if name == "funnel" else []
    assert isinstance(condition, Condition)
    known = [step for step in steps if isinstance(step, Condition)]
    rows = asking.rows(to(warehouse), name, values, condition, known)
    assert not isinstance(rows, Problem), rows
    return [[_plain(value) for value in row.values()] for row in rows]


def _plain(value: Any) -> Any:
    """Sums are as exact as a float is."""
    return float(f"{value:.9g}") if isinstance(value, float) else value


def _on_most_shards(shards: ShardedWarehouse, workspace: str) -> str:
    """Somebody whose actions stand on as many shards as anybody's: on all, or these tests show nothing."""
    sql = "SELECT DISTINCT toString(person_id) FROM actions WHERE workspace = {w:String}"
    seen = [person for shard in shards.shards for (person,) in shard.query(sql, {"w": workspace}).rows]
    most = max(sorted(set(seen)), key=seen.count)
    assert seen.count(most) == SHARDS
    return most


def test_what_a_shard_is_asked_it_can_answer(engine: Front, shards: ShardedWarehouse, wire: Wire) -> None:
    """Every report's question to another server, as it goes over the wire, is right SQL there, whatever database its
    connection is in; but where sets and values are sent along that were asked for before."""
    asking_all = Warehouse(Handles(Server("127.0.0.1", engine.port, "default", False, "w_wire")), OVER_ALL)
    asking_all.create_database()
    for statement in statements("w_0", distributed("wire", "w_0")):
        asking_all.command(statement)
    elsewhere = open_warehouse(engine.database_url("default"))
    person = user_person(PARTED, "user1")
    told = {"workspace": PARTED, "person": person, "persons": [person], "limit": 100, **PERIOD}
    told |= {"user_person": person, "search": "user"}
    understood = 0
    for name in sorted(REPORTS):
        wire.heard.clear()
        steps = [one for one in [compiled_step(STEPS[0], 0)] if isinstance(one, Condition)] if name == "funnel" else []
        asked = question(name, told, steps=steps)
        assert isinstance(asked, Question)
        asking_all.query(with_dictionaries_of("w_0", asked.sql, DICTIONARIES), asked.parameters)
        assert wire.heard or name == "aliases", name
        for text in set(wire.heard):
            try:
                elsewhere.query(text)
                understood += 1
            except WarehouseRefused as refused:
                assert re.search(r"_data_\d|Scalar `", str(refused)), (name, text)

    assert understood > len(REPORTS)


def test_every_question_of_our_own_is_answered_as_by_one_warehouse(worlds: World) -> None:
    """Of the pages, the audit and its explanations, exports, aliases: every SQL file that asks over everything."""
    whole, shards, known = worlds
    person, hit = _on_most_shards(shards, FORGOTTEN), known.done[FORGOTTEN][0].hit
    values = {
        "workspace": FORGOTTEN, "workspaces": ["", FORGOTTEN], "person": person, "persons": [person], "one": "user1",
        "other": "user2", "user_id": "user1", "users": ["user1", "user2", "user5"], "event": "said-('user1', 'user2')",
        "device": f"d:{hit.device.removeprefix('d:')}", "devices": [row.hit.device for row in known.done[FORGOTTEN]],
        "event_id": hit.event_id, "at": hit.ts, "since": "2000-01-01", "until": "2100-01-01", "zone": "Europe/Berlin",
        "pages": 3, "page": 1, "rows": 100, "limit": 10_000,
        **parameters(Page(FORGOTTEN), AuditPolicy(Policy())),
    }  # fmt: skip
    answered = 0
    for name, sql in _questions():
        asked = {one: values[one] for one in re.findall(r"\{(\w+):", sql)}
        expected, found = (sorted(warehouse.query(sql, asked).rows, key=repr) for warehouse in (whole, shards))
        assert [_whether(name, row) for row in found] == [_whether(name, row) for row in expected], name
        answered += bool(expected)

    assert answered > 20
    found = check(to(shards), AuditPolicy(Policy()), FORGOTTEN)
    assert found == check(to(whole), AuditPolicy(Policy()), FORGOTTEN)
    assert found.rows > 100


def _whether(name: str, row: list[Any]) -> list[Any]:
    """Where a superset is counted whose rows merge in their own time, only whether there are any."""
    return [*row[:-1], bool(row[-1])] if name == "page/canonical" else row


def _questions() -> Iterator[tuple[str, str]]:
    folder = files("pipeline.warehouse").joinpath("sql")
    for part in ("", "page", "audit", "export", "standing", "reports"):
        for file in folder.joinpath(part).iterdir():
            name = f"{part}/{file.name}".strip("/").removesuffix(".sql")
            if file.name.endswith(".sql") and not OWN.search(name):
                yield name, file.read_text()
    for view in ("persons", "person_traits", "devices", "visits", "suspects"):
        yield view, f"SELECT * FROM {view} WHERE workspace IN {(PARTED, FORGOTTEN)} ORDER BY ALL LIMIT 5000"


def test_a_device_is_on_its_shard_and_what_has_none_is_on_all(worlds: World) -> None:
    """Rows, facts, links, days; statements and who is whom. The rule is the same in SQL."""
    _, shards, _ = worlds
    for table, key in KEYS.items():
        rows = [
            _rows(shard, f"SELECT DISTINCT workspace, device, toString({key}) FROM {table}") for shard in shards.shards
        ]
        assert all(rows), table
        assert len({tuple(row) for part in rows for row in part}) == sum(map(len, rows)), table
        for number, part in enumerate(rows):
            assert {shard_of(workspace, device, SHARDS) for workspace, device, _ in part} == {number}, table
            elsewhere = f"SELECT count() FROM {table} WHERE {OF_A_DEVICE} != {number}"
            assert shards.shards[number].query(elsewhere, {"shards": SHARDS}, readonly=False).rows == [[0]]
    for table in ("alias_statements", "person_merges", "merge_components"):
        text = f"SELECT * FROM {table} FINAL WHERE workspace = '{FORGOTTEN}' ORDER BY ALL"
        first, *others = (_rows(shard, text) for shard in shards.shards)
        assert first
        assert others == [first] * (SHARDS - 1), table


def _rows(shard: Warehouse, sql: str) -> list[list[Any]]:
    return shard.query(sql, readonly=False, rows_max=1_000_000).rows


def test_the_manual_leads_from_one_warehouse_to_shards(worlds: World) -> None:
    """Its own statements, on each shard; twice is once, and rows of a device are on its shard alone."""
    whole, shards, _ = worlds
    told = [action(f"e{n}", n, device=f"device{n}", user=f"user{n}", workspace="moved") for n in range(9)]
    whole.insert_rows("action_log", ndjson(*told))
    (condition,) = re.findall(r"^ *(WHERE CRC32.*) % 3 = 0$", MANUAL.read_text(), re.M)
    for number, shard in [*enumerate(shards.shards)] * 2:
        for move in MOVES:
            table = move.rpartition(".")[2]
            chosen = f"{condition} % {SHARDS} = {number} AND" if table in BY_DEVICE else "WHERE"
            if table in ("action_log", "identity_facts", "identity_links", "alias_statements", "person_merges"):
                text = move.replace("seamline_b.", "").replace("seamline.", "whole.")
                shard.command(f"{text} {chosen} workspace = 'moved'")

    seen = "SELECT event_id, p.user_ids FROM actions AS a JOIN persons AS p USING (workspace, person_id)"
    seen += " WHERE a.workspace = 'moved' ORDER BY 1"
    expected = [[f"e{n}", [f"user{n}"]] for n in range(9)]
    assert shards.query(seen).rows == whole.query(seen).rows == expected
    for number, shard in enumerate(shards.shards):
        here = _rows(shard, "SELECT device FROM action_log FINAL WHERE workspace = 'moved'")
        assert sorted(device for (device,) in here) == [
            f"d:device{n}" for n in range(9) if shard_of("moved", f"d:device{n}", SHARDS) == number
        ]


def test_every_table_and_view_has_its_place(shards: ShardedWarehouse) -> None:
    """A new one cannot be forgotten: on the device's shard or on all, answered by each or over all. Readers find it."""
    listed = "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine {} ORDER BY name"
    tables = {name for (name,) in _rows(shards.shards[0], listed.format("LIKE '%MergeTree'"))}
    views = {name for (name,) in _rows(shards.shards[0], listed.format("= 'View'"))}
    read = {name for (name,) in shards.query(listed.format("!= ''")).rows}

    assert tables - {PLACES} == BY_DEVICE | EVERYWHERE
    assert not BY_DEVICE & EVERYWHERE
    assert views == VIEWS_BY_DEVICE | set(VIEWS_OVER_ALL)
    assert read == tables | views
    assert {table for table in TABLES if not table.startswith("erasing_")} <= BY_DEVICE | EVERYWHERE


def _statement(number: int, one: str, other: str, workspace: str) -> Append:
    said = Alias(
        workspace=workspace, event_id=f"said {one}", ts=at(number), received_at=at(number), user_id=one,
        previous_id=other, authority="secret",
    )  # fmt: skip
    return Append(ALIASES, 0, msgspec.json.encode(said), {"schema": ALIAS_SCHEMA, "count": "1"})


def _letter(name: str, workspace: str) -> Append:
    letter = {
        "id": name,
        "reason": "not_json",
        "received_at": at(0),
        "workspace": workspace,
        "payload": "e30=",
    }
    return Append(DEAD_LETTERS, 0, msgspec.json.encode(letter), {"schema": DEAD_LETTER_SCHEMA, "count": "1"})


@pytest.mark.parametrize(
    "step", ["action_log", "links_staged", "apply", "aliases_staged", "person_merges", "dead_letters"]
)
async def test_after_a_crash_between_shards_the_same_once_more_is_as_if_there_was_none(
    engine: Front, shards: ShardedWarehouse, step: str
) -> None:
    """One shard has it and another not: the next sink begins where nothing is committed."""
    devices, users = [f"{step}{number}" for number in range(9)], (f"{step} alice", f"{step} bob")
    log = FakeLog(1)
    await log.append([record(*(action(device, 1, device=device, workspace="crash") for device in devices))])
    await log.append(
        [record(*(link(0, 9, version=5, device=device, user=users[0], workspace="crash") for device in devices))]
    )
    await log.append([_statement(1, *users, "crash"), _letter(step, "crash")])
    broken = [FaultyWarehouse(shard) for shard in shards.shards]
    crashing = ShardedWarehouse(broken, shards._readers, route("w"))

    def crash(done: str) -> None:
        if done == step:
            raise Crash

    broken[1].before = crash
    with pytest.raises(Crash):
        await Sink(log, crashing).flush_once()
    by_device = step in BY_DEVICE or step == "apply"
    assert [one.steps.count(step) for one in broken] == (
        [1, 0, 1] if by_device else [0, 0, 1]
    )  # else the first is last
    await Sink(log, shards).flush_once()

    rows = (
        "SELECT event_id, attribution, version, person_id FROM actions WHERE event_id IN {d:Array(String)} ORDER BY 1"
    )
    smallest = min(user_person("crash", name) for name in users)
    expected = [[device, "backfilled", 5, smallest] for device in devices]
    assert shards.query(rows, {"d": devices}).rows == expected
    for shard in shards.shards:
        merged = (
            f"SELECT user_id, canonical_id FROM person_merges FINAL WHERE startsWith(user_id, '{step} ') ORDER BY 1"
        )
        assert _rows(shard, merged) == [[name, smallest] for name in users]
        assert _rows(shard, f"SELECT id FROM dead_letters FINAL WHERE id = '{step}'") == [[step]]


async def test_whoever_is_forgotten_is_on_no_shard_any_more(shards: ShardedWarehouse) -> None:
    """By all their names, found over all shards, of whom one has lost who they are by alias, as a crash leaves it."""
    workspace, key = "gone", bytes(32)
    log = FakeLog(1)
    rows = [
        action(f"{user} {n}", n, device=f"{device}{n}", user=user, workspace=workspace, traits={"name": user})
        for user, device in (("zeldina", "hers"), ("zelda", "both"), ("robert", "both"))
        for n in range(6)
    ]
    await log.append([record(*rows), _statement(1, "zelda", "zeldina", workspace), _letter("hers", workspace)])
    await Sink(log, shards).flush_once()
    lost = shards.shards[0]
    for table in ("person_merges", "merge_components"):
        lost.command(f"ALTER TABLE {table} DELETE WHERE workspace = '{workspace}' SETTINGS mutations_sync = 2")

    request, erasure = Request(workspace, user_id="zelda"), Erasure(shards)
    made = certified(key, request, iso(END_MS))
    gone = find(erasure, request, key, iso(END_MS))
    erasure.insert("suppressions", suppressed(erasure, made, gone))
    logins = erasure.logins()
    erased = erase(erasure, gone, logins)
    erasure.finish()

    assert gone.users == {"zelda", "zeldina"}
    assert gone.devices == {f"hers{n}" for n in range(6)}
    assert len(logins) == 6
    assert (erased["action_log"], erased["alias_statements"]) == (12, 1)
    assert len({shard_of(workspace, f"d:hers{n}", SHARDS) for n in range(6)}) == SHARDS
    for shard in shards.shards:
        for table in sorted(BY_DEVICE | EVERYWHERE):
            assert _rows(shard, f"SELECT * FROM {table} WHERE toString(tuple(*)) LIKE '%zeld%'") == [], table
        assert _rows(shard, "SELECT name FROM system.tables WHERE name LIKE 'erasing_%'") == []
        assert len(_rows(shard, "SELECT DISTINCT hash FROM suppressions WHERE workspace = 'gone'")) > 6
    seen = shards.query("SELECT event_id FROM actions WHERE workspace = 'gone' ORDER BY 1").rows
    assert seen == [[f"robert {n}"] for n in range(6)]


async def test_shards_of_replicas_are_filled_and_forget_on_every_one(fleet: Replicas) -> None:
    """Sinks whose connections are other replicas' each, and a person whose devices are on both shards."""
    log = FakeLog(1)
    rows = [
        action(f"{user}{n}", n, device=f"{user}{n}", user=user, workspace="shop")
        for user in ("ann", "bob")
        for n in range(6)
    ]
    await log.append([record(*rows), _statement(1, "ann", "anna", "shop"), _letter("fleet", "shop")])
    await log.append([record(*(link(0, 9, version=5, device=f"bob{n}", user="bob") for n in range(6)))])
    await Sink(log, _shards_of(fleet)).flush_once()
    erasure = Erasure(_shards_of(fleet))
    gone = find(erasure, Request("shop", user_id="anna"), bytes(32), iso(END_MS))
    erased = erase(erasure, gone, erasure.logins())
    erasure.purge()
    erasure.finish()

    assert (gone.users, erased["action_log"]) == ({"ann", "anna"}, 6)
    for replica in range(REPLICAS):
        fleet.serve_from(replica)
        left = [_rows(shard, "SELECT event_id FROM action_log") for shard in _shards_of(fleet).shards]
        assert all(left)
        assert sorted(event for part in left for (event,) in part) == [f"bob{n}" for n in range(6)]
        for shard in _shards_of(fleet).shards:
            assert _rows(shard, "SELECT * FROM person_merges") == []


async def test_a_replica_that_is_away_of_any_shard_keeps_an_erasure_from_beginning(fleet: Replicas) -> None:
    """On no shard has anything been done."""
    fleet.away(1)
    fleet.said()
    try:
        with pytest.raises(WarehouseUnavailable, match="2 of 3"):
            Erasure(_shards_of(fleet)).find("shop", "bob", user_person("shop", "bob"))
    finally:
        fleet.away(0)
    assert {one["sql"].split()[0] for one in fleet.said()} == {"SELECT", "SYSTEM"}


def test_restitching_is_each_shards_own(shards: ShardedWarehouse) -> None:
    """Rows that have another person than the facts say get theirs, wherever they are."""
    devices = [f"device{number}" for number in range(9)]
    logins = [
        action(f"in {device}", 1, device=device, user="alice", holds=True, workspace="wrong") for device in devices
    ]
    later = [action(f"on {device}", 2, device=device, workspace="wrong") for device in devices]
    shards.insert_rows("action_log", ndjson(*logins, *later))

    assert restitch(shards, AuditPolicy(Policy()), 7).rows >= len(devices)
    sql = "SELECT DISTINCT attribution, person_id, version FROM actions WHERE workspace = 'wrong' AND user_id = ''"
    assert shards.query(sql).rows == [["carried", user_person("wrong", "alice"), 7 << OFFSET_BITS]]


def test_the_rule_is_the_same_in_sql(shards: ShardedWarehouse) -> None:
    """Whatever stands in a name: the manual's SQL puts rows where the sink puts them."""
    for workspace, device in (("shop", "d:å"), ("Bücher", "u:😀'\\"), ("", ""), ("a b", "h:%20")):
        sql = f"SELECT {OF_A_DEVICE} FROM (SELECT {{w:String}} AS workspace, {{d:String}} AS device)"
        expected = [[shard_of(workspace, device, SHARDS_MAX)]]
        assert shards.query(sql, {"w": workspace, "d": device, "shards": SHARDS_MAX}).rows == expected


def test_an_epoch_is_every_shards(shards: ShardedWarehouse) -> None:
    """Given once, and asked of the one that had it last."""
    epoch = shards.new_epoch("hits", "shards.")

    assert shards.current_epoch("hits", "shards.") == epoch
    assert [shard.current_epoch("hits", "shards.") for shard in shards.shards] == [epoch] * SHARDS


def test_retention_is_every_shards(shards: ShardedWarehouse) -> None:
    """Said once."""
    assert set_retention(shards, {"dead_letters": 90}) == ["dead_letters"]
    assert set_retention(shards, {"dead_letters": 90}) == []


def test_a_row_that_does_not_say_whose_it_is_is_refused(shards: ShardedWarehouse) -> None:
    """Before it could stand anywhere; the sink then finds which one it was."""
    for line in (b"{", b'{"workspace":"shop","device":7}', b'{"workspace":"shop","device":"d:1"}{"workspace":"shop"}'):
        with pytest.raises(RowsRefused, match="a workspace and a device"):
            shards.insert_rows("action_log", ndjson(action("e", workspace="odd")) + b"\n" + line)
    assert shards.query("SELECT count() FROM action_log WHERE workspace = 'odd'").rows == [[0]]


def test_nobody_writes_through_the_readers_tables(shards: ShardedWarehouse) -> None:
    """A row put there would go to any shard."""
    with pytest.raises(WarehouseRefused, match="STORAGE_REQUIRES_PARAMETER"):
        shards._readers[0].insert_rows("action_log", ndjson(action("e", workspace="through")))


def test_another_list_of_shards_is_refused(engine: Front, shards: ShardedWarehouse) -> None:
    """Fewer, in another order, one alone, or one that was a whole warehouse: before anything is done."""
    right = servers(engine, "w")
    fewer = _of(right[:2])
    swapped = _of([right[1], right[0], right[2]])
    alone = open_warehouse(engine.database_url("w_1"))
    before = open_warehouse(engine.database_url("before"))
    migrate(before)

    with pytest.raises(WarehouseRefused, match="has `w_0` as shard 0 of 2, and it is shard 0 of 3"):
        migrate(fewer)
    with pytest.raises(WarehouseRefused, match="has `w_0` as shard 1 of 3, and it is shard 0 of 3"):
        swapped.command("SELECT 1")
    with pytest.raises(WarehouseRefused, match="has `w_1` as the whole warehouse, and it is shard 1 of 3"):
        alone.query("SELECT 1")
    with pytest.raises(WarehouseRefused, match="`before` was filled as one shard, and cannot be shard 0 of 2"):
        migrate(_of([msgspec.structs.replace(one, database="before") for one in right[:2]]))
    with pytest.raises(WarehouseRefused, match="`new_0` is not shard 0 of 3 yet: run `seamline migrate`"):
        open_warehouse(engine.database_url("new_0")).create_database()
        opened(engine, "new").register_log("log", "hits")


def _of(these: list[Any]) -> ShardedWarehouse:
    return sharded(these, route("w"))


def test_a_cluster_of_other_servers_is_refused(engine: Front, shards: ShardedWarehouse) -> None:
    """Readers would see some of the rows, or some of them twice."""
    other = ShardedWarehouse(shards.shards, shards._readers, route("w", "one"))

    try:
        with pytest.raises(WarehouseRefused, match="SEAMLINE_CLICKHOUSE_CLUSTER leads to"):
            migrate(other)
    finally:
        migrate(shards)


@pytest.mark.parametrize(
    ("url", "cluster", "why"),
    [
        ("clickhouse://a/x,clickhouse://b/x", "", "the name of their cluster"),
        ("clickhouse://a/x,clickhouse://b/y", "c", "one name of a database"),
        ("clickhouse://a/x,clickhouse://a/x", "c", "one of them twice"),
        ("clickhouse://a/x,chdb:///x", "c", "clickhouse:// servers"),
        (",".join(f"clickhouse://h{n}/x" for n in range(SHARDS_MAX + 1)), "c", f"2 to {SHARDS_MAX} shards"),
    ],
)
def test_what_cannot_be_shards_is_said(url: str, cluster: str, why: str) -> None:
    """Before anything is opened."""
    with pytest.raises(ValueError, match=why):
        open_store(url, cluster=cluster)
    assert [str(place) for place in places(2)] == ["shard 0 of 2", "shard 1 of 2"]
