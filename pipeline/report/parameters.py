"""What a report may be told and in which form; it must not know which reports there are, or any SQL but type names."""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from msgspec import Struct

from pipeline.limits import QUERY_ROWS_MAX, TIME_MIN_MS
from pipeline.times import iso, ms_of

TIME_MAX_MS = 4_102_444_800_000  # 2100-01-01: before the last day that the warehouse can write
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_NOBODY = "00000000-0000-0000-0000-000000000000"


class Problem(Struct, frozen=True):
    """Why a question cannot be asked: the field, what was expected there, and for a text how many characters in."""

    field: str
    expected: str
    at: int = 0

    def __str__(self) -> str:
        """As a sentence."""
        return f"{self.field}: expected {self.expected}"


class Parameter(Struct, frozen=True):
    """One of a report's own. `default` None: it has to be given."""

    name: str
    kind: str
    default: Any = None


def limit(default: int) -> Parameter:
    """How many rows at most: never more than the warehouse answers with."""
    return Parameter("limit", "rows", default)


def checked(parameter: Parameter, values: Mapping[str, Any]) -> Any:
    """The value as ClickHouse takes it, or a Problem."""
    given = values.get(parameter.name)
    if given is None:
        given = parameter.default
    if given is None:
        return Problem(parameter.name, _KINDS[parameter.kind][0])
    expected, read = _KINDS[parameter.kind]
    try:
        return read(given)
    except (ValueError, TypeError, AttributeError, KeyError, OSError):
        return Problem(parameter.name, f"{expected}, got {str(given)[:60]!r}")


def instant(text: Any) -> str:
    """A day, or ISO 8601 with an offset, as the warehouse takes it. Raises ValueError."""
    text = str(text)
    ms = ms_of(f"{text}T00:00:00Z" if _DAY.fullmatch(text) else text)
    if not TIME_MIN_MS <= ms <= TIME_MAX_MS:
        raise ValueError(text)
    return iso(ms)[:-1].replace("T", " ")


def _text(given: Any) -> str:
    if not isinstance(given, str) or "\0" in given:
        raise ValueError(given)
    return given


def _flag(given: Any) -> str:
    return {"1": "1", "0": "0", "true": "1", "false": "0"}[str(given).lower()]


def _number(least: float, most: float, kind: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def read(given: Any) -> Any:
        value = kind(given)
        if math.isnan(value) or not least <= value <= most:
            raise ValueError(given)
        return value

    return read


def _zone(given: Any) -> str:
    return ZoneInfo(_text(given)).key


def _name(given: Any) -> str:
    if not _text(given):
        raise ValueError(given)
    return str(given)


def _sort(given: Any) -> str:
    return {name: name for name in SORTS}[given]


SORTS = ("last", "first", "actions", "devices", "conversions")
FIRST_RANK = 1e300  # before every rank: the first page
NOBODY = _NOBODY
_KINDS: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "name": ("a text that is not empty", _name),
    "text": ("a text", _text),
    "person": ("a person ID (UUID)", lambda given: str(UUID(str(given)))),
    "persons": ("a list of person IDs (UUID)", lambda given: [str(UUID(str(one))) for one in given]),
    "instant": ("a day (2026-11-22) or a time with an offset (2026-11-22T09:00:00Z), 2000 to 2100", instant),
    "zone": ("the name of a time zone (Europe/Berlin)", _zone),
    "flag": ("1 or 0", _flag),
    "rows": (f"a number from 1 to {QUERY_ROWS_MAX}", _number(1, QUERY_ROWS_MAX, int)),
    "count": ("a whole number", _number(0, 2**63, int)),
    "rank": ("a number", _number(-FIRST_RANK, FIRST_RANK, float)),
    "sort": (f"one of {', '.join(SORTS)}", _sort),
}
