"""The same visits unfolded on one linear scale: folding without it would lie; it must not know clusters."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta

from msgspec import Struct

from pipeline.report.web.moments import Clock, short_day
from pipeline.report.web.plot.acts import Visit
from pipeline.report.web.plot.lanes import Lanes

_SIDE_PX = 6.0
_TICKS_MAX = 24
_TICK_PX_MIN = 46.0


class Strip(Struct, frozen=True):
    """`ticks`: x and words of days; `visits` and `claims`: x, y, width."""

    start_ms: int
    end_ms: int
    width: float
    height: float
    ticks: tuple[tuple[float, str], ...]
    visits: tuple[tuple[float, float, float], ...]
    claims: tuple[tuple[float, float, float], ...]
    frame: tuple[float, float]


def strip(visits: Sequence[Visit], lanes: Lanes, clock: Clock, width: float) -> Strip:
    """From the midnight before the first visit to the one after the last."""
    first, last = clock.date(visits[0].start_ms), clock.date(max(visit.end_ms for visit in visits))
    start = _midnight(first, clock)
    end = _midnight(last + timedelta(days=1), clock)
    scale = (width - 2 * _SIDE_PX) / (end - start)

    def x(ms: int) -> float:
        return round(_SIDE_PX + (ms - start) * scale, 1)

    days = (last - first).days + 1
    step = max(1, -(-days // _TICKS_MAX), int(-(-_TICK_PX_MIN * days // width)))
    ticks: list[tuple[float, str]] = []
    for number in range(0, days, step):
        day = first + timedelta(days=number)
        named = not ticks or day.day <= step or step > 1
        ticks.append((x(_midnight(day, clock)), short_day(day) if named else str(day.day)))
    rows = {device: 10 + 7 * at for at, device in enumerate(lanes.devices)}
    other = 10 + 7 * len(lanes.devices)
    drawn = tuple((x(v.start_ms), rows.get(v.device, other), max(3.0, x(v.end_ms) - x(v.start_ms))) for v in visits)
    claims = _claims(visits, rows, other)
    return Strip(
        start, end, width, 20 + 7 * lanes.count + 14, tuple(ticks), drawn,
        tuple((x(to), y + 2.5, x(since)) for to, y, since in claims),
        (x(visits[0].start_ms) - 5, x(max(v.end_ms for v in visits)) - x(visits[0].start_ms) + 10),
    )  # fmt: skip


def _claims(visits: Sequence[Visit], rows: dict[str, int], other: int) -> list[tuple[int, int, int]]:
    first: dict[str, int] = {}
    found = []
    for act in (act for visit in visits for act in visit.acts):
        if act.claimed_by:
            first.setdefault(act.claimed_by, act.ts_ms)
        if act.claimed and act.anchor in first:
            found.append((act.ts_ms, rows.get(act.device, other), first[act.anchor]))
    return found


def _midnight(day: date, clock: Clock) -> int:
    return int(datetime.combine(day, time(), clock.zone).timestamp() * 1_000)
