"""Statements about persons reach their table whole, as a set, whatever is repeated or refused on the way."""

import msgspec
import pytest

from pipeline.log.port import ALIASES, Append
from pipeline.model import ALIAS_SCHEMA, Alias
from pipeline.sink.sink import ALIAS_GROUP, Sink
from pipeline.warehouse.client import Warehouse
from tests.support.fake_log import FakeLog
from tests.support.faulty_warehouse import Crash, FaultyWarehouse
from tests.support.stitched import raw

SAID = "2026-11-22T09:00:00.000Z"


def _alias(event_id: str, *, withdrawn: bool = False) -> Alias:
    return Alias(
        workspace="shop", event_id=event_id, ts=SAID, received_at=SAID, user_id="alice@new", previous_id="alice",
        withdrawn=withdrawn, authority="secret",
    )  # fmt: skip


def _record(*aliases: Alias) -> Append:
    value = b"\n".join(map(msgspec.json.encode, aliases))
    return Append(ALIASES, 0, value, {"schema": ALIAS_SCHEMA, "count": str(len(aliases))})


def _stored(warehouse: Warehouse) -> list[list[object]]:
    sql = "SELECT event_id, user_id, previous_id, withdrawn, authority FROM alias_statements FINAL ORDER BY event_id"
    return warehouse.query(sql).rows


STORED = [["a", "alice@new", "alice", False, "secret"], ["b", "alice@new", "alice", True, "secret"]]


async def test_statements_and_withdrawals_are_kept(warehouse: Warehouse) -> None:
    """Both, with who said them; then the positions."""
    log = FakeLog(1)
    await log.append([_record(_alias("a"), _alias("b", withdrawn=True))])

    assert 1 == await Sink(log, warehouse).flush_once()
    assert STORED == _stored(warehouse)
    assert {0: 1} == await log.committed(ALIASES, ALIAS_GROUP)


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_crash_around_the_insert_repeats_it(warehouse: Warehouse, when: str) -> None:
    """And a set does not mind."""
    log = FakeLog(1)
    await log.append([_record(_alias("a")), _record(_alias("b", withdrawn=True))])
    faulty = FaultyWarehouse(warehouse)

    def die(step: str) -> None:
        if step == "aliases_staged":
            raise Crash(step)

    setattr(faulty, when, die)
    with pytest.raises(Crash):
        await Sink(log, faulty).flush_once()
    await Sink(log, warehouse).flush_once()

    assert STORED == _stored(warehouse)


async def test_what_is_no_statement_is_buried(warehouse: Warehouse) -> None:
    """The line that no table takes, and a record of another kind; the others stay."""
    log = FakeLog(1)
    bad = Append(ALIASES, 0, b'{"workspace":"shop"}', {"schema": ALIAS_SCHEMA, "count": "1"})
    other = raw(b"x", "alias/9")
    await log.append([_record(_alias("a")), bad, Append(ALIASES, 0, other.value, dict(other.headers))])
    await Sink(log, warehouse).flush_once()

    reasons = "SELECT reason FROM dead_letters FINAL ORDER BY reason"
    assert ["a"] == [row[0] for row in _stored(warehouse)]
    assert [["row_refused"], ["unknown_schema"]] == warehouse.query(reasons).rows
