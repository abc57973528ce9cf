"""A line that no table takes ends in `dead_letters` with its bytes, and costs nobody else anything."""

import base64
import random

import msgspec
import pytest

from pipeline.log.port import DEAD_LETTERS, STITCHED, Append
from pipeline.model import DEAD_LETTER_SCHEMA, DeadLetter
from pipeline.sink.poison import insert_good
from pipeline.sink.sink import GROUP, Sink
from pipeline.warehouse.client import Warehouse
from pipeline.warehouse.errors import RowsRefused, WarehouseUnavailable
from tests.support.actions import NOON, action, link, ndjson
from tests.support.fake_log import FakeLog
from tests.support.stitched import raw, record, shown

BAD_TIME = b'{"workspace":"shop","site_id":"www","event_id":"bad","ts":"yesterday"}'


def dead(warehouse: Warehouse) -> list[tuple[str, str, str, bytes]]:
    """Source, reason, detail, original bytes."""
    rows = warehouse.query("SELECT source, reason, detail, payload FROM dead_letters FINAL ORDER BY id").rows
    return [(source, reason, detail, base64.b64decode(payload)) for source, reason, detail, payload in rows]


async def test_one_bad_row_among_good_ones(warehouse: Warehouse) -> None:
    """The good ones are seen, the bad one is kept with where it stood and whose it was."""
    log = FakeLog(1)
    good = ndjson(*(action(f"a{n}") for n in range(5)))
    await log.append([record(action("x")), raw(good + b"\n" + BAD_TIME + b"\n" + ndjson(action("b")))])
    await Sink(log, warehouse).flush_once()

    assert sorted(shown(warehouse)) == ["a0", "a1", "a2", "a3", "a4", "b", "x"]
    assert dead(warehouse) == [("stitched/0/1/5", "row_refused", "CANNOT_PARSE_DATETIME", BAD_TIME)]
    assert warehouse.query("SELECT workspace, site_id FROM dead_letters").rows == [["shop", "www"]]
    assert await log.committed(STITCHED, GROUP) == {0: 2}


async def test_a_refused_row_says_which_request_brought_its_hit(warehouse: Warehouse) -> None:
    """The action has it from the hit; one of a version that did not say it has none."""
    log = FakeLog(1)
    await log.append([raw(BAD_TIME + b"\n" + BAD_TIME[:-1] + b',"request_id":"c0ffee00c0ffee00"}')])
    await Sink(log, warehouse).flush_once()

    rows = warehouse.query("SELECT source, request_id FROM dead_letters FINAL ORDER BY id").rows
    assert [["stitched/0/0/0", ""], ["stitched/0/0/1", "c0ffee00c0ffee00"]] == [list(row) for row in rows]


BROKEN = [b"garbage", b"[1]", b'"text"', b'{"ts":', b'{"person_id":"x"}', b"\xff\xfe", b'{"event_id":"x"']
BROKEN += [b'{"event_id":"x', b"{}", b'{"event_id":"x"}']


@pytest.mark.parametrize("line", BROKEN)
async def test_a_line_may_be_broken_in_any_way(warehouse: Warehouse, line: bytes) -> None:
    """As a row and as a link, first, last and alone in its record."""
    log = FakeLog(1)
    good = [action("a"), action("b")]
    await log.append([raw(line), raw(line + b"\n" + ndjson(good[0])), raw(ndjson(good[1]) + b"\n" + line)])
    await log.append([raw(line, "link/1"), record(link(-5, 5, version=9))])
    sink = Sink(log, warehouse)
    await sink.flush_once()

    assert sorted(shown(warehouse)) == ["a", "b"]
    assert [(source, payload) for source, _, _, payload in dead(warehouse)] == [
        (f"stitched/0/{place}", line) for place in ("0/0", "1/0", "2/1", "3/0")
    ]
    assert warehouse.query("SELECT count() FROM identity_links FINAL").rows == [[1]]
    assert warehouse.query("SELECT countIf(attribution = 'backfilled') FROM actions").rows == [[2]]
    assert (sink.figures.refused, sink.figures.dead_letters["row_refused"]) == (4, 4)


async def test_a_record_of_an_unknown_kind_is_kept_whole(warehouse: Warehouse) -> None:
    """A newer writer's, or nobody's; also one that is larger than a dead letter can be."""
    log = FakeLog(1)
    large = bytes(random.Random(1).randbytes(400_000))
    await log.append([raw(b"1\n2", "merge/7"), Append(STITCHED, 0, large, {}), record(action("a"))])
    await Sink(log, warehouse).flush_once()

    kept = dead(warehouse)

    assert list(shown(warehouse)) == ["a"]
    assert kept[0][:2] == ("stitched/0/0", "unknown_schema")
    assert kept[0][3] == b"1\n2"
    assert {row[0] for row in kept[1:]} == {"stitched/0/1"}
    assert b"".join(row[3] for row in kept[1:]) == large


async def test_the_books_balance(warehouse: Warehouse) -> None:
    """Every line that came is one visible action or one dead letter; replays add nothing to either."""
    chance = random.Random(3)
    log, lines = FakeLog(4), 0
    for number in range(60):
        texts = [
            BAD_TIME if chance.random() < 0.01 else ndjson(action(f"e{number}-{n}", n, device=f"d{number % 7}"))
            for n in range(chance.randrange(1, 30))
        ]
        lines += len(texts)
        await log.append([raw(b"\n".join(texts), partition=number % 4)])
    for _ in range(2):
        await Sink(log, warehouse).flush_once()
        log.positions.clear()

    visible = warehouse.query("SELECT count() FROM actions").rows[0][0]

    assert lines == visible + len(dead(warehouse))
    assert len(dead(warehouse)) > 3


async def test_dead_letters_of_others_reach_their_table(warehouse: Warehouse) -> None:
    """The stitcher's, the publisher's."""
    letter = DeadLetter(id="i", source="hits/0/1", reason="bad_hit", received_at=NOON, payload="eA==")
    log = FakeLog(1)
    await log.append([Append(DEAD_LETTERS, 0, msgspec.json.encode(letter), {"schema": DEAD_LETTER_SCHEMA})] * 2)
    await Sink(log, warehouse).flush_once()

    assert dead(warehouse) == [("hits/0/1", "bad_hit", "", b"x")]


async def test_a_dead_letter_that_is_refused_is_wrapped_and_does_not_come_back(warehouse: Warehouse) -> None:
    """Through the log it would be refused again for ever."""
    log = FakeLog(1)
    odd = b'{"id":"x","source":"s","reason":"r","received_at":"never","payload":""}'
    await log.append([Append(DEAD_LETTERS, 0, odd, {"schema": DEAD_LETTER_SCHEMA}), Append(DEAD_LETTERS, 0, b"?", {})])
    sink = Sink(log, warehouse)
    assert await sink.flush_once() == 2
    assert await sink.flush_once() == 0

    assert dead(warehouse) == [
        ("dead-letters/0/0/0", "dead_letter_refused", "CANNOT_PARSE_DATETIME", odd),
        ("dead-letters/0/1", "unknown_schema", "schema: ''", b"?"),
    ]


def test_bisection_finds_every_bad_line_and_inserts_every_good_one() -> None:
    """Anywhere, any number, in few inserts; each good line once."""
    chance = random.Random(5)
    for size in (0, 1, 2, 3, 64, 1_000):
        for bad_count in {0, min(1, size), min(2, size), size // 10, size}:
            bad = set(chance.sample(range(size), bad_count))
            stored: list[bytes] = []
            calls = 0

            def insert(ndjson: bytes, bad: set[int] = bad, stored: list[bytes] = stored) -> None:
                nonlocal calls
                calls += 1
                texts = ndjson.split(b"\n")
                if any(int(text) in bad for text in texts):
                    raise RowsRefused("no", "WHY")
                stored.extend(texts)

            refused = insert_good(insert, [b"%d" % n for n in range(size)])

            assert [(n, "WHY") for n in sorted(bad)] == refused
            assert sorted(set(range(size)) - bad) == sorted(int(text) for text in stored)
            assert calls <= max(1, 2 * bad_count * (size.bit_length() + 1))


def test_a_server_in_trouble_is_no_lines_fault() -> None:
    """The error comes out; nothing has been blamed."""

    def insert(ndjson: bytes) -> None:
        raise WarehouseUnavailable("away")

    with pytest.raises(WarehouseUnavailable):
        insert_good(insert, [b"1", b"2"])
