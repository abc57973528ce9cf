"""What analysts of a server may read and use is SQL that ClickHouse understands, about tables that are there."""

import re
from collections.abc import Iterator
from pathlib import Path

from pipeline.warehouse.client import Warehouse
from pipeline.warehouse.migrate import migrations

ROOT = Path(__file__).parents[2]
TEXT = re.sub(r"^--.*$", "", (ROOT / "deploy" / "clickhouse" / "analysts.sql").read_text(), flags=re.MULTILINE)
STATEMENTS = [statement.strip() for statement in TEXT.split(";") if statement.strip()]
KEPT_FROM_THEM = {"dead_letters", "suppressions", "links_staged", "aliases_staged", "migrations", "log_epochs"}


def _made() -> Iterator[str]:
    for migration in migrations():
        yield from re.findall(r"CREATE (?:TABLE|VIEW|DICTIONARY) IF NOT EXISTS (\w+)", migration.sql)


def test_each_statement_is_understood(warehouse: Warehouse) -> None:
    """By the parser of the engine itself; what it prints of it, it understands as the same."""

    def printed(statement: str) -> str:
        return str(warehouse.query("SELECT formatQuery({sql:String})", {"sql": statement}).rows[0][0])

    assert len(STATEMENTS) > 5
    for statement in STATEMENTS:
        assert printed(printed(statement)) == printed(statement)


def test_each_limit_is_a_setting_of_the_engine(warehouse: Warehouse) -> None:
    """A misspelt one would be refused by the server, and by nobody here."""
    names = re.findall(r"^    (\w+) = ", TEXT, flags=re.MULTILINE)
    known = {row[0] for row in warehouse.query("SELECT name FROM system.settings").rows}

    assert {"readonly", "max_execution_time", "max_memory_usage"} <= set(names) <= known


def test_what_is_not_for_readers_is_taken_back_by_name() -> None:
    """Raw requests, who was forgotten, and the machinery; each is a table of the migrations."""
    revoked = set(re.findall(r"REVOKE SELECT ON seamline\.(\w+)", TEXT))

    assert revoked == KEPT_FROM_THEM
    assert revoked < set(_made())
    assert "canonical_persons" in set(_made())


def test_readers_can_change_nothing() -> None:
    """No grant but to read."""
    assert re.findall(r"GRANT (.+?) ON", TEXT) == ["SELECT", "dictGet"]
    assert "readonly = 2" in TEXT
