"""What the manual says for moving from one node to replicas takes everything along, and may be said twice."""

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from pipeline.log.port import ALIASES, Append
from pipeline.model import ALIAS_SCHEMA, Alias
from pipeline.sink.sink import Sink
from pipeline.warehouse.client import Warehouse, open_warehouse
from pipeline.warehouse.migrate import migrate
from tests.support.actions import action, at, link
from tests.support.fake_log import FakeLog
from tests.support.stitched import raw, record, truth

MANUAL = Path(__file__).parents[2] / "deploy" / "README.md"
MOVES = re.findall(r"^ *(INSERT INTO seamline_b\.\w+ SELECT \* FROM seamline\.\w+);$", MANUAL.read_text(), re.M)
# Filled from the others by materialized views; made by `migrate`; on their way for an hour at most.
FOLLOWS = {"person_devices", "user_names", "trait_values", "merge_components", "merged_persons"} | {
    *("device_days_due", "event_id_lengths"),
}
STAYS = {"migrations", "links_staged", "aliases_staged", "device_days"}


@pytest.fixture
def moved(chdb_path: str) -> Iterator[tuple[Warehouse, Warehouse]]:
    """The old database, in use, and the new one, empty."""
    old, new = (open_warehouse(f"chdb://{chdb_path}?database={name}") for name in ("seamline", "seamline_b"))
    migrate(old)
    migrate(new)
    yield old, new
    for warehouse in (old, new):
        warehouse.command(f"DROP DATABASE {warehouse.database}")
        warehouse.close()


async def _used(old: Warehouse) -> None:
    """Rows, links, logins, aliases, dead letters, an epoch, somebody forgotten, a segment with a name."""
    log = FakeLog(1)
    alias = Alias(
        workspace="shop",
        event_id="x",
        ts=at(0),
        received_at=at(0),
        user_id="alice",
        previous_id="al",
        authority="secret",
    )
    await log.append(
        [record(action("a"), action("b", 1, user="alice", traits={"plan": "pro"}), action("c", 2, user="al"))]
    )
    await log.append([record(link(-5, 0, version=2)), raw(b"?", "x/1")])
    await log.append([Append(ALIASES, 0, msgspec.json.encode(alias), {"schema": ALIAS_SCHEMA, "count": "1"})])
    await Sink(log, old).flush_once()
    old.new_epoch("hits")
    old.insert_rows(
        "suppressions", b'{"workspace":"shop","kind":"user","hash":"5e","erased_at":"2026-09-01T00:00:00Z"}'
    )
    old.insert_rows(
        "segments", b'{"workspace":"shop","name":"n","segment":"signed_in","saved_at":"2026-09-01T00:00:00Z"}'
    )


def test_every_table_is_moved_or_follows() -> None:
    """A table that a later version adds has to be thought of here."""
    tables = {move.rpartition(".")[2] for move in MOVES}

    assert [move for move in MOVES if move.split(".")[1].split()[0] != move.rpartition(".")[2]] == []
    assert tables.isdisjoint(FOLLOWS | STAYS)


async def test_all_that_could_be_seen_is_seen_after_it(moved: tuple[Warehouse, Warehouse]) -> None:
    """Actions, persons and why, merges, epochs; twice is once."""
    old, new = moved
    await _used(old)

    for _ in range(2):
        for move in MOVES:
            new.command(move)
    new.command("SYSTEM RELOAD DICTIONARIES")

    names = "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree'"
    tables = {name for (name,) in old.query(names, readonly=False).rows} - STAYS
    assert {move.rpartition(".")[2] for move in MOVES} | FOLLOWS >= tables
    for table in sorted(tables - {"device_days_due"}):
        rows = f"SELECT * FROM {table} FINAL ORDER BY ALL"
        here, there = (warehouse.query(rows, readonly=False).rows for warehouse in (old, new))
        assert here, table
        assert here == there, table
    assert truth(old) == truth(new)
    persons = "SELECT * FROM persons ORDER BY ALL"
    assert old.query(persons).rows == new.query(persons).rows
