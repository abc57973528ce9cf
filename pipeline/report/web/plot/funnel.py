"""Steps as bars side by side, each of two counts, and what went on between them; it must not know what is counted."""

from collections.abc import Sequence

from msgspec import Struct

from pipeline.report.web.plot.curve import per_cent
from pipeline.report.web.plot.series import compact, nice

_LEFT, _TOP, _BELOW = 46.0, 30.0, 46.0
_CHAR_PX = 7.2
_SHARE_PX, _WHOLE_PX = 50.0, 38.0  # what `96.4 %` and `96 %` take


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
        apart = wide * 0.9 + 5  # of the middles of the two bars
        tall, other = first / most * (floor - _TOP), second / most * (floor - _TOP)
        x = middle - wide * 0.95
        band, went_on, between = "", "", middle
        if number + 1 < len(steps) and first:
            after = steps[number + 1][1]
            next_x, next_tall = x + room, after / most * (floor - _TOP)
            left = x + wide * 1.95
            band = f"M{left:.1f} {floor:g}V{floor - tall:.1f}L{next_x:.1f} {floor - next_tall:.1f}V{floor:g}Z"
            went_on = _share(after, first, next_x - left)
            between = (left + next_x) / 2
        made.append(
            Column(
                name=name if len(name) * _CHAR_PX < room else name[: max(int(room / _CHAR_PX) - 1, 3)] + "…",
                middle=round(middle, 1),
                bar=(round(x, 1), round(floor - tall, 1), round(wide, 1), round(tall, 1)),
                beside=(round(x + wide + 5, 1), round(floor - other, 1), round(wide * 0.8, 1), round(other, 1)),
                share=_share(first, steps[0][1], max(apart, _WHOLE_PX)),
                share_beside=_share(second, steps[0][2], apart),
                band=band,
                went_on=went_on,
                went_on_x=round(between, 1),
            )
        )
    grid = tuple((round(floor - share * (floor - _TOP), 1), compact(most * share)) for share in (0, 0.25, 0.5, 0.75, 1))
    return Funnel(tuple(made), grid, width, height, floor)


def _share(count: int, of: int, room: float) -> str:
    """As exactly as there is room for; the table has all of them."""
    if not of or room < _WHOLE_PX:
        return ""
    return per_cent(count / of) if room >= _SHARE_PX else f"{count / of * 100:.0f}\u00a0%"
