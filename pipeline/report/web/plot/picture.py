"""The whole drawing of a journey, step by step of the zoom, and for a phone; it must not know the warehouse or HTML."""

from collections.abc import Sequence
from datetime import date

from msgspec import Struct

from pipeline.limits import AXIS_ACTIONS_MAX, AXIS_NODES_MAX, AXIS_VISITS_MAX
from pipeline.report.web.moments import Clock, length
from pipeline.report.web.plot.acts import Visit
from pipeline.report.web.plot.axis import Axis, axis
from pipeline.report.web.plot.claims import Claim, Stitch, claims, thread
from pipeline.report.web.plot.labels import Label, Scene, labels
from pipeline.report.web.plot.lanes import LANE_PX, TOP_PX, Lanes, Mark, Patch, in_time, lanes, marks, patches

WIDTH_PX = 1122.0
STEPS = 3
_HEAD_CHAR_PX = 8.2
_NODES_A_MARK, _NODES_A_FOLD, _NODES_A_CLAIM = 5, 5, 6


class Head(Struct, frozen=True):
    """Above a cluster: the day where it is another one, and the times where they fit."""

    x: float
    day: str
    times: str


class FoldWord(Struct, frozen=True):
    """A fold's place and its true length; `word` is empty where it would touch its neighbour's."""

    x: float
    width: float
    word: str


class Picture(Struct, frozen=True):
    """One step of the zoom. `clock_changes`: x and words where the clocks went back or forward inside a cluster."""

    width: float
    height: float
    floor: float
    heads: tuple[Head, ...]
    folds: tuple[FoldWord, ...]
    patches: tuple[Patch, ...]
    claims: tuple[Claim, ...]
    stitches: tuple[Stitch, ...]
    marks: tuple[Mark, ...]
    labels: tuple[Label, ...]
    lanes: Lanes
    axis: Axis
    clock_changes: tuple[tuple[float, str], ...]

    @property
    def nodes(self) -> int:
        """How many elements it has, at most."""
        many = len(self.marks) * _NODES_A_MARK + len(self.folds) * _NODES_A_FOLD + len(self.claims) * _NODES_A_CLAIM
        few = len(self.patches) + len(self.stitches) + 2 * len(self.heads) + 2 * len(self.labels)
        return many + few + self.lanes.count + 4 + 2 * len(self.clock_changes)


def picture(visits: Sequence[Visit], clock: Clock, step: int = 0, picked: str = "") -> Picture | None:
    """None where there is too much to be drawn one by one: then a column stands for a day."""
    actions = sum(len(visit.acts) for visit in visits)
    if not visits or actions > AXIS_ACTIONS_MAX or len(visits) > AXIS_VISITS_MAX:
        return None
    rows = lanes(visits)
    scaled = axis(visits, WIDTH_PX, step)
    brackets = tuple(claims(visits, scaled, rows))
    scene = Scene(visits, scaled, rows, brackets, picked, step == STEPS - 1, clock.time)
    floor = TOP_PX + rows.count * LANE_PX
    made = Picture(
        width=scaled.width,
        height=floor + 28,
        floor=floor,
        heads=tuple(_heads(scaled, clock)),
        folds=tuple(_folds(scaled)),
        patches=tuple(patch for visit in visits for patch in patches(visit, scaled, rows.of(visit.device))),
        claims=brackets,
        stitches=tuple(thread(visits, scaled, rows)),
        marks=tuple(in_time(mark for visit in visits for mark in marks(visit, scaled, rows.of(visit.device)))),
        labels=tuple(labels(scene)),
        lanes=rows,
        axis=scaled,
        clock_changes=tuple(_changes(scaled, clock)),
    )
    return made if made.nodes <= AXIS_NODES_MAX else None


def _heads(scaled: Axis, clock: Clock) -> list[Head]:
    found: list[Head] = []
    free = 0.0
    shown: date | None = None
    for cluster in scaled.clusters:
        x = round(cluster.x + 11, 1)
        if x < free:
            continue
        day = "" if clock.date(cluster.start_ms) == shown else clock.day(cluster.start_ms)
        times = clock.range(cluster.start_ms, cluster.end_ms)
        after = next((other.x + 11 for other in scaled.clusters if other.x > cluster.x), scaled.width)
        if x + len(times) * 6.6 > after - 4:
            times = clock.time(cluster.start_ms)
        wide = max(len(day) * _HEAD_CHAR_PX, len(times) * 6.6)
        x = min(x, scaled.width - wide - 2)
        if x < free:
            continue
        found.append(Head(x, day, times))
        shown = clock.date(cluster.start_ms)
        free = x + wide + 6
    return found


def _folds(scaled: Axis) -> list[FoldWord]:
    found: list[FoldWord] = []
    free = 0.0
    for fold in scaled.folds:
        word = length(fold.ms)
        middle, half = fold.x + fold.width / 2, len(word) * 3.2
        if middle - half < free:
            word = ""
        else:
            free = middle + half + 4
        found.append(FoldWord(fold.x, fold.width, word))
    return found


def _changes(scaled: Axis, clock: Clock) -> list[tuple[float, str]]:
    found = []
    for cluster in scaled.clusters:
        moved = clock.offset_changes(cluster.start_ms, cluster.end_ms)
        if moved:
            low, high = cluster.start_ms, cluster.end_ms
            while high - low > 1_000:
                middle = (low + high) // 2
                low, high = (low, middle) if clock.offset_changes(cluster.start_ms, middle) else (middle, high)
            found.append((scaled.x(high), "clocks back" if moved < 0 else "clocks forward"))
    return found
