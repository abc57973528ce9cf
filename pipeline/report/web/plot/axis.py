"""Time to pixels: visits near each other in clusters at one scale, everything between folded; it must not know lanes.

Inside clusters time is linear and a pixel is the same time everywhere, so lengths compare. A fold is narrow however
long it is, and says how long. No visit is ever folded: a fold lies where nothing happened on any device.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise

from msgspec import Struct

from pipeline.limits import DAY_MS, MINUTE_MS
from pipeline.report.web.plot.acts import VISIT_GAP_MS, Visit

CLUSTER_PX_MIN = 44.0
PAD_PX = 19.0  # around the first and last mark of a cluster: 8 of their bar, 8 of a mark, and air
SCALE_MAX = 24.0  # px a minute: nothing is gained beyond
WIDTH_MAX = 12_000.0
_FOLDS = ((DAY_MS, 22.0), (7 * DAY_MS, 29.0))
_FOLD_LONG = 40.0


class Cluster(Struct, frozen=True):
    """A stretch drawn at scale."""

    start_ms: int
    end_ms: int
    x: float
    width: float


class Fold(Struct, frozen=True):
    """A stretch in which nothing happened, and how long it was."""

    start_ms: int
    end_ms: int
    x: float
    width: float

    @property
    def ms(self) -> int:
        """Its true length."""
        return self.end_ms - self.start_ms


class Axis(Struct, frozen=True):
    """Where everything is. `px_per_ms`: the one scale of all clusters."""

    clusters: tuple[Cluster, ...]
    folds: tuple[Fold, ...]
    px_per_ms: float
    width: float

    def cluster(self, ms: int) -> Cluster:
        """The one that has this instant, or the last before it."""
        return self.clusters[max(bisect_right([c.start_ms for c in self.clusters], ms) - 1, 0)]

    def x(self, ms: int) -> float:
        """Pixels from the left; an instant inside a fold is at its left edge."""
        at = self.cluster(ms)
        inside = min(max(ms - at.start_ms, 0), at.end_ms - at.start_ms)
        return round(at.x + PAD_PX + inside * self.px_per_ms, 1)


def fold_width(ms: int) -> float:
    """In pixels."""
    return next((width for most, width in _FOLDS if ms < most), _FOLD_LONG)


def stretches(visits: Iterable[Visit]) -> list[tuple[int, int]]:
    """Start and end of each cluster."""
    found: list[tuple[int, int]] = []
    for visit in sorted(visits, key=lambda visit: visit.start_ms):
        if found and visit.start_ms - found[-1][1] < VISIT_GAP_MS:
            found[-1] = (found[-1][0], max(found[-1][1], visit.end_ms))
        else:
            found.append((visit.start_ms, visit.end_ms))
    return found


def axis(visits: Sequence[Visit], width: float, step: int = 0) -> Axis:
    """At least so wide; wider where clusters do not fit, and at each further step of the zoom."""
    spans = stretches(visits)
    gaps = [(before[1], after[0]) for before, after in pairwise(spans)]
    folds_px = sum(fold_width(end - start) for start, end in gaps)
    scale = _fitting(spans, width - folds_px)
    if step:
        wanted = (0.0, 15.0, 130.0)[step]  # px between neighbours: apart, then with their titles
        scale = min(max(scale * (1.5, 2.5)[step - 1], wanted / _typical_gap_ms(visits)), _widest(spans))
    return _placed(spans, gaps, scale, width)


def _cluster_px(span: tuple[int, int], scale: float) -> float:
    return max(CLUSTER_PX_MIN, 2 * PAD_PX + (span[1] - span[0]) * scale)


def _fitting(spans: Sequence[tuple[int, int]], room: float) -> float:
    """The largest scale at which the clusters fit, by halving."""
    low, high = 0.0, SCALE_MAX / MINUTE_MS
    if sum(_cluster_px(span, high) for span in spans) <= room:
        return high
    for _ in range(40):
        middle = (low + high) / 2
        if sum(_cluster_px(span, middle) for span in spans) <= room:
            low = middle
        else:
            high = middle
    return low or 1.0 / MINUTE_MS


def _widest(spans: Sequence[tuple[int, int]]) -> float:
    total_ms = sum(end - start for start, end in spans)
    return WIDTH_MAX / max(total_ms, MINUTE_MS)


def _typical_gap_ms(visits: Sequence[Visit]) -> float:
    """The median time between neighbours on one device."""
    gaps = sorted(
        after.ts_ms - before.ts_ms
        for visit in visits
        for before, after in pairwise(visit.acts)
        if after.ts_ms > before.ts_ms
    )
    return float(gaps[len(gaps) // 2]) if gaps else float(MINUTE_MS)


def _placed(spans: Sequence[tuple[int, int]], gaps: Sequence[tuple[int, int]], scale: float, width: float) -> Axis:
    clusters: list[Cluster] = []
    folds: list[Fold] = []
    x = 0.0
    for at, span in enumerate(spans):
        wide = _cluster_px(span, scale)
        clusters.append(Cluster(span[0], span[1], round(x, 1), round(wide, 1)))
        x += wide
        if at < len(gaps):
            start, end = gaps[at]
            folds.append(Fold(start, end, round(x, 1), fold_width(end - start)))
            x += fold_width(end - start)
    return Axis(tuple(clusters), tuple(folds), scale, round(max(x, width), 1))
