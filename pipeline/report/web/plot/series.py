"""Plain plots of counts: stacked days, sparklines, threads of devices, flows; it must not know whose counts."""

from collections.abc import Mapping, Sequence
from datetime import date
from math import ceil, log10

from msgspec import Struct

from pipeline.report.web.moments import short_day
from pipeline.report.web.plot.acts import ATTRIBUTIONS


class Bar(Struct, frozen=True):
    """A part of a day's bar."""

    attribution: str
    x: float
    y: float
    width: float
    height: float


class Days(Struct, frozen=True):
    """Stacked bars. `grid`: y and words; `ticks`: x and words."""

    bars: tuple[Bar, ...]
    grid: tuple[tuple[float, str], ...]
    ticks: tuple[tuple[float, str], ...]
    width: float
    height: float


class Thread(Struct, frozen=True):
    """One line of the picture of what stitching changed."""

    path: str
    kind: str
    left: float
    right: float


class Flow(Struct, frozen=True):
    """From one kind of device to another."""

    path: str
    words: str
    top: bool


class Node(Struct, frozen=True):
    """A kind of device at one side. `number`: how often."""

    name: str
    x: float
    y: float
    height: float
    number: int
    left: bool


def compact(number: float) -> str:
    """`15 k`."""
    for size, unit in ((1_000_000, " M"), (1_000, " k")):
        if number >= size:
            return f"{number / size:g}{unit}"
    return f"{number:g}"


def nice(most: float) -> float:
    """A round number not less, of which a quarter is round too."""
    if most <= 4:
        return 4.0
    power = 10.0 ** int(log10(most))
    return next(size * power for size in (1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10, 12) if size * power >= most)


def stacked(rows: Sequence[tuple[date, Sequence[int]]], width: float, height: float) -> Days:
    """A bar a day, in the fixed order from below."""
    most = nice(max((sum(parts) for _, parts in rows), default=0))
    left, top, floor = 52.0, 8.0, height - 24
    step = (width - left) / max(len(rows), 1)
    bars: list[Bar] = []
    for number, (_, parts) in enumerate(rows):
        y = floor
        for attribution, count in zip(ATTRIBUTIONS, parts, strict=True):
            tall = count / most * (floor - top)
            if count:
                y -= tall
                x = round(left + number * step + step * 0.1, 1)
                bars.append(Bar(attribution, x, round(y, 1), round(step * 0.8, 1), round(max(tall - 1.2, 0.6), 1)))
    grid = tuple((round(floor - share * (floor - top), 1), compact(most * share)) for share in (0, 0.25, 0.5, 0.75, 1))
    every = max(ceil(len(rows) * 64 / (width - left)), 1, 7 if len(rows) > 14 else 1)
    ticks = [
        (round(left + n * step, 1), short_day(rows[n][0]))
        for n in range(0, len(rows), every)
        if left + n * step < width - 124
    ]
    return Days(tuple(bars), grid, tuple(ticks), width, height)


def spark(numbers: Sequence[float], width: float = 76, height: float = 26) -> tuple[str, float, float]:
    """A line's path, and its last point."""
    if not numbers:
        return "", 0, 0
    most, least = max(numbers), min(numbers)
    span = (most - least) or 1
    step = (width - 6) / max(len(numbers) - 1, 1)
    points = [(3 + n * step, 3 + (height - 6) * (1 - (value - least) / span)) for n, value in enumerate(numbers)]
    path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    return path, round(points[-1][0], 1), round(points[-1][1], 1)


def threads(signed_devices: int, signed_persons: int, others: int, lines: int = 29) -> list[Thread]:
    """Devices on the left, persons on the right: one line stands for so many that there are at most `lines`."""
    total = signed_devices + others
    if not total:
        return []
    lines = min(lines, total)
    tied = min(round(signed_devices / total * lines), lines) or (1 if signed_devices else 0)
    persons = max(min(round(tied * signed_persons / max(signed_devices, 1)), tied), 1) if tied else 0
    step, right = 245 / lines, 230 / max(persons + lines - tied, 1)
    found = []
    for n in range(tied):
        at = n * persons // tied
        together = sum(1 for other in range(tied) if other * persons // tied == at) > 1
        y0, y1 = 26 + n * step, 40 + at * right
        found.append(
            Thread(
                f"M150 {y0:.1f}C300 {y0:.1f} 340 {y1:.1f} 530 {y1:.1f}",
                "tied" if together else "one",
                round(y0, 1),
                round(y1, 1),
            )
        )
    for n in range(lines - tied):
        y0, y1 = 26 + (tied + n) * step, 40 + (persons + n) * right
        found.append(
            Thread(f"M150 {y0:.1f}C300 {y0:.1f} 340 {y1:.1f} 530 {y1:.1f}", "anon", round(y0, 1), round(y1, 1))
        )
    return found


def flows(
    rows: Sequence[tuple[str, str, int]], width: float = 560, height: float = 260
) -> tuple[list[Flow], list[Node]]:
    """Bands between kinds on the left and on the right; the two widest stand out."""
    total = sum(number for *_, number in rows)
    if not total:
        return [], []
    out, into = _sums(rows, 0), _sums(rows, 1)
    names = sorted({*out, *into}, key=lambda name: (-(out.get(name, 0) + into.get(name, 0)), name))
    room = height - 40 - 16 * (len(names) - 1)
    starts, ends = _column(names, out, total, room), _column(names, into, total, room)
    x0, x1 = 110.0, width - 110
    nodes = [Node(n, x0 - 8, starts[n], out[n] / total * room, out[n], True) for n in names if out.get(n)]
    nodes += [Node(n, x1, ends[n], into[n] / total * room, into[n], False) for n in names if into.get(n)]
    widest = sorted((number for *_, number in rows), reverse=True)[:2][-1]
    made = []
    left, right = dict(starts), dict(ends)
    for a, b, number in sorted(rows, key=lambda row: (names.index(row[0]), names.index(row[1]))):
        tall = number / total * room
        y0, y1, middle = left[a], right[b], (x0 + x1) / 2
        path = (
            f"M{x0:g} {y0:.1f}C{middle:g} {y0:.1f} {middle:g} {y1:.1f} {x1:g} {y1:.1f}V{y1 + tall:.1f}"
            f"C{middle:g} {y1 + tall:.1f} {middle:g} {y0 + tall:.1f} {x0:g} {y0 + tall:.1f}Z"
        )
        made.append(Flow(path, f"{a} to {b}: {number:,}", number >= widest))
        left[a], right[b] = y0 + tall, y1 + tall
    return made, nodes


def _sums(rows: Sequence[tuple[str, str, int]], at: int) -> dict[str, int]:
    found: dict[str, int] = {}
    for row in rows:
        name = (row[0], row[1])[at]
        found[name] = found.get(name, 0) + row[2]
    return found


def _column(names: Sequence[str], sums: Mapping[str, int], total: int, room: float) -> dict[str, float]:
    places: dict[str, float] = {}
    y = 24.0
    for name in names:
        if name in sums:
            places[name] = y
            y += sums[name] / total * room + 16
    return places
