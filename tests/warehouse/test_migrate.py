"""Migrations: in order, once, by anybody at any time, and never changed afterwards."""

import re
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from pipeline.model import Action, DeadLetter, Link
from pipeline.warehouse.client import Warehouse, open_warehouse
from pipeline.warehouse.errors import WarehouseRefused
from pipeline.warehouse.migrate import migrate, migrations, renew_dictionaries
from tests.support.actions import action, ndjson
from tests.support.clickhouse_front import Front

ROOT = Path(__file__).parents[2]
FILES = [migration.file for migration in migrations()]
OBJECTS = {"action_log", "identity_links", "identity_facts", "person_devices", "dead_letters", "log_epochs"} | {
    *("links_staged", "migrations", "actions", "persons", "devices", "visits", "journey", "person_visits"),
    *("person_merges", "canonical_persons", "alias_statements", "suppressions", "attributions"),
    *("user_names", "trait_values", "device_days", "device_days_due", "canonical_keys"),
}


def test_the_files_are_numbered_without_a_gap() -> None:
    """0001, 0002, ... so that their order is plain and two branches cannot both add one unseen."""
    assert [f"{number:04}" for number in range(1, len(FILES) + 1)] == [file[:4] for file in FILES]


def test_every_statement_may_run_twice() -> None:
    """IF NOT EXISTS, OR REPLACE, a setting, or rows that replace themselves: a crash may repeat a file."""
    kept_once = re.compile(r"CREATE TABLE IF NOT EXISTS (\w+).*?\nENGINE = ReplacingMergeTree", re.DOTALL)
    tables = {kept_once.match(one)[1] for file in migrations() for one in file.statements() if kept_once.match(one)}  # type: ignore[index]
    tables.add("device_days_due")  # a set of what is to be done: said twice is said once
    once_only = [
        statement.splitlines()[0]
        for migration in migrations()
        for statement in migration.statements()
        if not any(words in statement for words in ("IF NOT EXISTS", "OR REPLACE", "MODIFY SETTING", "MATERIALIZE "))
        and not (statement.startswith("INSERT INTO") and statement.split()[2] in tables)
    ]

    assert once_only == []


def test_the_first_run_makes_everything_and_the_second_nothing(warehouse_url: str) -> None:
    """`seamline migrate` twice."""
    warehouse = open_warehouse(warehouse_url)

    assert migrate(warehouse) == FILES
    assert migrate(warehouse) == []
    assert {row[0] for row in warehouse.query("SHOW TABLES").rows} >= OBJECTS
    assert warehouse.query("SELECT file FROM migrations FINAL ORDER BY file").rows == [[file] for file in FILES]
    warehouse.close()


def test_what_was_there_before_can_be_found(warehouse_url: str, tmp_path: Path) -> None:
    """A database of an earlier version: its rows are in the tables made since, once, though the file runs twice."""
    warehouse = open_warehouse(warehouse_url)
    earlier = [migration for migration in migrations() if migration.file < "0015"]
    for migration in earlier:
        (tmp_path / migration.file).write_text(migration.sql)
    migrate(warehouse, tmp_path)
    rows = [action("a", user="alice", traits={"plan": "pro"}), action("b", 1, version=1), action("b", 1, version=2)]
    warehouse.insert_rows("action_log", ndjson(*rows))

    migrate(warehouse)
    warehouse.command("TRUNCATE TABLE migrations")
    assert migrate(warehouse) == FILES

    assert [["a", True], ["b", True]] == warehouse.query(
        "SELECT event_id, device_key = cityHash64(device) FROM actions ORDER BY event_id"
    ).rows
    assert [["alice"]] == warehouse.query("SELECT user_id FROM user_names FINAL").rows
    assert [["pro", "a"]] == warehouse.query("SELECT value, event_id FROM trait_values FINAL").rows
    warehouse.close()


def test_dictionaries_can_be_made_anew(warehouse: Warehouse) -> None:
    """After a change of password; what they hold is the same."""
    renew_dictionaries(warehouse)
    unknown = "00000000-0000-0000-0000-000000000001"

    sql = (
        "SELECT toString(dictGetOrDefault('canonical_persons', 'canonical_id', toUUID({p:String}), toUUID({p:String})))"
    )
    assert [[unknown]] == warehouse.query(sql, {"p": unknown}).rows


def test_threads_may_migrate_at_once(warehouse_url: str) -> None:
    """Two stages of one process that start together."""
    warehouse = open_warehouse(warehouse_url)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: migrate(warehouse), range(4)))

    assert migrate(warehouse) == []
    assert warehouse.query("SELECT file FROM migrations FINAL ORDER BY file").rows == [[file] for file in FILES]
    warehouse.close()


def test_two_processes_may_migrate_at_once(front: Front) -> None:
    """Two replicas of a deployment that start together."""
    url = front.database_url("two_processes")
    code = f"from pipeline.warehouse import client, migrate; migrate.migrate(client.open_warehouse({url!r}))"
    processes = [subprocess.Popen([sys.executable, "-c", code], cwd=ROOT) for _ in range(2)]

    assert [process.wait(60) for process in processes] == [0, 0]
    warehouse = open_warehouse(url)
    assert migrate(warehouse) == []
    assert {row[0] for row in warehouse.query("SHOW TABLES").rows} >= OBJECTS
    warehouse.close()


def test_an_applied_file_must_not_change(warehouse_url: str, tmp_path: Path) -> None:
    """What a database is follows from its files; a changed one would make two databases of one version."""
    (tmp_path / "0001_migrations.sql").write_text(migrations()[0].sql)
    (tmp_path / "0002_t.sql").write_text("CREATE TABLE IF NOT EXISTS t (a Int8) ENGINE = Memory;\n")
    warehouse = open_warehouse(warehouse_url)
    assert migrate(warehouse, tmp_path) == ["0001_migrations.sql", "0002_t.sql"]
    (tmp_path / "0002_t.sql").write_text("CREATE TABLE IF NOT EXISTS t (a Int16) ENGINE = Memory;\n")
    (tmp_path / "0003_u.sql").write_text("CREATE TABLE IF NOT EXISTS u (a Int8) ENGINE = Memory;\n")

    with pytest.raises(WarehouseRefused, match=r"0002_t\.sql"):
        migrate(warehouse, tmp_path)

    assert ["u"] not in warehouse.query("SHOW TABLES").rows
    warehouse.close()


def test_statements_end_at_the_end_of_a_line() -> None:
    """A semicolon inside a comment or a text is none."""
    texts = [statement for migration in migrations() for statement in migration.statements()]

    assert {text.split()[0] for text in texts} == {"CREATE", "ALTER", "INSERT"}
    assert [text for text in texts if text.endswith(";") or text.startswith("--")] == []


def test_the_wheel_brings_the_files(tmp_path: Path) -> None:
    """`pip install` and `seamline migrate`, without the repository."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        wheel.extractall(tmp_path / "site")
    code = "from pipeline.warehouse.migrate import migrations; print(*(m.file for m in migrations()))"
    listing = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path / "site", check=True, capture_output=True, text=True
    )

    assert listing.stdout.split() == FILES


@pytest.mark.parametrize(
    ("table", "noun"), [("action_log", Action), ("identity_links", Link), ("dead_letters", DeadLetter)]
)
def test_a_table_has_every_field_of_its_noun_with_the_same_default(
    warehouse: Warehouse, table: str, noun: type[msgspec.Struct]
) -> None:
    """The log leaves a field out when it has its default, so a default that differs would change the row."""
    described = warehouse.query(f"DESCRIBE TABLE {table}").rows
    described = [row for row in described if row[2] != "MATERIALIZED"]  # worked out from the others
    kinds, defaults = {row[0]: row[1] for row in described}, {row[0]: row[3] for row in described}
    fields = {field.name: field.default for field in msgspec.structs.fields(noun)}
    if noun is Action:
        del fields["request_id"]  # on the log for the sake of dead letters: not worth a column of random text

    assert set(kinds) == set(fields)
    for name, default in fields.items():
        if isinstance(default, str) and default:
            assert defaults[name] == f"'{default}'", name
        elif default is None:
            assert kinds[name].startswith("Nullable"), name
        else:
            assert defaults[name] in {"", "false", "'{}'"}, name
