"""Steps as bars side by side, each of two counts, and what went on between them; it must not know what is counted."""

from collections.abc import Sequence

from msgspec import Struct

from pipeline.report.web.plot.curve import per_cent
from pipeline.report.web.plot.series import compact, nice

_LEFT, _TOP, _BELOW = 46.0, 30.0, 46.0
_CHAR_PX = 7.2


class Column(Struct, frozen=True):
    """A step. `bar`, `beside`: x, y, width and height of the two; `band`: to the next step's bar, if there is one."""

    name: str
    middle: float
    bar: tuple[float, float, float, float]
    beside: tuple[float, float, float, float]
    share: str
    share_beside: str
    band: str
    went_on: str
    went_on_x: float


class Funnel(Struct, frozen=True):
    """`grid`: y and words."""

    columns: tuple[Column, ...]
    grid: tuple[tuple[float, str], ...]
    width: float
    height: float
    floor: float


def funnel(steps: Sequence[tuple[str, int, int]], width: float, height: float) -> Funnel:
    """`steps`: a name and two counts each, as persons and as devices, in order. Shares are of the first step."""
    most = nice(max((max(a, b) for _, a, b in steps), default=0))
    floor, room = height - _BELOW, (width - _LEFT) / max(len(steps), 1)
    wide = min(room * 0.34, 92.0)
    made = []
    for number, (name, first, second) in enumerate(steps):
        middle = _LEFT + room * (number + 0.5)
        tall, other = first / most * (floor - _TOP), second / most * (floor - _TOP)
        x = middle - wide * 0.95
        band, went_on = "", ""
        if number + 1 < len(steps):
            after = steps[number + 1][1]
            next_x, next_tall = x + room, after / most * (floor - _TOP)
            left = x + wide * 1.95
            band = f"M{left:.1f} {floor:g}V{floor - tall:.1f}L{next_x:.1f} {floor - next_tall:.1f}V{floor:g}Z"
            went_on = per_cent(after / first) if first else ""
        made.append(
            Column(
                name=name if len(name) * _CHAR_PX < room else name[: max(int(room / _CHAR_PX) - 1, 3)] + "…",
                middle=round(middle, 1),
                bar=(round(x, 1), round(floor - tall, 1), round(wide, 1), round(max(tall, 1.0), 1)),
                beside=(round(x + wide + 5, 1), round(floor - other, 1), round(wide * 0.8, 1), round(max(other, 1), 1)),
                share=per_cent(first / steps[0][1]) if steps[0][1] else "–",
                share_beside=per_cent(second / steps[0][2]) if steps[0][2] else "–",
                band=band,
                went_on=went_on,
                went_on_x=round(middle + room / 2 + wide * 0.45, 1),
            )
        )
    grid = tuple((round(floor - share * (floor - _TOP), 1), compact(most * share)) for share in (0, 0.25, 0.5, 0.75, 1))
    return Funnel(tuple(made), grid, width, height, floor)
