"""What may stand to the right of a sign: texts, numbers, times, spans, lists; it must not know fields or SQL."""

import re
from collections.abc import Callable
from typing import TypeVar

from pipeline.limits import DAY_MS, HOUR_MS, MINUTE_MS, SEGMENT_DAYS_MAX, SEGMENT_VALUES_MAX, TIME_MIN_MS
from pipeline.report.segments.cursor import Cursor, Stop
from pipeline.times import iso, ms_of

JOINING = ("and", "or", "not", "in", "contains", "starts", "with", "within")
_UNITS_MS = {"m": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS, "w": 7 * DAY_MS}
_SPAN = re.compile(r"([0-9]{1,6})([mhdw])")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,9})?")
_TIME_MAX_MS = 4_102_444_800_000  # 2100-01-01
Value = TypeVar("Value", str, float)


def one_or_list(cursor: Cursor, many: bool, read: Callable[[], Value]) -> tuple[Value, ...]:
    """One value; or, after `in`, several between parentheses."""
    if not many:
        return (read(),)
    cursor.sign("(", "country in (DE, AT)")
    values = [read()]
    while cursor.here.is_sign(","):
        at = cursor.take().at
        if len(values) == SEGMENT_VALUES_MAX:
            raise Stop(f"in takes at most {SEGMENT_VALUES_MAX} values", at)
        values.append(read())
    cursor.sign(")", "country in (DE, AT)")
    return tuple(values)


def text(cursor: Cursor, name: str, example: str) -> str:
    """Any word that joins nothing, or whatever stands between quotes."""
    token = cursor.take()
    if token.kind == "text" or (token.kind == "word" and not token.says(*JOINING)):
        return token.value
    raise Stop(f"{name} takes a text: {example}", token.at)


def number(cursor: Cursor, name: str, example: str) -> float:
    """A decimal number."""
    token = cursor.take()
    if token.kind == "word" and _NUMBER.fullmatch(token.value):
        return float(token.value)
    raise Stop(f"{name} takes a number: {example}", token.at)


def flag(cursor: Cursor, name: str, example: str) -> float:
    """True or false, as 1 or 0."""
    token = cursor.take()
    if token.says("true", "false"):
        return float(token.says("true"))
    raise Stop(f"{name} takes true or false: {example}", token.at)


def time(cursor: Cursor, name: str, example: str) -> tuple[float | str, bool]:
    """Milliseconds before the end and True; or the first instant of a UTC day, as the warehouse takes it, and False."""
    token = cursor.take()
    ago_ms = _span_ms(token.value) if token.kind == "word" else None
    if ago_ms is not None:
        return float(ago_ms), True
    if _DAY.fullmatch(token.value):
        try:
            at_ms = ms_of(token.value + "T00:00:00Z")
        except ValueError:
            at_ms = 0
        if TIME_MIN_MS <= at_ms <= _TIME_MAX_MS:
            return iso(at_ms)[:-1].replace("T", " "), False
    raise Stop(f"{name} takes a day or how long ago: {example}, {name} < 2026-11-01", token.at)


def span_ms(cursor: Cursor) -> int:
    """After `within`."""
    token = cursor.take()
    found = _span_ms(token.value) if token.kind == "word" else None
    if found is None:
        raise Stop(f"within takes a time of up to {SEGMENT_DAYS_MAX} days: did(Order) within 30d", token.at)
    return found


def _span_ms(word: str) -> int | None:
    match = _SPAN.fullmatch(word)
    found = int(match[1]) * _UNITS_MS[match[2]] if match else None
    return found if found is None or found <= SEGMENT_DAYS_MAX * DAY_MS else None
