"""The recorded day: what real trackers sent, and the same moved to another time; it must not know how it is sent.

Every hit carries its own time in its protocol's own way. Moving a request rewrites those times in place and nothing
else, but for native event IDs: an event at another time is another event.
"""

import hashlib
import re
from collections.abc import Callable, Sequence
from importlib.resources import files

import msgspec
from msgspec import Struct, structs

from pipeline.times import iso, ms_of

NAME = "day.ndjson"
_EPOCH_S = re.compile(r"(?<![A-Za-z_])cdt=(\d{10})(?!\d)")
_EPOCH_MS = re.compile(r'"ts":(\d{13})(?!\d)')
_TEXT = re.compile(r'triggered_at(?:=|": ?")(\d{4}-\d\d-\d\dT\d\d(?::|%3A)\d\d(?::|%3A)\d\dZ)')
_EVENT_ID = re.compile(r'"event_id":"([0-9a-f]{32})"')


class Recorded(Struct, frozen=True):
    """One request, byte for byte but for host names. `at`: when it was sent, which may be after what it tells of."""

    at: str
    client: str
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: str


class _Notation(Struct, frozen=True):
    """How a protocol writes a hit's time."""

    pattern: re.Pattern[str]
    read: Callable[[str], int]  # -> epoch milliseconds
    write: Callable[[int, str], str]  # epoch milliseconds, what stood there


def _write_text(moment_ms: int, before: str) -> str:
    text = iso(moment_ms)[:19] + "Z"
    return text.replace(":", "%3A") if "%3A" in before else text


_MATOMO = _Notation(_EPOCH_S, lambda text: int(text) * 1_000, lambda ms, _: str(ms // 1_000))
_NATIVE = _Notation(_EPOCH_MS, int, lambda ms, _: str(ms))
_METRICSWAVE = _Notation(_TEXT, lambda text: ms_of(text.replace("%3A", ":")), _write_text)
_BY_FIRST_SEGMENT = {"v1": _NATIVE, "matomo.php": _MATOMO, "webhooks": _METRICSWAVE}


def read_day() -> list[Recorded]:
    """The recorded day, in the order in which it was sent."""
    text = (files("pipeline.demo") / NAME).read_bytes()
    return [msgspec.json.decode(line, type=Recorded) for line in text.splitlines()]


def own_times(request: Recorded) -> list[int]:
    """When each hit of the request happened, by its own word: epoch milliseconds, one a hit."""
    notation = _notation(request)
    return [notation.read(text) for part in (request.query, request.body) for text in notation.pattern.findall(part)]


def moved(day: Sequence[Recorded], end_ms: int) -> list[Recorded]:
    """The day moved by whole seconds so that it ends at `end_ms` or less than a second before."""
    last_ms = max(ms_of(request.at) for request in day)
    by_s = (end_ms - last_ms) // 1_000
    return [shifted(request, by_s) for request in day]


def shifted(request: Recorded, by_s: int) -> Recorded:
    """The same request, `by_s` seconds later."""
    return structs.replace(
        request,
        at=iso(ms_of(request.at) + by_s * 1_000),
        query=_shifted_text(request.query, _notation(request), by_s),
        body=_EVENT_ID.sub(
            lambda found: f'"event_id":"{_other_id(found[1], by_s)}"',
            _shifted_text(request.body, _notation(request), by_s),
        ),
    )


def _notation(request: Recorded) -> _Notation:
    return _BY_FIRST_SEGMENT[request.path.split("/")[1]]


def _shifted_text(text: str, notation: _Notation, by_s: int) -> str:
    def later(found: re.Match[str]) -> str:
        moment_ms = notation.read(found[1]) + by_s * 1_000
        return found[0].replace(found[1], notation.write(moment_ms, found[1]))

    return notation.pattern.sub(later, text)


def _other_id(event_id: str, by_s: int) -> str:
    return hashlib.blake2s(f"{event_id} {by_s}".encode(), digest_size=16).hexdigest()
