"""How something was made up each day, as shares of the whole; small bars of counts; it must not know of what."""

from collections.abc import Sequence
from datetime import date
from math import ceil

from msgspec import Struct

from pipeline.report.web.moments import short_day
from pipeline.report.web.plot.acts import ATTRIBUTIONS
from pipeline.report.web.plot.series import Bar, Days

_LEFT, _TOP, _BELOW = 52.0, 8.0, 24.0


class Counts(Struct, frozen=True):
    """Bars of one count a day: x, y, width and height of each. `most`: of one day; `ends`: of the days."""

    bars: tuple[tuple[float, float, float, float], ...]
    most: int
    ends: tuple[str, str]
    width: float
    height: float


def share_days(rows: Sequence[tuple[date, Sequence[int]]], width: float, height: float) -> Days:
    """A bar a day, all of the same height, in the fixed order from below; a day of nothing has none."""
    floor, step = height - _BELOW, (width - _LEFT) / max(len(rows), 1)
    bars: list[Bar] = []
    for number, (_, parts) in enumerate(rows):
        y, total = floor, sum(parts)
        x = round(_LEFT + number * step + step * 0.1, 1)
        for attribution, count in zip(ATTRIBUTIONS, parts, strict=True):
            if count:
                tall = count / total * (floor - _TOP)
                y -= tall
                high = round(max(tall - 1.2, 0.6), 1)
                bars.append(Bar(attribution, x, round(y, 1), round(max(step * 0.8, 0.8), 1), high))
    grid = tuple((round(floor - share * (floor - _TOP), 1), f"{share:.0%}"[:-1] + " %") for share in (0, 0.5, 1))
    every = max(ceil(len(rows) * 64 / (width - _LEFT)), 1, 7 if len(rows) > 14 else 1)
    ticks = tuple(
        (round(_LEFT + at * step, 1), short_day(rows[at][0]))
        for at in range(0, len(rows), every)
        if _LEFT + at * step < width - 124
    )
    return Days(tuple(bars), grid, ticks, width, height)


def count_days(rows: Sequence[tuple[date, int]], width: float, height: float) -> Counts:
    """A bar a day, tall as its share of the highest."""
    most = max((count for _, count in rows), default=0)
    floor, step = height, width / max(len(rows), 1)
    bars = tuple(
        (round(at * step + step * 0.1, 1), round(floor - max(count / most * (floor - 4), 1.5), 1), round(step * 0.8, 1),
         round(max(count / most * (floor - 4), 1.5), 1))
        for at, (_, count) in enumerate(rows)
        if count
    )  # fmt: skip
    ends = (short_day(rows[0][0]), "today") if rows else ("", "")
    return Counts(bars, most, ends, width, height)
