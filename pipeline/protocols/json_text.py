"""JSON from strangers: decoded once, strictly if possible, and checked against the limits; it knows no tracker.

The strict decoder refuses a whole body for one NaN or lone surrogate. The lenient one is only ever used after it, so
that the item at fault can be named and its neighbours accepted.
"""

import json
import math
from typing import Any

import orjson
from msgspec import Struct

from pipeline.limits import DEPTH_MAX, KEY_BYTES_MAX, PROPERTIES_MAX, VALUE_BYTES_MAX

_INT_DIGITS_MAX = 19
_NESTED_MAX = 4 * PROPERTIES_MAX


def _integer(digits: str) -> int | float:
    """As the strict decoder reads it. `int` would also take quadratic time for a long one."""
    return int(digits) if len(digits) <= _INT_DIGITS_MAX else float(digits)


_LENIENT = json.JSONDecoder(parse_int=_integer, strict=False)


class Malformed(Struct, frozen=True):
    """Not JSON. `reason` says why without quoting the body: it may hold personal values."""

    reason: str


class Decoded(Struct, frozen=True):
    """JSON. `suspect` says that a text may hold NUL or a lone surrogate, or a number may not be finite."""

    value: Any
    suspect: bool


def decode(body: bytes) -> Decoded | Malformed:
    """One JSON document. Numbers too long for 64 bits become floats; a BOM is skipped; the last of two keys wins."""
    try:
        return Decoded(orjson.loads(body), b"\\u0000" in body)
    except orjson.JSONDecodeError:
        return _decode_leniently(body)


def _decode_leniently(body: bytes) -> Decoded | Malformed:
    try:
        value = _LENIENT.decode(body.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        return Malformed(f"not UTF-8 at byte {error.start}")
    except json.JSONDecodeError as error:
        return Malformed(f"not JSON: {error.msg} at character {error.pos}")
    except RecursionError:
        return Malformed(f"nested deeper than {DEPTH_MAX}")
    return Decoded(value, True)


def text_fault(text: str, bytes_max: int = VALUE_BYTES_MAX, suspect: bool = True) -> str:
    """Why a text cannot be stored, or ""."""
    size = len(text)
    if size * 4 > bytes_max and (size > bytes_max or len(text.encode("utf-8", "replace")) > bytes_max):
        return f"longer than {bytes_max} bytes"
    if not suspect:
        return ""
    if "\0" in text:
        return "contains NUL"
    return "" if text.isascii() or _encodes(text) else "contains a lone surrogate"


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def object_fault(value: dict[str, Any], suspect: bool = True) -> tuple[str, str] | None:
    """Where and why an object breaks the limits: (dotted path, reason), or None. The object itself has depth 1."""
    if not value:
        return None
    if len(value) > PROPERTIES_MAX:
        return "", f"more than {PROPERTIES_MAX} properties"
    for key, member in value.items():
        kind = type(member)
        if suspect or len(key) * 4 > KEY_BYTES_MAX:
            fault = text_fault(key, KEY_BYTES_MAX, suspect)
            if fault:
                return "", f"a key {fault}"
        if kind is str:
            if suspect or len(member) * 4 > VALUE_BYTES_MAX:
                fault = text_fault(member, VALUE_BYTES_MAX, suspect)
                if fault:
                    return key, fault
        elif kind is float:
            if suspect and not math.isfinite(member):
                return key, "not a finite number"
        elif kind is dict or kind is list:
            found = _nested_fault(member, suspect)
            if found:
                return f"{key}.{found[0]}".rstrip("."), found[1]
    return None


def _nested_fault(root: Any, suspect: bool) -> tuple[str, str] | None:
    """The same for what is inside: iteratively, so that depth costs no stack. All members together count as one."""
    budget = _NESTED_MAX
    todo: list[tuple[str, Any, int]] = [("", root, 2)]
    while todo:
        path, value, depth = todo.pop()
        if depth > DEPTH_MAX:
            return "", f"nested deeper than {DEPTH_MAX}"
        members = value.items() if type(value) is dict else enumerate(value)
        budget -= len(value)
        if budget < 0:
            return "", f"more than {_NESTED_MAX} nested values"
        for key, member in members:
            kind = type(member)
            if type(key) is str and (fault := text_fault(key, KEY_BYTES_MAX, suspect)):
                return path, f"a key {fault}"
            where = f"{path}.{key}" if path else str(key)
            if kind is str and (fault := text_fault(member, VALUE_BYTES_MAX, suspect)):
                return where, fault
            if kind is float and not math.isfinite(member):
                return where, "not a finite number"
            if kind is dict or kind is list:
                todo.append((where, member, depth + 1))
    return None
