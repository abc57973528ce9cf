"""Bytes that could not be processed to the lines that keep them; it must not know what was wrong with them."""

import base64

import msgspec

from pipeline.limits import RECORD_BYTES_MAX
from pipeline.log.port import Record
from pipeline.model import DeadLetter
from pipeline.times import iso

PAYLOAD_BYTES_MAX = RECORD_BYTES_MAX // 2  # two thirds of a record once it is base64
_DETAIL_CHARS_MAX = 500


class _Owner(msgspec.Struct):
    """Whose line it is and which request brought it, if it says so."""

    workspace: str = ""
    site_id: str = ""
    request_id: str = ""


_owners = msgspec.json.Decoder(_Owner)


def dead_letters(record: Record, line: int | None, payload: bytes, reason: str, detail: str) -> list[bytes]:
    """`dead-letter/1` lines: the original bytes and where they stand. `line` counts from 0; None: all of the record.

    One line; or, for bytes that no record could hold as base64, several, whose payloads follow one another. The ID is
    a function of the place, so meeting the same bytes again makes the same dead letter.
    """
    source = f"{record.topic}/{record.partition}/{record.offset}" + ("" if line is None else f"/{line}")
    owner = _Owner() if line is None else _owner(payload)
    parts = [payload[at : at + PAYLOAD_BYTES_MAX] for at in range(0, len(payload), PAYLOAD_BYTES_MAX)] or [b""]
    return [
        msgspec.json.encode(
            DeadLetter(
                id=source if len(parts) == 1 else f"{source}#{number}",
                source=source,
                reason=reason,
                detail=(detail if len(parts) == 1 else f"part {number} of {len(parts)}: {detail}")[:_DETAIL_CHARS_MAX],
                received_at=iso(record.timestamp_ms),
                workspace=owner.workspace,
                site_id=owner.site_id,
                request_id=owner.request_id,
                payload=base64.b64encode(part).decode(),
            )
        )
        for number, part in enumerate(parts, 1)
    ]


def _owner(line: bytes) -> _Owner:
    try:
        return _owners.decode(line)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return _Owner()  # it may be broken in any way: that is why it is here
