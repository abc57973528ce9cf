"""Readers get answers as data, within limits, and nothing else."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from pipeline.warehouse.client import Result, Warehouse
from pipeline.warehouse.errors import WarehouseRefused
from tests.support.actions import NOON, action, ndjson

HOSTILE = ["'", "a' OR 1=1 --", "\\", "\\'", "x\ty\nz", "`", '"', "é😀", "{a:String}", "%s", "$$", "\x00"]


def test_an_answer_is_columns_and_plain_values(reader: Warehouse) -> None:
    """Times are the log's own ISO text, UUIDs text, 64-bit numbers exact, what is no number is nothing."""
    sql = f"""
        SELECT 1 AS a, toDateTime64('{NOON}', 3, 'UTC') AS t, toUUID('00000000-0000-0000-0000-00000000000a') AS u,
               18446744073709551615 AS big, [1, 2] AS list, nan AS no, true AS yes, NULL AS nil
    """

    assert reader.query(sql) == Result(
        ["a", "t", "u", "big", "list", "no", "yes", "nil"],
        [[1, NOON, "00000000-0000-0000-0000-00000000000a", 18446744073709551615, [1, 2], None, True, None]],
    )
    assert msgspec.json.decode(reader.query_json("SELECT 1 AS a, 'x' AS b")) == {"a": 1, "b": "x"}


@pytest.mark.parametrize("text", HOSTILE)
def test_a_parameter_is_always_a_value(reader: Warehouse, text: str) -> None:
    """No text ends a literal, on either interface, alone or in a list."""
    assert reader.query("SELECT {p:String} AS p", {"p": text}).rows == [[text]]
    assert reader.query("SELECT {p:Array(String)} AS p", {"p": [text, "x"]}).rows == [[[text, "x"]]]


@pytest.mark.parametrize("end", ["", ";", " ; ", "\n-- over\n", "  -- it's"])
def test_a_query_may_end_as_people_end_them(reader: Warehouse, end: str) -> None:
    """Semicolons and comments."""
    assert reader.query(f"SELECT 1{end}").rows == [[1]]


@pytest.mark.parametrize("sql", ["SHOW TABLES", "DESCRIBE actions", "EXPLAIN SELECT 1", "EXISTS TABLE actions"])
def test_looking_around_is_allowed(reader: Warehouse, sql: str) -> None:
    """What an analyst types first."""
    assert reader.query(sql).rows


def test_an_answer_is_never_cut(reader: Warehouse) -> None:
    """At the limit all of it, past it an error."""
    assert len(reader.query("SELECT number FROM numbers(10)", rows_max=10).rows) == 10
    with pytest.raises(WarehouseRefused) as refusal:
        reader.query("SELECT number FROM numbers(11)", rows_max=10)

    assert refusal.value.name == "TOO_MANY_ROWS_OR_BYTES"


def test_a_slow_query_ends(reader: Warehouse) -> None:
    """It is stopped where it is, and says so."""
    with pytest.raises(WarehouseRefused) as refusal:
        reader.query("SELECT sum(cityHash64(number)) FROM numbers(1000000000000)", seconds_max=1)

    assert refusal.value.name == "TIMEOUT_EXCEEDED"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM file('/etc/passwd', 'LineAsString')",
        "SELECT file('/etc/passwd')",
        "SELECT `file`('/etc/passwd')",
        "SELECT \"\\x66ile\"('/etc/passwd')",
        "SELECT FILE /* comment */ ('/etc/passwd')",
        "SELECT length((SELECT file('/etc/passwd')))",
        "WITH x AS (SELECT file('/etc/passwd') AS a) SELECT a FROM x",
        "EXPLAIN SELECT file('/etc/passwd')",
        "SELECT * FROM url('http://127.0.0.1:1/', 'CSV')",
        "SELECT * FROM s3('http://127.0.0.1:1/bucket/key', 'CSV', 'a String')",
        "SELECT * FROM remote('127.0.0.1', system.one)",
        "SELECT * FROM executable('id', TSV, 'a String')",
        "SELECT * FROM python(x)",
        "SELECT reverseDNSQuery('127.0.0.1')",
        "SELECT sleep(1)",
        "SELECT 1 INTO OUTFILE '{tmp}/out'",
        "SELECT 1 into/**/outfile '{tmp}/out' FORMAT CSV",
        "SELECT 1 UNION ALL SELECT 2 INTO OUTFILE '{tmp}/out'",
        "SELECT 1 FORMAT CSV",
        "SELECT 1; SELECT 2",
        "SELECT 1; DROP TABLE action_log",
        "INSERT INTO FUNCTION file('{tmp}/out', 'TSV', 'a String') VALUES ('x')",
        "INSERT INTO migrations (file, checksum) VALUES ('x', 'y')",
        "CREATE TEMPORARY TABLE t (a Int8)",
        "ALTER TABLE action_log DELETE WHERE 1",
        "TRUNCATE TABLE action_log",
        "SELECT 1 SETTINGS readonly = 0",
        "SELECT 1 SETTINGS max_result_rows = 0",
        "SET readonly = 0",
        "KILL QUERY WHERE 1",
        "SYSTEM FLUSH LOGS",
        "SELECT * FROM default.`/etc/passwd`",
        "SELECT",
        "",
    ],
)
def test_a_reader_changes_nothing_and_reaches_nothing_outside(reader: Warehouse, tmp_path: Path, sql: str) -> None:
    """Whatever the text says, and however it spells it."""
    with pytest.raises(WarehouseRefused):
        reader.query(sql.replace("{tmp}", str(tmp_path)))

    assert list(tmp_path.iterdir()) == []
    assert reader.query("SELECT count() FROM action_log").rows == [[0]]


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("SELECT number FROM numbers(11)", "TOO_MANY_ROWS_OR_BYTES"),
        ("SELECT throwIf(number = 5) AS broken FROM numbers(9)", "FUNCTION_THROW_IF_VALUE_IS_NON_ZERO"),
        ("SELECT sum(cityHash64(number)) AS slow FROM numbers(1000000000000)", "TIMEOUT_EXCEEDED"),
    ],
)
def test_an_error_does_not_leak_into_the_next_answer(reader: Warehouse, sql: str, why: str) -> None:
    """The embedded engine keeps the started output of a failed query on its connection."""
    for _ in range(3):
        with pytest.raises(WarehouseRefused) as refusal:
            reader.query(sql, rows_max=10, seconds_max=1)
        assert why == refusal.value.name
        assert reader.query("SELECT 'clean' AS a", rows_max=10, seconds_max=1) == Result(["a"], [["clean"]])


def test_threads_may_share_a_warehouse(warehouse: Warehouse) -> None:
    """Readers beside readers and beside inserts: every answer belongs to its question."""

    def work(number: int) -> list[list[int]]:
        warehouse.insert_rows("action_log", ndjson(action(f"e{number}")))
        return warehouse.query("SELECT {n:UInt32} AS n", {"n": number}).rows

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(work, range(40)))

    assert answers == [[[number]] for number in range(40)]
    assert warehouse.query("SELECT count() FROM actions").rows == [[40]]
