"""A `hits` record to `stitched` lines and back-references; it must not know state stores, tasks or clients.

Rows are never re-serialised: the person is spliced into the very bytes that ingest wrote, so a field this version
does not know survives it.
"""

import base64
from collections.abc import Iterable, Sequence

import msgspec

from pipeline.identity.stitcher import Placed
from pipeline.limits import OFFSET_BITS
from pipeline.log.port import Record
from pipeline.model import DEAD_LETTER_SCHEMA, HIT_SCHEMA, DeadLetter, HitHead
from pipeline.times import iso, ms_of

_heads = msgspec.json.Decoder(HitHead)
_encode = msgspec.json.Encoder().encode


class Decoded(msgspec.Struct):
    """The readable hits of a record, `lines` beside `heads`, and a dead letter for each line that is none."""

    lines: list[bytes]
    heads: list[HitHead]
    dead: list[bytes]


def version_of(epoch: int, offset: int) -> int:
    """What orders everything that is ever written about one row: newer logs first, then newer records."""
    assert 0 <= offset < 1 << OFFSET_BITS and 0 <= epoch < 1 << 64 - OFFSET_BITS, (epoch, offset)
    return epoch << OFFSET_BITS | offset


def decode(record: Record) -> Decoded:
    """Split and read the lines; every line ends up in exactly one of the two."""
    schema = record.headers.get("schema", "")
    if schema != HIT_SCHEMA:
        detail = f"schema: expected {HIT_SCHEMA}, got {schema!r}"
        return Decoded([], [], [dead_letter(record, None, record.value, "unknown_schema", detail)])
    decoded = Decoded([], [], [])
    for number, line in enumerate(record.value.split(b"\n")):
        if not line:
            continue
        try:
            head = _heads.decode(line)
            _check(head)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            decoded.dead.append(dead_letter(record, number, line, "bad_hit", str(error)))
            continue
        decoded.lines.append(line.rstrip())
        decoded.heads.append(head)
    return decoded


def _check(head: HitHead) -> None:
    """What identity relies on; ValueError names the field."""
    if not head.workspace or not head.event_id:
        raise ValueError("workspace, event_id: expected text, got none")
    if len(head.ts) != len("2026-11-22T09:00:00.000Z") or head.ts[-1] != "Z":
        raise ValueError(f"ts: expected UTC with milliseconds, got {head.ts!r}")
    ms_of(head.ts)


def action_lines(lines: Sequence[bytes], placed: Sequence[Placed], version: int) -> Iterable[bytes]:
    """One action a hit: the hit's bytes with person, attribution and version before the closing brace."""
    tail = b',"version":%d}' % version
    for line, place in zip(lines, placed, strict=True):
        late = b',"late":true' if place.late else b""
        person = b',"person_id":"%b","attribution":"%b"' % (place.person_id.encode(), place.attribution.encode())
        yield line[:-1] + person + late + tail


def dead_letter(record: Record, line: int | None, payload: bytes, reason: str, detail: str) -> bytes:
    """The original bytes and where they stand; its ID is a function of that place, so a replay repeats it."""
    source = f"{record.topic}/{record.partition}/{record.offset}" + ("" if line is None else f"/{line}")
    return _encode(
        DeadLetter(
            id=source,
            source=source,
            reason=reason,
            detail=detail[:500],
            received_at=iso(record.timestamp_ms),
            payload=base64.b64encode(payload).decode(),
        )
    )


__all__ = ["DEAD_LETTER_SCHEMA", "Decoded", "action_lines", "dead_letter", "decode", "version_of"]
