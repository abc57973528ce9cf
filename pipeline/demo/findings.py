"""What stitching made of the day, in numbers and as one journey; it must not know how the answers are got."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from pipeline import terminal
from pipeline.model import Attribution

Rows = Sequence[Sequence[Any]]
Ask = Callable[[str, Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
_ATTRIBUTIONS: tuple[tuple[Attribution, str], ...] = (
    ("identified", "the hit names its user"),
    ("carried", "signed in before, on this device"),
    ("backfilled", "signed in later: claimed back"),
    ("anonymous", "nobody's: never signed in, or contested"),
)

# A tracker that does not stitch counts a visitor for each user ID, and one for each device without.
_SUMS = """
SELECT count(), uniqExact(device), uniqExact(if(user_id != '', concat('u:', user_id), device)), uniqExact(person_id)
FROM actions
"""
_ATTRIBUTED = "SELECT attribution, count() FROM actions GROUP BY attribution"
# One that fits a screen and shows it all: two devices, and pages from before the sign-in on as many of them as can be.
_CHOSEN = """
SELECT person_id
FROM actions
GROUP BY person_id
HAVING uniqExact(device) = 2 AND countIf(attribution = 'backfilled' AND type = 'page') > 0
ORDER BY uniqExactIf(device, attribution = 'backfilled') DESC, uniqExact(attribution) DESC,
         abs(toInt64(count()) - 16), person_id
LIMIT 1
"""
_JOURNEY = "SELECT * FROM journey(person = {person:UUID})"


class Findings(Struct, frozen=True):
    """Everything that the demo prints about the day."""

    hits: int
    devices: int
    visitors: int  # before stitching
    persons: int  # after
    attributed: Mapping[str, int]
    journey: Sequence[Mapping[str, Any]]  # oldest first; empty when nobody was seen on two devices


class NoAnswer(Exception):
    """The warehouse refused a question of ours; its words."""


async def find(ask: Ask) -> Findings:
    """Ask everything."""
    (hits, devices, visitors, persons), *_ = (await _answer(ask, _SUMS))[1]
    attributed = {str(row[0]): int(row[1]) for row in (await _answer(ask, _ATTRIBUTED))[1]}
    chosen = (await _answer(ask, _CHOSEN))[1]
    journey: list[Mapping[str, Any]] = []
    if chosen:
        columns, rows = await _answer(ask, _JOURNEY, {"person": chosen[0][0]})
        journey = [dict(zip(columns, row, strict=True)) for row in rows]
    return Findings(int(hits), int(devices), int(visitors), int(persons), attributed, journey)


async def _answer(ask: Ask, sql: str, parameters: Mapping[str, Any] | None = None) -> tuple[Sequence[str], Rows]:
    answer = await ask(sql, parameters or {})
    if "error" in answer:
        raise NoAnswer(str(answer["error"]))
    return answer["columns"], answer["rows"]


def told(findings: Findings) -> Iterator[str]:
    """The findings as lines for a terminal."""
    yield f"{findings.hits:>6,} hits from {findings.devices} devices"
    yield f"{findings.visitors:>6,} visitors, as a tracker without stitching counts them"
    yield f"{findings.persons:>6,} persons, stitched"
    yield ""
    for attribution, why in _ATTRIBUTIONS:
        yield f"{findings.attributed.get(attribution, 0):>6,} {attribution:<10}  {why}"
    if not findings.journey:
        return
    user = next((action["user_id"] for action in findings.journey if action["user_id"]), "")
    devices = len({action["device"] for action in findings.journey})
    yield ""
    yield f"One of them: {user}, {len(findings.journey)} actions on {devices} devices"
    yield ""
    yield from terminal.journey(findings.journey)
