"""Brackets of what sign-ins claimed, and the thread through the visits; it must not know marks or words."""

from collections.abc import Iterator, Sequence

from msgspec import Struct

from pipeline.report.web.plot.acts import Act, Visit
from pipeline.report.web.plot.axis import Axis
from pipeline.report.web.plot.lanes import BAR_PX, Lanes, bar_y, middle_y, top

PILL_PX = 19.0
_CORNER = 9.0
_RISE = 15.0  # below the lane's upper edge: brackets stay in their own lane
_CHAR_PX = 6.9
_BEYOND_PX = 8.0


class Claim(Struct, frozen=True):
    """One sign-in and the past it claimed: dashes from the sign-in up, back, and down to the first claimed action."""

    anchor: str
    count: int
    path: str
    tip: str
    ground: tuple[float, float, float, float]  # x, y, width, height
    pill: tuple[float, float, float]  # x, y, width
    first_x: float
    last_x: float
    lane: int

    @property
    def word(self) -> str:
        """What the pill says."""
        return claim_word(self.count)

    @property
    def word_x(self) -> float:
        """The middle of the pill."""
        return round(self.pill[0] + self.pill[2] / 2, 1)


class Stitch(Struct, frozen=True):
    """The thread from one visit to the next. `claimed`: the next begins with pages nobody had claimed yet."""

    path: str
    claimed: bool


def claim_word(count: int) -> str:
    """`claimed 8 earlier actions`."""
    return f"claimed {count:,} earlier action{'' if count == 1 else 's'}"


def claims(visits: Sequence[Visit], axis: Axis, lanes: Lanes) -> Iterator[Claim]:
    """A bracket for each sign-in that changed earlier actions."""
    first: dict[str, Act] = {}
    for act in (act for visit in visits for act in visit.acts):
        if act.claimed_by:
            first.setdefault(act.claimed_by, act)
        if act.claimed and act.anchor in first:
            lane = lanes.of(act.device)
            yield _claim(act, axis.x(first[act.anchor].ts_ms), axis.x(act.ts_ms), lane, axis.width)


def _claim(act: Act, left: float, right: float, lane: int, width: float) -> Claim:
    y, bar = top(lane) + _RISE, bar_y(lane)
    left = min(left, right - 4)
    turn = min(_CORNER, (right - left) / 2)
    path = (
        f"M{right:g} {bar - 3:g}V{y + turn:g}Q{right:g} {y:g} {right - turn:g} {y:g}H{left + turn:g}"
        f"Q{left:g} {y:g} {left:g} {y + turn:g}V{bar - 9:g}"
    )
    pill = 16 + len(claim_word(act.claimed)) * _CHAR_PX
    x = (left + right - pill) / 2 if right - left > pill + 12 else right + 10
    x = max(min(x, width - pill - 4), 4) if x + pill > width else x
    return Claim(
        anchor=act.anchor,
        count=act.claimed,
        path=path,
        tip=f"M{left - 5:g} {bar - 9:g}h10l-5 8z",
        ground=(round(left - _BEYOND_PX, 1), y, round(right - left + _BEYOND_PX, 1), bar + BAR_PX - y),
        pill=(round(x, 1), y - PILL_PX / 2, round(pill, 1)),
        first_x=left,
        last_x=right,
        lane=lane,
    )


def thread(visits: Sequence[Visit], axis: Axis, lanes: Lanes) -> Iterator[Stitch]:
    """From the end of each visit to the start of the next; nobody's visits are not on it."""
    mine = [visit for visit in visits if visit.mine]
    if not mine:
        return
    ahead = mine[0]  # the visit that ends last so far
    for visit in mine[1:]:
        claimed = visit.acts[0].attribution == "backfilled"
        apart = axis.x(visit.start_ms) - axis.x(ahead.end_ms)
        if visit.start_ms <= ahead.end_ms or apart < 4 * _BEYOND_PX:
            yield Stitch(_branch(visit, ahead, axis, lanes), claimed)
        else:
            yield Stitch(_between(visit, ahead, axis, lanes), claimed)
        if visit.end_ms >= ahead.end_ms:
            ahead = visit


def _branch(visit: Visit, ahead: Visit, axis: Axis, lanes: Lanes) -> str:
    """Off the visit that still runs."""
    x, start = axis.x(visit.start_ms), axis.x(visit.start_ms) - _BEYOND_PX
    from_y, to_y = middle_y(lanes.of(ahead.device)), middle_y(lanes.of(visit.device))
    from_y += BAR_PX / 2 if to_y > from_y else -BAR_PX / 2
    x = max(min(x - 24, axis.x(ahead.end_ms)), axis.x(ahead.start_ms))
    return f"M{x:g} {from_y:g}C{x:g} {(from_y + to_y) / 2:g} {x:g} {to_y:g} {start:g} {to_y:g}"


def _between(visit: Visit, ahead: Visit, axis: Axis, lanes: Lanes) -> str:
    """An S-curve inside the last fold before it, or straight where there is none."""
    from_x, to_x = axis.x(ahead.end_ms) + _BEYOND_PX, axis.x(visit.start_ms) - _BEYOND_PX
    from_y, to_y = middle_y(lanes.of(ahead.device)), middle_y(lanes.of(visit.device))
    fold = next((fold for fold in reversed(axis.folds) if fold.end_ms <= visit.start_ms), None)
    left, right = (fold.x, fold.x + fold.width) if fold and fold.start_ms >= ahead.end_ms else (from_x, to_x)
    bend = max((right - left) * 0.68, 4)
    curve = f"C{left + bend:g} {from_y:g} {right - bend:g} {to_y:g} {right:g} {to_y:g}"
    return f"M{from_x:g} {from_y:g}H{left:g}{curve}H{to_x:g}"
