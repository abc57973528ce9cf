"""What an error means decides whether a row is given up, so it is never guessed."""

import logging
import random

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError, ProgrammingError

from pipeline.warehouse.client import Warehouse, open_warehouse
from pipeline.warehouse.errors import (
    ROW_CODES,
    SERVER_CODES,
    TOO_MUCH_CODES,
    RowsRefused,
    WarehouseRefused,
    WarehouseUnavailable,
    verdict,
)
from tests.support.actions import action, ndjson
from tests.support.clickhouse_front import Front


def test_no_code_is_both_a_rows_fault_and_the_servers() -> None:
    """The two lists part the codes."""
    assert ROW_CODES.keys() & SERVER_CODES.keys() == set()


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (OperationalError("connection refused"), WarehouseUnavailable),
        (DatabaseError("HTTP driver received HTTP status 502"), WarehouseUnavailable),
        (DatabaseError("Code: 252", code=252), WarehouseUnavailable),
        (DatabaseError("Code: 41", code=41), RowsRefused),
        (DatabaseError("Code: 60", code=60), WarehouseRefused),
        (DatabaseError("Code: 987654", code=987654), WarehouseRefused),
        (ProgrammingError("closed"), WarehouseRefused),
    ],
)
def test_only_known_codes_blame_a_row(error: DatabaseError, meaning: type[Exception]) -> None:
    """What is not known to be a row's fault never costs a row."""
    assert type(verdict(error)) is meaning


@pytest.mark.parametrize("code", [*TOO_MUCH_CODES, 202, 60, None])
def test_what_took_too_much_is_told_from_what_is_away_or_wrong(code: int | None) -> None:
    """Whether asking again helps or not: a limit of memory is the server's, a limit of time the question's."""
    assert TOO_MUCH_CODES.get(code or 0, "") == verdict(DatabaseError("said", code=code)).too_much


def test_the_codes_have_the_names_we_give_them(reader: Warehouse) -> None:
    """ClickHouse's own list says the same."""
    codes = ROW_CODES | SERVER_CODES | TOO_MUCH_CODES
    sql = "SELECT c, errorCodeToName(c) FROM (SELECT arrayJoin({c:Array(Int32)}) AS c)"

    assert [[code, name] for code, name in codes.items()] == reader.query(sql, {"c": list(codes)}).rows


@pytest.mark.parametrize(
    "broken", [b'{"ts":"garbage"}', b'{"person_id":"x"}', b'{"version":-1x}', b"garbage", b'{"ts":"2']
)
def test_a_bad_row_is_its_own_fault(warehouse: Warehouse, broken: bytes) -> None:
    """Both interfaces say so."""
    with pytest.raises(RowsRefused):
        warehouse.insert_rows("action_log", ndjson(action("good")) + b"\n" + broken)


JUNK = [b"", b'"', b"{", b"]", b"\\", b"\xff", b"\x00", b"9" * 40, b"-", b"\n"]


def test_no_damage_to_a_row_looks_like_the_servers_fault(warehouse: Warehouse) -> None:
    """Cut, flipped, doubled or filled with anything at any place, a row is stored or it is to blame."""
    chance, whole, refused = random.Random(11), ndjson(action("a", properties={"k": [1, {"x": "y"}]}, revenue=1.5)), 0
    for _ in range(150):
        at, junk = chance.randrange(len(whole)), chance.choice(JUNK)
        cut = chance.choice([whole[at:], whole[at + 1 :], whole[at + 9 :], b""])
        try:
            warehouse.insert_rows("action_log", whole[:at] + junk + cut)
        except RowsRefused:
            refused += 1

    assert refused > 50


@pytest.mark.parametrize("fault", ["down", "error_before", "error_after"])
def test_a_server_in_trouble_is_worth_asking_again(front: Front, fault: str) -> None:
    """Down, failing, or failing to say that it worked."""
    warehouse = open_warehouse(front.database_url("default"))
    assert warehouse.ping()
    front.fault(fault)  # type: ignore[arg-type]
    try:
        with pytest.raises(WarehouseUnavailable):
            warehouse.command("INSERT INTO FUNCTION null('a Int8') VALUES (1)")
    finally:
        front.fault("ok")
    assert warehouse.ping()
    warehouse.close()


def test_a_server_that_is_not_there_is_unavailable_and_keeps_the_parameters_to_itself(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The client and its HTTP library would log the URL, parameters included."""
    warehouse = open_warehouse("clickhouse://127.0.0.1:1/x")
    with caplog.at_level(logging.DEBUG), pytest.raises(WarehouseUnavailable) as away:
        warehouse.query("SELECT {user:String}", {"user": "alice@example.org"})

    assert "refused" in str(away.value)
    assert "alice" not in caplog.text
    assert not warehouse.ping()
    assert away.value.__suppress_context__


def test_a_closed_warehouse_says_so(warehouse_url: str) -> None:
    """A reader that comes during the shutdown."""
    warehouse = open_warehouse(warehouse_url)
    warehouse.close()

    with pytest.raises(WarehouseUnavailable, match="closed"):
        warehouse.query("SELECT 1")
