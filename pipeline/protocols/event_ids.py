"""The ID of a hit whose client sent none: a function of its content, or of moment and chance passed in."""

import hashlib
from uuid import NAMESPACE_URL, uuid5

CONTENT = uuid5(NAMESPACE_URL, "https://seamline.dev/event").bytes


def _text(raw: bytes, version: int) -> str:
    value = bytearray(raw)
    value[6] = value[6] & 0x0F | version << 4
    value[8] = value[8] & 0x3F | 0x80
    text = value.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def content_id(site_id: str, content: bytes, occurrence: int = 0) -> str:
    """UUIDv5 over what the client sent: a retry of the same content gets the same ID.

    `occurrence` tells apart what one request holds several times (0 for the first), where nothing but a timestamp does.
    """
    name = site_id.encode() + b"\n" + content + (b"\n%d" % occurrence if occurrence else b"")
    return _text(hashlib.sha1(CONTENT + name, usedforsecurity=False).digest()[:16], 5)


def uuid7(now_ms: int, chance: bytes) -> str:
    """RFC 9562 version 7 of a moment and ten random bytes."""
    return _text(now_ms.to_bytes(6, "big") + chance, 7)
