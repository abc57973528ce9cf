"""Lines in, lines out: the fast way and the careful way agree, and packing keeps every line."""

from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.limits import RECORD_BYTES_MAX
from pipeline.log.port import HITS, Record
from pipeline.model import DeadLetter
from pipeline.stitch import record as record_module
from pipeline.stitch.pack import packed
from pipeline.stitch.record import decode
from tests.support.generator import Shape, world

LINES = [sent.line() for sent in world(81, Shape(hits=40, devices=5)).hits]


def hits_record(value: bytes) -> Record:
    return Record(HITS, 2, 7, value, {"schema": "hit/1"}, 1_760_000_400_000)


@given(st.lists(st.sampled_from([*LINES, b"", b" ", b"{}", b"nonsense", LINES[0] + b"\r", b" " + LINES[1], b"[]"])))
def test_whatever_stands_in_a_record_both_ways_of_reading_agree(lines: list[bytes]) -> None:
    """And every line that is not blank is a hit or a dead letter."""
    record = hits_record(b"\n".join(lines))

    fast, careful = decode(record), record_module._decode_each(record)

    assert fast == careful
    assert len(fast.lines) + len(fast.dead) == len([line for line in record.value.split(b"\n") if line])
    assert len(fast.lines) == len(fast.heads) == len(fast.times)


def test_lines_as_ingest_writes_them_are_read_the_fast_way() -> None:
    """Otherwise the worker does twice the work without anybody noticing."""
    assert record_module._decode_all(b"\n".join(LINES)) == decode(hits_record(b"\n".join(LINES)))


@pytest.mark.parametrize(
    "ts",
    ["2026-11-22T09:00:00.000+00:00", "2026-11-22T09:00:00Z", "2026-11-22 09:00:00.000", "2026-13-22T09:00:00.000Z"],
)
def test_a_time_in_another_format_is_a_dead_letter(ts: str) -> None:
    """ClickHouse, the links and this reader must all read the same instant."""
    fields = msgspec.json.decode(LINES[0]) | {"ts": ts}

    decoded = decode(hits_record(msgspec.json.encode(fields)))

    assert (decoded.lines, len(decoded.dead)) == ([], 1)


def test_a_dead_letter_says_which_request_brought_the_hit() -> None:
    """Where it is one line; of a whole record, which many requests filled, the bytes say it."""
    line = msgspec.json.encode(msgspec.json.decode(LINES[0]) | {"ts": "noon", "request_id": "c0ffee00c0ffee00"})
    of_a_line = decode(hits_record(line + b"\n" + LINES[1])).dead
    of_a_record = decode(msgspec.structs.replace(hits_record(line), headers={"schema": "hit/2"})).dead

    letters = [msgspec.json.decode(letter, type=DeadLetter) for letter in (*of_a_line, *of_a_record)]
    assert [("bad_hit", "c0ffee00c0ffee00"), ("unknown_schema", "")] == [(x.reason, x.request_id) for x in letters]


@given(
    st.lists(
        st.sampled_from(
            [
                1,
                1_000,
                100_000,
                RECORD_BYTES_MAX // 2 - 1,
                RECORD_BYTES_MAX // 2,
                RECORD_BYTES_MAX,
                RECORD_BYTES_MAX + 1,
            ]
        )
    )
)
def test_packing_keeps_every_line_in_order_and_every_record_small(sizes: list[int]) -> None:
    """A record passes the limit only where a single line does; neighbours that fit together are together."""
    lines = [b"%d" % (number % 10) * size for number, size in enumerate(sizes)]

    records = packed("topic", 3, "kind/1", lines)

    assert [line for record in records for line in record.value.split(b"\n")] == lines
    assert [int(record.headers["count"]) for record in records] == [len(r.value.split(b"\n")) for r in records]
    for record in records:
        assert len(record.value) <= RECORD_BYTES_MAX or b"\n" not in record.value
    for one, two in pairwise(records):
        assert len(one.value) + 1 + len(two.value.split(b"\n")[0]) > RECORD_BYTES_MAX
