"""Device states to records of `stitch-state` and back; it must not know who writes, who reads or where they are kept.

An entry is a fact, never a replacement: whoever reads joins it to what is known. So entries may come twice, late, from
an owner that stalled, or in parts: a state too large for one line is written as several whose join it is.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from pipeline.identity.device import Device
from pipeline.identity.device import decode as device_of
from pipeline.identity.policy import Policy
from pipeline.identity.stitcher import Key
from pipeline.limits import RECORD_BYTES_MAX
from pipeline.log.port import STITCH_STATE, Append, Record
from pipeline.model import STATE_SCHEMA
from pipeline.privacy.suppression import NOBODY, Suppression
from pipeline.stitch.erased import state_without
from pipeline.stitch.pack import packed
from pipeline.stitch.states import Row

VERSION_HEADER = "version"  # of the newest hits record these states include: tells a topic that began anew
_PART_BYTES_MAX = RECORD_BYTES_MAX // 4
_PART_ITEMS = 300  # spans, logouts or ranges a part: a user ID of 255 characters takes 1.6 KB at the very worst


class Entry(Struct, frozen=True, gc=False):
    """One line: the state of one device, or a part of it, as `identity.device.encode` wrote it."""

    workspace: str
    anonymous_id: str
    state: msgspec.Raw


class Unreadable(NamedTuple):
    """A line that is no entry: its number in the record, its bytes, and why."""

    number: int
    line: bytes
    reason: str


class UnknownState(Exception):
    """A record of a version this program does not know. Passing over it would forget people: it must not run."""


_decode = msgspec.json.Decoder(Entry).decode
_encode = msgspec.json.Encoder().encode
_states = msgspec.json.Decoder(list[Any]).decode


def state_records(partition: int, rows: Sequence[Row], version: int) -> list[Append]:
    """The changed devices of one checkpoint. `version`: that of the last hits record they include."""
    lines = [
        _encode(Entry(workspace, anonymous_id, msgspec.Raw(part)))
        for workspace, anonymous_id, _, state in rows
        for part in _parts(state)
    ]
    records = packed(STITCH_STATE, partition, STATE_SCHEMA, lines)
    return [Append(r.topic, r.partition, r.value, {**r.headers, VERSION_HEADER: str(version)}) for r in records]


def entries(
    record: Record, policy: Policy, forgotten: Suppression = NOBODY
) -> tuple[list[tuple[Key, Device]], list[Unreadable]]:
    """The states in a record, in order and without those who were forgotten, and every line that holds none. Raises
    UnknownState."""
    _check(record)
    found, unreadable = [], []
    for number, line in enumerate(record.value.split(b"\n")):
        try:
            entry = _decode(line)
            key = (entry.workspace, entry.anonymous_id)
            state = state_without(key, bytes(entry.state), forgotten)
            if state is not None:
                found.append((key, device_of(state, policy)))
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            unreadable.append(Unreadable(number, line, str(error)))
    return found, unreadable


def lines_by_key(record: Record, forgotten: Suppression = NOBODY) -> tuple[list[tuple[Key, bytes]], list[Unreadable]]:
    """The lines of a record with whose state each is, as they are but for those who were forgotten; and every line
    that is none. Raises UnknownState."""
    _check(record)
    found, unreadable = [], []
    for number, line in enumerate(record.value.split(b"\n")):
        try:
            entry = _decode(line)
            key, state = (entry.workspace, entry.anonymous_id), bytes(entry.state)
            left = state_without(key, state, forgotten)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            unreadable.append(Unreadable(number, line, str(error)))
            continue
        if left is not None:
            found.append((key, line if left == state else _encode(Entry(*key, msgspec.Raw(left)))))
    return found, unreadable


def version_in(record: Record) -> int:
    """The version the record's states include; 0 where nobody said."""
    text = record.headers.get(VERSION_HEADER, "")
    return int(text) if text.isdecimal() else 0


def _check(record: Record) -> None:
    schema = record.headers.get("schema", "")
    if schema != STATE_SCHEMA:
        place = f"{record.topic}/{record.partition}/{record.offset}"
        raise UnknownState(f"{place}: schema {schema!r}, this version of Seamline reads {STATE_SCHEMA!r}")


def _parts(state: bytes) -> Iterator[bytes]:
    """The state itself; or, past the limit, states of the same marks with a share of its facts each."""
    if len(state) <= _PART_BYTES_MAX:
        yield state
        return
    *marks, spans, logouts, quiet = _states(state)
    most = max(len(spans), len(logouts), len(quiet))
    for start in range(0, most, _PART_ITEMS):
        share = slice(start, start + _PART_ITEMS)
        yield _encode([*marks, spans[share], logouts[share], quiet[share]])
