"""The fields of a native hit, each with its check; a wrong one is named, an unknown one is kept as a property."""

import math
import re
from collections.abc import Callable
from typing import Any

import orjson

from pipeline.limits import ID_CHARS_MAX, PROPERTIES_MAX, TIME_MIN_MS, URL_CHARS_MAX, VALUE_BYTES_MAX
from pipeline.protocols.clock import parse_iso, plausible
from pipeline.protocols.hits import LANGUAGE_CHARS_MAX, Draft
from pipeline.protocols.json_text import object_fault, text_fault
from pipeline.protocols.request import Rejection

Check = Callable[[Any, bool], str]

LOGOUTS = frozenset({"logout", "reset"})
_TYPE = re.compile(r"[a-z][a-z0-9_]{0,31}")
_CURRENCY = re.compile(r"[A-Za-z]{3}")
_TOO_LONG_TO_BE_AN_ID = 4 * VALUE_BYTES_MAX
_KINDS = {
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "a string",
    list: "an array",
    dict: "an object",
    type(None): "null",
}


def _wrong(expected: str, value: Any) -> str:
    return f"expected {expected}, got {_KINDS[type(value)]}"


def _text(bytes_max: int) -> Check:
    def check(value: Any, suspect: bool) -> str:
        return text_fault(value, bytes_max, suspect) if type(value) is str else _wrong("a string", value)

    return check


def _word(pattern: re.Pattern[str], expected: str) -> Check:
    def check(value: Any, _: bool) -> str:
        if type(value) is not str:
            return _wrong("a string", value)
        return "" if pattern.fullmatch(value) else f"expected {expected}"

    return check


def _event_id(value: Any, suspect: bool) -> str:
    if type(value) is not str:
        return _wrong("a string", value)
    return f"longer than {ID_CHARS_MAX} characters" if len(value) > ID_CHARS_MAX else text_fault(value, suspect=suspect)


def _flag(value: Any, _: bool) -> str:
    return "" if type(value) is bool else _wrong("a boolean", value)


def _number(value: Any, _: bool) -> str:
    if type(value) not in (int, float):
        return _wrong("a number", value)
    return "" if math.isfinite(value) else "not a finite number"


def _object(value: Any, _: bool) -> str:
    return "" if type(value) is dict else _wrong("an object", value)


def client_time(value: Any) -> int | str:
    """Epoch milliseconds (2000 up to 2100), or what is wrong with it."""
    expected = "epoch milliseconds or ISO 8601"
    if type(value) is str:
        parsed = parse_iso(value.strip())
        if parsed is None:
            return f"expected {expected}"
        moment = parsed
    elif type(value) not in (int, float):
        return _wrong(expected, value)
    elif not math.isfinite(value):
        return "not a finite number"
    else:
        moment = int(value)
    if plausible(moment):
        return moment
    if plausible(moment * 1_000):
        return "before 2000: these look like seconds, send milliseconds"
    return "before 2000" if moment < TIME_MIN_MS else "in 2100 or later"


# name -> (the Draft's name for it, its check). IDs may be any text: what is no ID is left out later and counted.
_ID = _text(_TOO_LONG_TO_BE_AN_ID)
_FIELDS: dict[str, tuple[str, Check]] = {
    "type": ("type", _word(_TYPE, "a lower-case word of up to 32 letters, digits and _")),
    "name": ("name", _text(VALUE_BYTES_MAX)),
    "event_id": ("event_id", _event_id),
    "anonymous_id": ("anonymous_id", _ID),
    "user_id": ("user_id", _ID),
    "holds": ("holds", _flag),
    "url": ("url", _text(URL_CHARS_MAX)),
    "referrer": ("referrer", _text(URL_CHARS_MAX)),
    "title": ("title", _text(VALUE_BYTES_MAX)),
    "language": ("language", _text(LANGUAGE_CHARS_MAX)),
    "revenue": ("revenue", _number),
    "currency": ("currency", _word(_CURRENCY, "three letters (ISO 4217)")),
    "properties": ("properties", _object),
    "traits": ("traits", _object),
}
_SERVER_FIELDS: dict[str, tuple[str, Check]] = {
    "ip": ("ip", _text(VALUE_BYTES_MAX)),
    "user_agent": ("user_agent", _text(VALUE_BYTES_MAX)),
}
_TIMES = {"ts": "client_ms", "sent_at": "sent_ms"}
FIELD_NAMES = frozenset({"", *_FIELDS, *_SERVER_FIELDS, *_TIMES})  # "" is the item as a whole
_PATH_CHARS_MAX = 255


def parse_item(index: int, item: Any, suspect: bool, secret: bool) -> Draft | Rejection:
    """One hit of a native request. `secret` keys may speak for a visitor: `ip` and `user_agent`."""
    if type(item) is not dict:
        return Rejection(index, "", _wrong("an object", item))
    fields: dict[str, Any] = {"type": "track", "holds": True}
    unknown: dict[str, Any] = {}
    for name, value in item.items():
        known = _FIELDS.get(name) or (_SERVER_FIELDS.get(name) if secret else None)
        if value is None and (known or name in _TIMES):
            continue
        if known:
            if fault := known[1](value, suspect):
                return Rejection(index, name, fault)
            fields[known[0]] = value
        elif name in _TIMES:
            moment = client_time(value)
            if type(moment) is str:
                return Rejection(index, name, moment)
            fields[_TIMES[name]] = moment
        else:
            unknown[name] = value
    return _checked(index, item, fields, unknown, suspect)


def _checked(
    index: int, item: dict[str, Any], fields: dict[str, Any], unknown: dict[str, Any], suspect: bool
) -> Draft | Rejection:
    """The objects within bounds, the unknown fields among the properties, and what the ID is made from."""
    if unknown:
        if found := object_fault(unknown, suspect):
            return Rejection(index, found[0][:_PATH_CHARS_MAX] or "properties", found[1])
        fields["properties"] = unknown | fields.get("properties", {})
    for name in ("properties", "traits"):
        if name in fields and (found := object_fault(fields[name], suspect)):
            return Rejection(index, f"{name}.{found[0]}".rstrip(".")[:_PATH_CHARS_MAX], found[1])
    fields["logout"] = fields["type"] in LOGOUTS
    if "client_ms" in fields and not fields.get("event_id"):
        content = {name: value for name, value in item.items() if name != "sent_at"}
        fields["content"] = orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
    return Draft(**fields)


assert len(_FIELDS) <= PROPERTIES_MAX, "the unknown fields of a hit are bounded like properties"
