"""A request's body, complete and inflated, within its bytes; the server holds the deadline, protocols the meaning."""

import zlib
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from msgspec import Struct

from pipeline.limits import BODIES_BYTES_MAX, DECOMPRESSED_BYTES_MAX

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

GZIP_MAGIC = b"\x1f\x8b"
_ZLIB_FIRST = 0x78  # what every deflating client sends; the header must say so too: `x` starts texts as well
LENGTH_DIGITS_MAX = 18  # whatever the limit, and cheap to read
_NOT_OFFERED = (b"br", b"zstd", b"compress")


class BodyFault(Struct, frozen=True):
    """Why there is no body. Status 0: the client is gone and nobody is there to be answered."""

    status: int
    reason: str


GONE = BodyFault(0, "the client is gone")
NO_ROOM = BodyFault(503, "try again: too many bodies at once")


class Room:
    """Memory for the bodies that come in several pieces, all connections together."""

    def __init__(self, bytes_max: int = BODIES_BYTES_MAX) -> None:
        self.left = bytes_max


async def read_body(receive: Receive, headers: Mapping[bytes, bytes], bytes_max: int, room: Room) -> bytes | BodyFault:
    """The body as sent. What is declared too large is not read at all; what turns out too large, no further."""
    declared = headers.get(b"content-length")
    if declared is None and b"transfer-encoding" not in headers:
        return b""
    if declared is not None and (len(declared) > LENGTH_DIGITS_MAX or int(declared) > bytes_max):
        return _too_large(bytes_max)
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body"):
        body: bytes = message.get("body", b"")
        return body if len(body) <= bytes_max else _too_large(bytes_max)
    chunks: list[bytes] = []
    try:
        return await _collect(message, receive, bytes_max, chunks, room)
    finally:
        room.left += sum(map(len, chunks))


async def _collect(
    message: MutableMapping[str, Any], receive: Receive, bytes_max: int, chunks: list[bytes], room: Room
) -> bytes | BodyFault:
    size = 0
    while message["type"] == "http.request":
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > bytes_max:
            return _too_large(bytes_max)
        chunks.append(chunk)
        room.left -= len(chunk)
        if room.left < 0:
            return NO_ROOM
        if not message.get("more_body"):
            return b"".join(chunks)
        message = await receive()
    return GONE


def _too_large(bytes_max: int) -> BodyFault:
    return BodyFault(413, f"body larger than {bytes_max} bytes")


def inflate(body: bytes, headers: Mapping[bytes, bytes], bytes_max: int = DECOMPRESSED_BYTES_MAX) -> bytes | BodyFault:
    """gzip is known by its magic whatever the headers say; deflate needs both; the rest is taken as it is."""
    if body[:2] == GZIP_MAGIC:
        return _inflate(body, 16 + zlib.MAX_WBITS, bytes_max)
    encoding = headers.get(b"content-encoding")
    if encoding is None:
        return body
    if encoding.lower() == b"deflate" and body[:1] == bytes([_ZLIB_FIRST]):
        return _inflate(body, zlib.MAX_WBITS, bytes_max)
    if encoding.lower() in _NOT_OFFERED:
        return BodyFault(415, "unsupported Content-Encoding: send gzip or deflate")
    return body


def _inflate(body: bytes, wbits: int, bytes_max: int) -> bytes | BodyFault:
    """Every member of the stream, never more than a byte past the limit."""
    parts: list[bytes] = []
    room = bytes_max + 1
    rest = body
    while rest:
        stream = zlib.decompressobj(wbits)
        try:
            part = stream.decompress(rest, room)
        except zlib.error:
            return BodyFault(400, "compressed body is damaged")
        parts.append(part)
        room -= len(part)
        if room <= 0:
            return BodyFault(413, f"body inflates to more than {bytes_max} bytes")
        if not stream.eof:
            return BodyFault(400, "compressed body ends early")
        rest = stream.unused_data
    return parts[0] if len(parts) == 1 else b"".join(parts)
