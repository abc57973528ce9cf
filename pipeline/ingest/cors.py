"""The CORS headers of every reply; it knows no protocol.

A reply without them makes matomo.js send the same hit again as an image, so errors carry them too.
"""

import re
from collections.abc import Mapping

from pipeline.protocols.request import Headers

PREFLIGHT_S = b"86400"
_ORIGIN = re.compile(rb"[\x21-\x7e]{1,512}")
_REQUESTED = re.compile(rb"[A-Za-z0-9!#$%&'*+.^_`|~, -]{1,2048}")
_ANYONE: Headers = ((b"access-control-allow-origin", b"*"), (b"vary", b"origin"))


def cors_headers(headers: Mapping[bytes, bytes]) -> Headers:
    """The origin echoed, credentials allowed; `*` only where no origin was sent."""
    origin = headers.get(b"origin")
    if origin is None or not _ORIGIN.fullmatch(origin):
        return _ANYONE
    return (
        (b"access-control-allow-origin", origin),
        (b"access-control-allow-credentials", b"true"),
        (b"vary", b"origin"),
    )


def preflight_headers(headers: Mapping[bytes, bytes], methods: tuple[str, ...]) -> Headers:
    """The answer to OPTIONS: these methods, and whatever headers the browser wants to send."""
    wanted = headers.get(b"access-control-request-headers", b"")
    return (
        *cors_headers(headers),
        (b"access-control-allow-methods", ", ".join((*methods, "OPTIONS")).encode()),
        (b"access-control-allow-headers", wanted if _REQUESTED.fullmatch(wanted) else b"*"),
        (b"access-control-max-age", PREFLIGHT_S),
    )
