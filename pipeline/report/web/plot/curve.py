"""Lines of shares over steps of something: how many by then, how many came back; it must not know of what."""

from collections.abc import Sequence
from math import ceil

from msgspec import Struct

_LEFT, _RIGHT, _TOP, _BELOW = 46.0, 76.0, 10.0, 26.0
_TOPS = (0.04, 0.08, 0.2, 0.4, 0.6, 0.8, 1.0)  # of which a quarter is a whole number of per cent
_LABEL_PX = 32.0  # two lines of words at the end of a line
_TICK_PX = 52.0


class Line(Struct, frozen=True):
    """One of them. `dashed`: all but the first. `label_y`: where its words stand, touching no other's."""

    name: str
    words: str
    path: str
    dots: tuple[tuple[float, float], ...]
    label_y: float
    dashed: bool


class Curves(Struct, frozen=True):
    """`grid`: y and words; `ticks`: x and words."""

    lines: tuple[Line, ...]
    grid: tuple[tuple[float, str], ...]
    ticks: tuple[tuple[float, str], ...]
    left: float
    right: float
    width: float
    height: float


def curves(lines: Sequence[tuple[str, Sequence[float]]], ticks: Sequence[str], width: float, height: float) -> Curves:
    """Shares from 0 to 1, as many for each line as there are ticks at most; a line may end before the others."""
    most = max((value for _, values in lines for value in values), default=0.0)
    top = next((size for size in _TOPS if size >= most), 1.0)
    floor, step = height - _BELOW, (width - _LEFT - _RIGHT) / max(len(ticks) - 1, 1)
    drawn: list[Line] = []
    for number, (name, values) in enumerate(lines):
        dots = tuple(
            (round(_LEFT + at * step, 1), round(floor - min(value / top, 1) * (floor - _TOP), 1))
            for at, value in enumerate(values)
        )
        if dots:
            path = "M" + "L".join(f"{x:g} {y:g}" for x, y in dots)
            drawn.append(Line(name, per_cent(values[-1]), path, dots, dots[-1][1], number > 0))
    grid = tuple(
        (round(floor - share * (floor - _TOP), 1), f"{top * share * 100:g} %") for share in (0, 0.25, 0.5, 0.75, 1)
    )
    every = max(ceil(_TICK_PX / step), 1) if step else 1
    said = tuple((round(_LEFT + at * step, 1), words) for at, words in enumerate(ticks) if at % every == 0)
    return Curves(_apart(drawn, floor), grid, said, _LEFT, width - _RIGHT, width, height)


def per_cent(share: float) -> str:
    """`41.2 %`, which never breaks; `0 %` and `100 %` only where it is none and all."""
    shown = f"{share * 100:.1f}"
    if shown == "0.0":
        shown = "0" if share == 0 else "<\u00a00.1"
    if shown == "100.0":
        shown = "100" if share == 1 else "99.9"
    return f"{shown}\u00a0%"


def _apart(lines: Sequence[Line], floor: float) -> tuple[Line, ...]:
    """Words that would touch are moved down, and where there is no room below, up."""
    order = sorted(lines, key=lambda line: line.label_y)
    places: list[float] = []
    for line in order:
        places.append(max(line.label_y, places[-1] + _LABEL_PX if places else _TOP + 2))
    lowest = floor - 12
    for at in range(len(places) - 1, -1, -1):
        places[at] = min(places[at], lowest)
        lowest = places[at] - _LABEL_PX
    placed = {line.name: round(y, 1) for line, y in zip(order, places, strict=True)}
    return tuple(Line(line.name, line.words, line.path, line.dots, placed[line.name], line.dashed) for line in lines)
