"""The tracker script and its types as replies, compressed and remembered by browsers; it must not know what is said."""

import gzip
import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import NamedTuple

import orjson

from pipeline.ingest.script.shorten import shortened
from pipeline.protocols.request import JSON_TYPE, Headers, Reply

_JAVASCRIPT, _TEXT = b"text/javascript; charset=utf-8", b"text/plain; charset=utf-8"
# path -> (file, content type). MetricsWave's snippets ask for js/visits.js; it is the same script.
_FILES = {
    "/seamline.js": ("seamline.js", _JAVASCRIPT),
    "/js/visits.js": ("seamline.js", _JAVASCRIPT),
    "/seamline.d.ts": ("seamline.d.ts", _TEXT),
}
_METHODS = ("GET", "HEAD")
# Any site may load it, also one that isolates itself. An hour: a new release reaches every visitor the same day.
_SHARED: Headers = (
    (b"cache-control", b"public, max-age=3600"),
    (b"cross-origin-resource-policy", b"cross-origin"),
    (b"x-content-type-options", b"nosniff"),
    (b"vary", b"accept-encoding"),
)


class _Sent(NamedTuple):
    """A file as it is sent: plain or compressed, each with an entity tag of its own."""

    plain: bytes
    plain_tag: bytes
    compressed: bytes
    compressed_tag: bytes


def script_reply(path: str, method: str, headers: Mapping[bytes, bytes]) -> Reply | None:
    """The reply for one of our files: 200, 304 or 405. None where the path is nothing of ours.

    A HEAD gets the reply of a GET: the server sends only its head.
    """
    if path not in _FILES:
        return None
    if method not in _METHODS:
        body = orjson.dumps({"error": "method not allowed"})
        return Reply(405, body, (*JSON_TYPE, (b"allow", ", ".join(_METHODS).encode())))
    name, content_type = _FILES[path]
    sent = _sent(name)
    small = _accepts_gzip(headers.get(b"accept-encoding", b""))
    tag = sent.compressed_tag if small else sent.plain_tag
    shared = (*_SHARED, (b"etag", tag))
    if _known(headers.get(b"if-none-match", b""), {sent.plain_tag, sent.compressed_tag}):
        return Reply(304, b"", shared)
    encoding: Headers = ((b"content-encoding", b"gzip"),) if small else ()
    body = sent.compressed if small else sent.plain
    return Reply(200, body, ((b"content-type", content_type), *encoding, *shared))


@cache
def _sent(name: str) -> _Sent:
    source = (files("pipeline.ingest.script") / name).read_text(encoding="utf-8")
    plain = (shortened(source) if name.endswith(".js") else source).encode()
    digest = hashlib.sha256(plain).hexdigest()[:32].encode()
    return _Sent(plain, b'"%s"' % digest, gzip.compress(plain, 9, mtime=0), b'"%s-gzip"' % digest)


def _accepts_gzip(accepted: bytes) -> bool:
    """Whether `gzip` or `*` is listed, and not with a weight of zero."""
    for part in accepted.lower().split(b","):
        coding, _, weight = part.partition(b";")
        if coding.strip() in (b"gzip", b"*"):
            return weight.replace(b" ", b"").rstrip(b"0") not in (b"q=", b"q=0.")
    return False


def _known(told: bytes, tags: set[bytes]) -> bool:
    """If-None-Match compares weakly, and a proxy may have stored the other encoding."""
    return any(part.strip().removeprefix(b"W/") in (*tags, b"*") for part in told.split(b","))
