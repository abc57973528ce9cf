"""A lane a device: bars sewn from patches, and marks on them; it must not know what is written beside them."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from msgspec import Struct

from pipeline.report.web.plot.acts import Act, Visit
from pipeline.report.web.plot.axis import Axis

TOP_PX = 52.0
LANE_PX = 88.0
LANES_MAX = 6
BAR_PX = 26.0
_BAR_AT = 38.0  # below the lane's upper edge
_BEYOND_PX = 8.0
_SEAM_PX = 2.0
_MERGE_PX = 9.0


class Patch(Struct, frozen=True):
    """A run of one attribution."""

    attribution: str
    x: float
    y: float
    width: float


class Mark(Struct, frozen=True):
    """One action, or several that would touch. `acts` has them all; the first is where the mark leads."""

    acts: tuple[Act, ...]
    x: float
    y: float
    lane: int
    visit: int

    @property
    def act(self) -> Act:
        """The first."""
        return self.acts[0]

    @property
    def shape(self) -> str:
        """The name of its symbol."""
        if self.act.login:
            return "login"
        return "logout" if self.act.logout else self.act.attribution


class Lanes(Struct, frozen=True):
    """Devices by lane. `more`: those that share the last one, as there is no room for all."""

    devices: tuple[str, ...]
    more: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """How many are drawn."""
        return len(self.devices) + bool(self.more)

    def of(self, device: str) -> int:
        """The number of a device's lane."""
        return self.devices.index(device) if device in self.devices else len(self.devices)


def lanes(visits: Sequence[Visit]) -> Lanes:
    """In the order they were first seen; of many, those seen last have a lane of their own."""
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    for visit in visits:
        first.setdefault(visit.device, visit.start_ms)
        last[visit.device] = max(last.get(visit.device, 0), visit.end_ms)
    kept = sorted(last, key=lambda device: (-last[device], device))[:LANES_MAX]
    own = sorted(kept, key=lambda device: (first[device], device))
    return Lanes(tuple(own), tuple(sorted(set(first) - set(own))))


def top(lane: int) -> float:
    """The upper edge of a lane."""
    return TOP_PX + lane * LANE_PX


def bar_y(lane: int) -> float:
    """The upper edge of a lane's bars."""
    return top(lane) + _BAR_AT


def middle_y(lane: int) -> float:
    """Where its marks are."""
    return bar_y(lane) + BAR_PX / 2


def patches(visit: Visit, axis: Axis, lane: int) -> Iterator[Patch]:
    """The bar of a visit: together they cover every mark, and beyond the first and the last."""
    runs = [tuple(run) for _, run in groupby(visit.acts, key=lambda act: act.attribution)]
    left = axis.x(visit.start_ms) - _BEYOND_PX
    for at, run in enumerate(runs):
        end = axis.x(run[-1].ts_ms)
        right = end + _BEYOND_PX if at == len(runs) - 1 else (end + axis.x(runs[at + 1][0].ts_ms)) / 2
        seam = _SEAM_PX if at < len(runs) - 1 and right - left > 2 * _SEAM_PX else 0
        yield Patch(run[0].attribution, round(left, 1), bar_y(lane), round(max(right - left - seam, 1), 1))
        left = right


def marks(visit: Visit, axis: Axis, lane: int) -> list[Mark]:
    """Its actions; what would touch is one mark with a count, but for what is never merged. Those come last."""
    found: list[list[Act]] = []
    for one in visit.acts:
        if found and _merges(found[-1], one, axis):
            found[-1].append(one)
        else:
            found.append([one])
    made = [Mark(tuple(run), axis.x(run[0].ts_ms), middle_y(lane), lane, visit.number) for run in found]
    return sorted(made, key=lambda mark: mark.act.special)


def _merges(run: Sequence[Act], one: Act, axis: Axis) -> bool:
    last = run[-1]
    near = axis.x(one.ts_ms) - axis.x(run[0].ts_ms) < _MERGE_PX
    return near and not last.special and not one.special and last.attribution == one.attribution


def in_time(marks: Iterable[Mark]) -> list[Mark]:
    """By their actions' time: the order of the arrow keys."""
    return sorted(marks, key=lambda mark: (mark.act.ts_ms, mark.act.event_id))
