"""What a cluster is told differs from what one node is told in the engines of tables, and in nothing else."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.warehouse.client import Warehouse
from pipeline.warehouse.migration_files import migrations
from pipeline.warehouse.replication import database_of, first, replicated, sources, tables_read

STATEMENTS = [one for migration in migrations() for one in migration.statements()]
KNOWN = sources(STATEMENTS)
MANUAL = Path(__file__).parents[2] / "deploy" / "README.md"
SQL = Path(__file__).parents[2] / "pipeline" / "warehouse" / "sql"
WHOLE = re.compile(r"(--[^\n]*|\s|\()*(SELECT|WITH|INSERT)\b")  # not a part of another text
OURS = [
    path
    for path in sorted(SQL.rglob("*.sql"))
    if path.parent.name not in {"reports", "page"} and WHOLE.match(path.read_text())
]


def test_each_shard_has_a_database_of_its_own() -> None:
    """What is said to one, a mutation above all, is not said to the others."""
    assert "'/clickhouse/databases/shop/{shard}'" in database_of("shop", "main", sharded=True)
    assert "'/clickhouse/databases/shop'" in database_of("shop", "main")


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda text: " ".join(text.split()[:7]))
def test_only_the_engine_of_a_table_changes(statement: str) -> None:
    """Every other word is the same, and every engine of a table that has one is another."""
    told = replicated(statement)

    assert told.replace("ENGINE = Replicated", "ENGINE = ") == statement
    assert told.count("Replicated") == statement.count("MergeTree") == statement.count("ENGINE = ")
    assert replicated(told) == told


def test_the_engine_can_read_all_of_it(reader: Warehouse) -> None:
    """It prints what it was told after parsing, with the engine, without a path."""
    asked = [
        *map(replicated, STATEMENTS),
        database_of("shop", "main"),
        database_of("shop", "main", sharded=True),
        "SYSTEM SYNC REPLICA t LIGHTWEIGHT",
        "SYSTEM SYNC REPLICA ON CLUSTER `main` `shop`.t LIGHTWEIGHT",
        "SYSTEM RELOAD DICTIONARY ON CLUSTER `main` `shop`.d",
        "SYSTEM SYNC DATABASE REPLICA `shop`",
        *re.findall(r"`(SYSTEM DROP [^`]+)`", MANUAL.read_text()),
    ]
    filled = [text.replace("$credentials", "").replace("$database", "shop") for text in asked]
    sql = "SELECT arrayMap(one -> formatQuery(one), {asked:Array(String)})"
    [[printed]] = reader.query(sql, {"asked": filled}, readonly=False).rows

    tables = [text for text in printed if text.startswith("CREATE TABLE")]
    assert len(printed) == len(asked) > len(STATEMENTS) + 6
    assert len(tables) == sum(text.startswith("CREATE TABLE") for text in STATEMENTS)
    assert [text for text in tables if not re.search(r"\nENGINE = Replicated\w*MergeTree(\(\w+\))?\n", text)] == []


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 'ENGINE = MergeTree'",
        "SELECT 'it''s ENGINE = MergeTree', 'a \\' ENGINE = MergeTree'",
        "SELECT 1 -- ENGINE = MergeTree",
        "SELECT 1 /* ENGINE = MergeTree\n */ AS `ENGINE = MergeTree`",
        "SELECT engine = MergeTree FROM t",
        "CREATE TABLE t (a Int8) ENGINE = Memory",
        "ALTER TABLE t MODIFY SETTING old_parts_lifetime = 1",
    ],
)
def test_what_only_looks_like_an_engine_stays(text: str) -> None:
    """In a text, a name or a comment; an engine that keeps no replicas."""
    assert replicated(text) == text


@given(st.text(), st.sampled_from(["MergeTree", "ReplacingMergeTree", "AggregatingMergeTree"]))
def test_no_text_hides_an_engine_behind_it(text: str, engine: str) -> None:
    """Whatever a comment of a column says."""
    quoted = text.replace("\\", "\\\\").replace("'", "\\'")
    made = f"CREATE TABLE t (a Int8 COMMENT '{quoted}') ENGINE = "

    assert replicated(made + f"{engine}(a) ORDER BY a") == made + f"Replicated{engine}(a) ORDER BY a"


def test_every_table_and_view_is_known(reader: Warehouse) -> None:
    """As the engine has them, but for the views that fill tables."""
    sql = "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine != 'MaterializedView'"

    assert {name for (name,) in reader.query(sql, readonly=False).rows} == set(KNOWN)


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.stem)
def test_a_statement_of_ours_waits_for_every_table_it_reads(path: Path) -> None:
    """Each name that is read from is a known one, or made within: none is overlooked."""
    sql = re.sub(r"--[^\n]*", "", path.read_text())
    names = set(re.findall(r"\b(?:FROM|(?<!ARRAY )JOIN)\s+(?!system\.)(\w+)", sql)) - set(
        re.findall(r"(\w+)\s+AS\s*\(", sql)
    )
    names = {name for name in names if not name.startswith("erasing_")}  # every replica has those when they return

    assert names - set(KNOWN) == set()
    assert {table for name in names for table in KNOWN[name]} <= set(tables_read(path.read_text(), KNOWN))


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        ("SELECT 1", []),
        ("SELECT count() FROM dead_letters", ["dead_letters"]),
        ("  -- of links\nSELECT * FROM actions", ["action_log", "person_merges"]),
        ("SYSTEM RELOAD DICTIONARY canonical_persons", ["person_merges"]),
        ("EXISTS TABLE migrations", []),
        ("ALTER TABLE action_log DELETE WHERE 1", []),
        ("DROP TABLE IF EXISTS segments SYNC", []),
    ],
)
def test_what_reads_no_rows_waits_for_nothing(sql: str, tables: list[str]) -> None:
    """Views stand for the tables behind them, a dictionary for what it is loaded from."""
    assert tables_read(sql, KNOWN) == tables


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("SELECT 1", []),
        ("INSERT INTO segments FORMAT JSONEachRow", ["SYSTEM SYNC REPLICA segments LIGHTWEIGHT"]),
        ("ALTER TABLE action_log DELETE WHERE 1", ["SYSTEM SYNC DATABASE REPLICA `shop`"]),
        ("CREATE OR REPLACE VIEW a AS SELECT * FROM segments", ["SYSTEM SYNC DATABASE REPLICA `shop`"]),
        ("KILL MUTATION WHERE 1", []),
    ],
)
def test_a_replica_is_told_first_to_get_what_is_needed(sql: str, told: list[str]) -> None:
    """Rows where they are read, tables where others are made of them."""
    assert first(sql, KNOWN, "shop") == told


def test_a_view_that_was_replaced_reads_what_it_reads_now() -> None:
    """And one made before it reads the same through it."""
    made = sources(
        [
            "CREATE TABLE IF NOT EXISTS a (x Int8) ENGINE = MergeTree",
            "CREATE TABLE IF NOT EXISTS b (x Int8) ENGINE = MergeTree",
            "CREATE VIEW IF NOT EXISTS one AS SELECT x FROM a",
            "CREATE VIEW IF NOT EXISTS other AS SELECT x AS other FROM one",
            "CREATE OR REPLACE VIEW one AS SELECT x FROM b",
        ]
    )

    assert made == {"a": {"a"}, "b": {"b"}, "one": {"b"}, "other": {"b"}}
