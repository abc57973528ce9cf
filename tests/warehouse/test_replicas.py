"""On replicas that lag behind one another for ever, everybody who must see what was written sees it."""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from pipeline.identity.ids import user_person
from pipeline.log.port import ALIASES, STITCHED, Append
from pipeline.model import ALIAS_SCHEMA, Alias
from pipeline.orders import keep_segment
from pipeline.questions import questions
from pipeline.report.saved import Saved
from pipeline.settings import load_settings
from pipeline.sink.sink import GROUP, Sink
from pipeline.warehouse.client import Warehouse, open_warehouse
from pipeline.warehouse.erasure import CONDITIONS, WarehouseErasure
from pipeline.warehouse.errors import ReplicaChanged, WarehouseRefused, WarehouseUnavailable
from pipeline.warehouse.migrate import migrate, migrations, renew_dictionaries
from pipeline.warehouse.replication import replicated
from pipeline.warehouse.retention import set_retention
from tests.support.actions import action, at, link, ndjson
from tests.support.clickhouse_cluster import CLUSTER, REPLICAS, Replicas, start_cluster
from tests.support.fake_log import FakeLog
from tests.support.stitched import record

EVERY = range(REPLICAS)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replicas]:
    """Migrated, as `fleet`; a test uses a workspace of its own."""
    cluster = start_cluster(tmp_path_factory.mktemp("cluster"))
    migrate(_on(cluster, 0))
    yield cluster
    cluster.stop()


@pytest.fixture
def fleet(cluster: Replicas) -> Replicas:
    """The same, all there, new connections in turn, and nothing said yet."""
    cluster.serve_from(*EVERY)
    cluster.away(0)
    cluster.said()
    return cluster


def _on(cluster: Replicas, replica: int) -> Warehouse:
    """A warehouse whose connections are all that replica's."""
    cluster.serve_from(replica)
    return open_warehouse(cluster.database_url("fleet"), cluster=CLUSTER)


def _seen(cluster: Replicas, sql: str, **params: Any) -> list[list[list[Any]]]:
    """What each replica shows who has caught up."""
    return [_on(cluster, replica).query(sql, params, readonly=False).rows for replica in EVERY]


def test_the_same_migrations_make_replicated_tables_everywhere(fleet: Replicas) -> None:
    """Each file once, whoever runs it; the stand-in refuses a table that is not replicated."""
    files = [migration.file for migration in migrations()]
    made = sum(one.startswith("CREATE TABLE") for migration in migrations() for one in migration.statements())

    for replica in EVERY:
        assert [] == migrate(_on(fleet, replica))
    assert _seen(fleet, "SELECT file FROM migrations FINAL ORDER BY file") == [[[file] for file in files]] * REPLICAS
    count = "SELECT count() FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree'"
    assert _seen(fleet, count) == [[[made]]] * REPLICAS


async def test_links_find_rows_that_another_sink_put_on_another_replica(fleet: Replicas) -> None:
    """Each flush is another sink's on the next replica, which has neither the rows before it nor knows of them."""
    log = FakeLog(1)
    for number in range(6):
        row = action(f"e{number}", number, workspace="links")
        await log.append([record(row), record(link(0, number, version=number + 2, workspace="links"))])
        await Sink(log, _on(fleet, number % REPLICAS)).flush_once()

    assert await log.committed(STITCHED, GROUP) == {0: 12}
    sql = "SELECT event_id, attribution, version FROM actions WHERE workspace = 'links' ORDER BY 1"
    expected = [[f"e{n}", "backfilled", 7 if n < 6 else 0] for n in range(6)]
    assert _seen(fleet, sql) == [expected] * REPLICAS


async def test_a_statement_joins_with_what_was_said_on_another_replica(fleet: Replicas) -> None:
    """A chain of aliases, each link of it said to another replica, is one person."""
    log, names = FakeLog(1), ["a", "b", "c", "d", "e"]
    for number, (one, other) in enumerate(pairwise(names)):
        said = Alias(
            workspace="said", event_id=one, ts=at(number), received_at=at(number), user_id=one, previous_id=other,
            authority="secret",
        )  # fmt: skip
        await log.append([Append(ALIASES, 0, msgspec.json.encode(said), {"schema": ALIAS_SCHEMA, "count": "1"})])
        await Sink(log, _on(fleet, number % REPLICAS)).flush_once()

    smallest = min(user_person("said", name) for name in names)
    sql = "SELECT DISTINCT toString(canonical_id), users FROM person_merges FINAL WHERE workspace = 'said'"
    assert _seen(fleet, sql) == [[[smallest, len(names)]]] * REPLICAS


def test_after_a_move_between_catching_up_and_asking_it_begins_again(fleet: Replicas) -> None:
    """A balancer or a fail-over sends the second request elsewhere: refused there, and asked anew, both of it."""
    _on(fleet, 0).insert_rows("action_log", ndjson(action("e", workspace="moved")))
    asking = _on(fleet, 2)
    fleet.said()
    fleet.move_next()

    sql = "SELECT event_id FROM action_log WHERE workspace = 'moved'"
    assert asking.query(sql, readonly=False).rows == [["e"]]
    told = [one["sql"] for one in fleet.said() if "moved" in one["sql"] or "SYNC" in one["sql"]]
    assert [text.split()[0] for text in told] == ["SYSTEM", "SYSTEM", "SELECT"]


def test_a_balancer_that_never_keeps_a_connection_is_said_to_be_at_fault(
    fleet: Replicas, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not for ever: the statement is not run anywhere."""
    asking = _on(fleet, 0)
    lend = asking._handles.lend

    def moving(settings: Any) -> Any:
        fleet.move_next()
        return lend(settings)

    monkeypatch.setattr(asking._handles, "lend", moving)
    with pytest.raises(ReplicaChanged):
        asking.query("SELECT count() FROM action_log", readonly=False)


def test_readers_do_not_wait(fleet: Replicas) -> None:
    """A question from a page or a person goes to the replica as it is."""
    _on(fleet, 1).query("SELECT count() FROM actions")

    assert [one["sql"] for one in fleet.said() if "SYNC" in one["sql"]] == []


def test_every_insert_is_on_most_replicas_and_swallows_no_block(fleet: Replicas) -> None:
    """Of rows, of what is selected, and of what a migration fills; one at a time is nobody's condition."""
    warehouse = _on(fleet, 0)
    warehouse.insert_rows("action_log", ndjson(action("e", workspace="quorum")))
    warehouse.apply_links("none")
    new_epoch = warehouse.new_epoch("quorum-hits")
    filling = [one for migration in migrations() for one in migration.statements() if one.startswith("INSERT INTO")]
    warehouse.command(filling[0])

    inserts = [one for one in fleet.said() if re.match(r"\s*INSERT", one["sql"])]
    expected = {
        "async_insert": "0",
        "insert_quorum": "auto",
        "insert_quorum_parallel": "1",
        "insert_deduplicate": "0",
        "deduplicate_insert": "disable",
        "deduplicate_insert_select": "disable",
        "deduplicate_blocks_in_dependent_materialized_views": "0",
    }
    assert new_epoch > 0
    assert len(inserts) == 4
    assert [{name: one["settings"].get(name) for name in expected} for one in inserts] == [expected] * 4


def test_too_few_replicas_is_a_reason_to_wait(fleet: Replicas) -> None:
    """The sink tries again until most of them are back; nothing was stored meanwhile."""
    warehouse = _on(fleet, 0)
    fleet.away(2)

    with pytest.raises(WarehouseUnavailable):
        warehouse.insert_rows("action_log", ndjson(action("e", workspace="few")))

    fleet.away(0)
    assert _seen(fleet, "SELECT count() FROM action_log WHERE workspace = 'few'") == [[[0]]] * REPLICAS


def test_rows_that_were_erased_come_in_again(fleet: Replicas) -> None:
    """The very bytes: a replay after an erasure that was undone."""
    warehouse, rows = _on(fleet, 0), ndjson(action("e", workspace="again"))
    warehouse.insert_rows("action_log", rows)
    warehouse.command("ALTER TABLE action_log DELETE WHERE workspace = 'again' SETTINGS mutations_sync = 2")
    warehouse.insert_rows("action_log", rows)

    assert _seen(fleet, "SELECT count() FROM action_log WHERE workspace = 'again'") == [[[1]]] * REPLICAS


def _shop(cluster: Replicas, workspace: str) -> None:
    """Alice, whom an alias joins with Alicia, on a phone of hers, and on a tablet that Bob uses too."""
    persons = {name: user_person(workspace, name) for name in ("alice", "alicia", "bob")}
    rows = [
        action("hers", 0, user="alice", device="phone", workspace=workspace, traits={"plan": "pro"}),
        action("his too", 1, user="alice", device="tablet", workspace=workspace),
        action("of bob", 2, user="bob", device="tablet", workspace=workspace),
        action("as alicia", 3, user="alicia", device="laptop", workspace=workspace),
    ]
    for replica, row in enumerate(rows):
        _on(cluster, replica % REPLICAS).insert_rows("action_log", ndjson(row))
    joined = {
        "canonical_id": min(persons["alice"], persons["alicia"]),
        "component": persons["alicia"],
        "users": 2,
        "version": 1,
    }
    merges = [
        {
            "workspace": workspace,
            "user_id": name,
            "person_id": persons[name],
            "refused": False,
            "event_id": "x",
            **joined,
        }
        for name in ("alice", "alicia")
    ]
    _on(cluster, 1).insert_rows("person_merges", b"\n".join(map(msgspec.json.encode, merges)))


def test_an_erasure_reaches_every_replica_and_leaves_no_name(fleet: Replicas) -> None:
    """Mutations run on each replica, with the names that it has; then no replica has those names any more."""
    _shop(fleet, "erased")
    erasure = WarehouseErasure(_on(fleet, 2))
    fleet.said()
    erasure.find("erased", "alice", user_person("erased", "alice"))

    assert {name for name, _ in erasure.users()} == {"alice", "alicia"}
    assert set(erasure.devices()) == {"d:phone", "d:laptop"}
    gone = erasure.erase()
    erasure.purge()
    erasure.finish()

    assert gone["action_log"] == 3
    left = "SELECT event_id FROM action_log WHERE workspace = 'erased'"
    assert _seen(fleet, left) == [[["of bob"]]] * REPLICAS
    for table in ("identity_facts", "user_names", "trait_values", "person_merges", "merge_components"):
        users = f"SELECT count() FROM {table} WHERE workspace = 'erased' AND toString(tuple(*)) LIKE '%ali%'"
        assert _seen(fleet, users) == [[[0]]] * REPLICAS, table
    staged = "SELECT name FROM system.tables WHERE startsWith(name, 'erasing_')"
    assert _seen(fleet, staged) == [[]] * REPLICAS
    parts = f"SELECT count() FROM system.parts WHERE NOT active AND table IN {tuple(CONDITIONS)}"
    assert _seen(fleet, parts) == [[[0]]] * REPLICAS
    said = fleet.said()
    names = [one for one in said if re.match(r"\s*INSERT INTO erasing_", one["sql"])]
    assert names and {one["settings"]["insert_quorum"] for one in names} == {str(REPLICAS)}


def test_while_a_replica_is_away_nobody_is_forgotten(fleet: Replicas) -> None:
    """It would keep them, and the certificate would say that they are gone."""
    _shop(fleet, "kept")
    erasure = WarehouseErasure(_on(fleet, 0))
    fleet.away(1)
    fleet.said()

    with pytest.raises(WarehouseUnavailable, match="2 of 3"):
        erasure.find("kept", "alice", user_person("kept", "alice"))

    assert {one["sql"].split()[0] for one in fleet.said()} == {"SELECT", "SYSTEM"}


def test_the_setting_reaches_who_orders_and_who_asks(fleet: Replicas) -> None:
    """By the environment alone."""
    settings = load_settings(
        {"SEAMLINE_WAREHOUSE": fleet.database_url("fleet"), "SEAMLINE_CLICKHOUSE_CLUSTER": CLUSTER}
    )
    keep_segment(settings, Saved("named", "loyal", "signed_in", at(0)))
    with questions(settings) as ask:
        assert ask("SELECT 1 AS one", {}) == (["one"], [[1]])

    inserts = [one for one in fleet.said() if one["sql"].startswith("INSERT INTO segments")]
    assert [one["settings"]["insert_quorum"] for one in inserts] == ["auto"]


def test_retention_and_dictionaries_are_every_replicas(fleet: Replicas) -> None:
    """Said once, to any."""
    assert set_retention(_on(fleet, 0), {"dead_letters": 90}) == ["dead_letters"]
    assert set_retention(_on(fleet, 2), {"dead_letters": 90}) == []
    renew_dictionaries(_on(fleet, 1))
    known = "SELECT count() > 0 FROM system.dictionaries WHERE database = currentDatabase()"

    assert _seen(fleet, known) == [[[1]]] * REPLICAS


def test_a_database_of_one_node_is_not_taken_for_a_cluster(fleet: Replicas) -> None:
    """Nor the other way round: half of the tables would be replicated."""
    alone = open_warehouse(fleet.database_url("alone"))
    migrate(alone)

    with pytest.raises(WarehouseRefused, match="`alone` is a database of one node"):
        migrate(open_warehouse(fleet.database_url("alone"), cluster=CLUSTER))
    with pytest.raises(WarehouseRefused, match="`fleet` is a database of a cluster"):
        migrate(open_warehouse(fleet.database_url("fleet")))


def test_whoever_takes_a_cluster_for_one_node_is_refused_before_anything_is_done(fleet: Replicas) -> None:
    """A `forget` without the setting would erase on one replica, a sink would store on one."""
    mistaken = open_warehouse(fleet.database_url("fleet"))

    for call in (
        lambda: WarehouseErasure(mistaken).find("shop", "alice", user_person("shop", "alice")),
        lambda: mistaken.insert_rows("action_log", ndjson(action("e", workspace="mistaken"))),
        lambda: mistaken.query("SELECT 1"),
    ):
        with pytest.raises(WarehouseRefused, match="name that in SEAMLINE_CLICKHOUSE_CLUSTER"):
            call()
    assert {one["sql"].split()[0] for one in fleet.said()} == {"SELECT"}


def test_another_clusters_name_is_refused(fleet: Replicas) -> None:
    """By the server, before anything is made."""
    with pytest.raises(WarehouseRefused, match="CLUSTER_DOESNT_EXIST"):
        migrate(open_warehouse(fleet.database_url("other"), cluster="four"))


def test_the_stand_in_refuses_a_table_of_one_replica(fleet: Replicas) -> None:
    """So that these tests can fail."""
    statement = "CREATE TABLE IF NOT EXISTS lonely (a Int8) ENGINE = MergeTree ORDER BY a"

    with pytest.raises(WarehouseRefused, match="not replicated"):
        _on(fleet, 0).command(statement)
    _on(fleet, 0).command(replicated(statement))
    _on(fleet, 0).command("DROP TABLE lonely SYNC")
