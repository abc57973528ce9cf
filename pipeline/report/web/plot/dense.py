"""Many actions: a column a day on each lane, tall as the root of its actions; it must not know single actions."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from itertools import pairwise
from math import sqrt

from msgspec import Struct

from pipeline.limits import AXIS_NODES_MAX
from pipeline.report.web.moments import day_name, month_name
from pipeline.report.web.plot.acts import ATTRIBUTIONS
from pipeline.report.web.plot.lanes import LANES_MAX, TOP_PX, Lanes

DENSE_LANE_PX = 76.0
_COLUMN_PX_MAX = 40.0
_FOLD_DAYS = 7
_FOLD_PX = 24.0
_TALL_PX = 38.0
_RISE_PX = 20.0  # of a bracket below its lane's upper edge: above the tallest column
_SEAM_PX = 0.6
_CHAR_PX = 6.6


class Day(Struct, frozen=True):
    """What was done on a device on one day, in the order of ATTRIBUTIONS."""

    device: str
    day: date
    actions: tuple[int, int, int, int]


class Claimed(Struct, frozen=True):
    """A sign-in on `signed` that claimed `actions` of a device, the first of them on `first`, an earlier day."""

    device: str
    first: date
    signed: date
    actions: int


class Bracket(Struct, frozen=True):
    """Its dashes, the point at its end, and its word: x and y of the middle."""

    path: str
    tip: str
    word: str
    x: float
    y: float


class Column(Struct, frozen=True):
    """A part of a day's column."""

    attribution: str
    x: float
    y: float
    width: float
    height: float


class Dense(Struct, frozen=True):
    """`heads`: x and words of months; `folds`: x, width and words. `days_a_column`: 1, but for very long journeys."""

    width: float
    height: float
    floor: float
    columns: tuple[Column, ...]
    heads: tuple[tuple[float, str], ...]
    folds: tuple[tuple[float, float, str], ...]
    lanes: Lanes
    first: date
    days_a_column: int
    brackets: tuple[Bracket, ...] = ()


def dense(days: Sequence[Day], width: float, claims: Sequence[Claimed] = ()) -> Dense:
    """As many days in a column as it takes for the drawing to stay small; brackets of claims that reach over one."""
    first = min(day.day for day in days)
    rows = _lanes(days)
    for size in (1, 7, 30, 90, 365):
        made = _drawn(_gathered(days, first, size), rows, (first, size), width, claims)
        nodes = len(made.columns) + 3 * (len(made.folds) + len(made.brackets)) + 2 * len(made.heads) + rows.count
        if nodes < AXIS_NODES_MAX:
            return made
    return made


def _lanes(days: Sequence[Day]) -> Lanes:
    first: dict[str, date] = {}
    last: dict[str, date] = {}
    for day in days:
        first[day.device] = min(first.get(day.device, day.day), day.day)
        last[day.device] = max(last.get(day.device, day.day), day.day)
    kept = sorted(last, key=lambda device: (-last[device].toordinal(), device))[:LANES_MAX]
    own = sorted(kept, key=lambda device: (first[device], device))
    return Lanes(tuple(own), tuple(sorted(set(first) - set(own))))


def _gathered(days: Sequence[Day], first: date, size: int) -> list[Day]:
    """Days put together in groups of `size`, each at its first day."""
    found: dict[tuple[str, date], list[int]] = {}
    for day in days:
        start = first + timedelta(days=(day.day - first).days // size * size)
        sums = found.setdefault((day.device, start), [0, 0, 0, 0])
        for at, number in enumerate(day.actions):
            sums[at] += number
    return [Day(device, day, (s[0], s[1], s[2], s[3])) for (device, day), s in found.items()]


def _drawn(days: Sequence[Day], rows: Lanes, since: tuple[date, int], width: float, claims: Sequence[Claimed]) -> Dense:
    first, size = since
    busy = sorted({day.day for day in days})
    idle = [(before, after) for before, after in pairwise(busy) if (after - before).days > _folded(size)]
    shown = len(busy) and ((busy[-1] - busy[0]).days // size + 1)
    shown -= sum((after - before).days // size - 1 for before, after in idle)
    column = max(min((width - 24 - len(idle) * _FOLD_PX) / max(shown, 1), _COLUMN_PX_MAX), 1.2)
    places, folds = _places(busy, idle, column, size)
    end = max(places.values()) + column + 12
    tallest = sqrt(max(sum(day.actions) for day in days))
    columns = tuple(part for day in days for part in _stack(day, rows, places[day.day], column, tallest))
    floor = TOP_PX + rows.count * DENSE_LANE_PX
    brackets = tuple(_brackets(claims, rows, since, {day: x + column / 2 for day, x in places.items()}))
    return Dense(max(end, width), floor + 28, floor, columns, _heads(busy, places), folds, rows, first, size, brackets)


def _folded(size: int) -> int:
    return max(_FOLD_DAYS, size)


def _places(
    busy: Sequence[date], idle: Sequence[tuple[date, date]], column: float, size: int
) -> tuple[Mapping[date, float], tuple[tuple[float, float, str], ...]]:
    places: dict[date, float] = {}
    folds = []
    gaps = dict(idle)
    x = 12.0
    for at, day in enumerate(busy):
        places[day] = round(x, 1)
        if day in gaps:
            folds.append((round(x + column, 1), _FOLD_PX, f"{(gaps[day] - day).days - size} d"))
            x += column + _FOLD_PX
        elif at + 1 < len(busy):
            x += column * ((busy[at + 1] - day).days / size)
    return places, tuple(folds)


def _stack(day: Day, rows: Lanes, x: float, column: float, tallest: float) -> Iterator[Column]:
    """Parts from below, in the fixed order; their heights add up to the root of the sum."""
    total = sum(day.actions)
    tall = max(sqrt(total) / tallest * _TALL_PX, 2.0)
    y = TOP_PX + (rows.of(day.device) + 1) * DENSE_LANE_PX - 10
    for attribution, number in zip(ATTRIBUTIONS, day.actions, strict=True):
        if number:
            part = tall * number / total
            y -= part
            high = max(part - _SEAM_PX, 0.5)
            yield Column(attribution, x, round(y, 1), round(max(column - 0.8, 1), 1), round(high, 1))


def _brackets(
    claims: Sequence[Claimed], rows: Lanes, since: tuple[date, int], middles: Mapping[date, float]
) -> Iterator[Bracket]:
    """From the sign-in's column back to that of the first claimed action; words only where there is room for them."""
    first, size = since
    free: dict[int, float] = {}  # where the words of each lane end
    for claim in claims:
        days = [first + timedelta(days=(day - first).days // size * size) for day in (claim.first, claim.signed)]
        if days[0] == days[1] or not all(day in middles for day in days):
            continue
        lane = rows.of(claim.device)
        left, right = (middles[day] for day in days)
        y = TOP_PX + lane * DENSE_LANE_PX + _RISE_PX
        turn = min(6.0, (right - left) / 2)
        path = (
            f"M{right:g} {y + 6:g}V{y + turn:g}Q{right:g} {y:g} {right - turn:g} {y:g}H{left + turn:g}"
            f"Q{left:g} {y:g} {left:g} {y + turn:g}V{y + 2:g}"
        )
        word, middle = f"claimed {claim.actions:,}", (left + right) / 2
        wide = len(word) * _CHAR_PX
        if right - left < wide + 6 or middle - wide / 2 < free.get(lane, 0.0):
            word = ""
        else:
            free[lane] = middle + wide / 2 + 6
        yield Bracket(path, f"M{left - 4:g} {y + 1:g}h8l-4 6z", word, round(middle, 1), y)


def _heads(busy: Sequence[date], places: Mapping[date, float]) -> tuple[tuple[float, str], ...]:
    found = [(places[busy[0]], f"{day_name(busy[0])} {busy[0].year}")]
    for before, day in pairwise(busy):
        new = (day.year, day.month) != (before.year, before.month)
        if new and places[day] - found[-1][0] > (60 if len(found) > 1 else 132):
            found.append((places[day], f"{month_name(day)} {day.year}" if day.year != before.year else month_name(day)))
    return tuple(found)
