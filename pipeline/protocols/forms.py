"""Query strings and form bodies from strangers, within bounds; it knows no parameter by name."""

from typing import Any
from urllib.parse import parse_qsl

import orjson

from pipeline.protocols.json_text import Malformed, decode

PAIRS_MAX = 512  # Matomo's trackers send about 40
JSON_STARTS = (b"{", b"[")


def parse_form(text: bytes) -> dict[str, str]:
    """`a=1&b=2` as a dict: the last of two wins, `+` is a space, bad UTF-8 becomes U+FFFD, NUL is taken out.

    Past 512 pairs the rest is not read (`too_many` tells).
    """
    if not text:
        return {}
    kept = b"&".join(text.split(b"&", PAIRS_MAX)[:PAIRS_MAX]) if text.count(b"&") >= PAIRS_MAX else text
    pairs = parse_qsl(kept.decode("utf-8", "replace").strip(), keep_blank_values=True, errors="replace")
    form = dict(pairs)
    if b"%00" in kept or b"\0" in kept:
        return {name.replace("\0", ""): value.replace("\0", "") for name, value in form.items()}
    return form


def too_many(text: bytes) -> bool:
    """Whether `parse_form` left something unread."""
    return text.count(b"&") >= PAIRS_MAX


def parse_body(body: bytes) -> dict[str, str]:
    """A form or a JSON object, whatever the Content-Type says, as texts. What is neither has no parameters."""
    start = body.lstrip()[:1]
    if start not in JSON_STARTS:
        return parse_form(body)
    decoded = decode(body)
    return {} if isinstance(decoded, Malformed) else texts_of(decoded.value)


def texts_of(value: Any) -> dict[str, str]:
    """A JSON object's members as a form would send them. Anything but an object has none."""
    if type(value) is not dict:
        return {}
    return {clean(name): clean(as_text(member)) for name, member in value.items()}


def as_text(value: Any) -> str:
    """null and false -> "", true -> "1" (as PHP reads them), a number as written, an object or array as JSON."""
    if type(value) is str:
        return value
    if value is None or value is False:
        return ""
    if value is True:
        return "1"
    if type(value) in (int, float):
        return str(value)
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError:
        return ""  # lone surrogates, or nested deeper than 254


def clean(text: str) -> str:
    """The text without NUL, lone surrogates replaced: form protocols repair what they cannot refuse."""
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "").encode("utf-8", "replace").decode()
