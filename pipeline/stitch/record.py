"""A `hits` record to `stitched` lines and back-references; it must not know state stores, tasks or clients.

Rows are never re-serialised: the person is spliced into the very bytes that ingest wrote, so a field this version
does not know survives it.
"""

from collections.abc import Iterable, Sequence

import msgspec

from pipeline.identity.stitcher import Placed
from pipeline.limits import ID_CHARS_MAX, KIB, OFFSET_BITS, RECORD_BYTES_MAX, TIME_MIN_MS
from pipeline.log.dead_letters import dead_letters
from pipeline.log.port import Record
from pipeline.model import HIT_SCHEMA, HitHead
from pipeline.times import ms_of

_decode = msgspec.json.Decoder(HitHead).decode
_decode_lines = msgspec.json.Decoder(HitHead).decode_lines
_TS_CHARS = len("2026-11-22T09:00:00.000Z")
_LINE_BYTES_MAX = RECORD_BYTES_MAX - 4 * KIB  # the action made of it must still fit a record


class Decoded(msgspec.Struct):
    """The readable hits of a record, `lines` beside `heads`, and a dead letter for each line that is none."""

    lines: list[bytes]
    heads: list[HitHead]
    times: list[int]  # of the heads, in epoch milliseconds
    dead: list[bytes]
    gone: int = 0  # hits of people who were forgotten
    unreadable: int = 0  # hits that are dead letters now
    reason: str = ""  # of these


def version_of(epoch: int, offset: int) -> int:
    """What orders everything that is ever written about one row: newer logs first, then newer records."""
    assert 0 <= offset < 1 << OFFSET_BITS and 0 <= epoch < 1 << 64 - OFFSET_BITS, (epoch, offset)
    return epoch << OFFSET_BITS | offset


def decode(record: Record) -> Decoded:
    """Split and read the lines; every line ends up in exactly one of the two."""
    schema = record.headers.get("schema", "")
    if schema != HIT_SCHEMA:
        detail = f"schema: expected {HIT_SCHEMA}, got {schema!r}"
        dead = dead_letters(record, None, record.value, "unknown_schema", detail)
        return Decoded([], [], [], dead, unreadable=record.lines, reason="unknown_schema")
    try:
        return _decode_all(record.value)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return _decode_each(record)


def _decode_all(value: bytes) -> Decoded:
    """The lines as ingest writes them, checked all together. ValueError or MsgspecError where any is otherwise."""
    lines = value.split(b"\n")
    heads = _decode_lines(value)
    if len(lines) != len(heads) or value[-1:] != b"}" or value.count(b"}\n") != len(lines) - 1:
        raise ValueError("blank lines or white space around them")
    texts = [text for head in heads for text in (head.workspace, head.anonymous_id, head.user_id)]
    if max(map(len, texts)) > ID_CHARS_MAX or max(map(len, lines)) > _LINE_BYTES_MAX:
        raise ValueError("too long")
    if not all(head.workspace and head.event_id for head in heads):
        raise ValueError("no workspace or event ID")
    return Decoded(lines, heads, [_time(head.ts) for head in heads], [])


def _decode_each(record: Record) -> Decoded:
    decoded = Decoded([], [], [], [])
    for number, line in enumerate(record.value.split(b"\n")):
        if not line:
            continue
        try:
            head = _decode(line)
            t_ms = _checked(head, line)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            decoded.dead += dead_letters(record, number, line, "bad_hit", str(error))
            decoded.unreadable, decoded.reason = decoded.unreadable + 1, "bad_hit"
            continue
        decoded.lines.append(line.rstrip())
        decoded.heads.append(head)
        decoded.times.append(t_ms)
    return decoded


def _checked(head: HitHead, line: bytes) -> int:
    """Its time, when it is what identity and the log rely on; else ValueError names the field."""
    most = ID_CHARS_MAX
    if not (head.workspace and head.event_id):
        raise ValueError("workspace, event_id: expected text, got none")
    if len(line) > _LINE_BYTES_MAX:
        raise ValueError(f"expected at most {_LINE_BYTES_MAX} bytes, got {len(line)}")
    if len(head.anonymous_id) > most or len(head.user_id) > most or len(head.workspace) > most:
        raise ValueError(f"workspace, anonymous_id, user_id: expected at most {most} characters")
    return _time(head.ts)


def _time(ts: str) -> int:
    if len(ts) != _TS_CHARS or ts[-1] != "Z":
        raise ValueError(f"ts: expected UTC with milliseconds, got {ts!r}")
    t_ms = ms_of(ts)
    if t_ms < TIME_MIN_MS:
        raise ValueError(f"ts: expected 2000-01-01 or later, got {ts!r}")
    return t_ms


def action_lines(lines: Sequence[bytes], placed: Sequence[Placed], version: int) -> Iterable[bytes]:
    """One action a hit: the hit's bytes with person, attribution and version before the closing brace; none for what
    is hidden."""
    tails: dict[int, bytes] = {}  # hits of one visitor share the very place
    for line, place in zip(lines, placed, strict=True):
        if place.hidden:
            continue
        tail = tails.get(id(place))
        if tail is None:
            late = b',"late":true' if place.late else b""
            who = (place.person_id.encode(), place.attribution.encode(), late, version)
            tail = tails[id(place)] = b',"person_id":"%b","attribution":"%b"%b,"version":%d}' % who
        yield line[:-1] + tail


__all__ = ["Decoded", "action_lines", "dead_letters", "decode", "version_of"]
