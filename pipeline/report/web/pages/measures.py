"""What differs between two segments: shares with their intervals, means, times; it must not know who asked for it."""

from collections.abc import Sequence
from math import sqrt

from msgspec import Struct

from pipeline.report.asking import Row
from pipeline.report.web.moments import length
from pipeline.report.web.plot.curve import per_cent

_Z = 1.96  # of a 95 % interval
_RAIL_PX = 420.0
_SHARES = (
    ("Ordered", "persons with an order", "buyers", "persons"),
    ("Backfilled", "actions a later sign-in explained", "backfilled", "actions"),
    ("Nobody’s", "actions no sign-in explains", "anonymous", "actions"),
)
_MEANS = ("Visits", "Actions", "Devices")


class Measure(Struct, frozen=True):
    """One line of the comparison. `low`, `high`: of its interval, where it is a share; x of dots and whiskers."""

    name: str
    about: str
    a: str
    b: str
    a_range: str
    b_range: str
    a_x: tuple[float, float, float]
    b_x: tuple[float, float, float]
    against: str


def measures(sides: Sequence[Row]) -> list[Measure]:
    """Those of which both sides have the number; None is one that was not told."""
    a, b = sides
    told = {name for name in a if a[name] is not None and b[name] is not None}
    made = [
        _share(name, about, (a[part], a[of]), (b[part], b[of])) for name, about, part, of in _SHARES if part in told
    ]
    made += [
        _mean(name, (a[part], a["persons"]), (b[part], b["persons"]))
        for name, part in ((name, name.lower()) for name in _MEANS)
        if part in told
    ]
    if "waited_ms" in told:
        waited = (a["waited_ms"], b["waited_ms"])
        dots = [_dots(one, 0, 0, max(*waited, 1)) for one in waited]
        words = (length(waited[0]), length(waited[1]))
        made.append(Measure("Signed in after", "first action to first sign-in", *words, "", "", dots[0], dots[1], ""))
    return made


def _share(name: str, about: str, a: tuple[int, int], b: tuple[int, int]) -> Measure:
    (share_a, low_a, high_a), (share_b, low_b, high_b) = wilson(*a), wilson(*b)
    most = max(high_a, high_b, 0.01)
    return Measure(
        name, about, per_cent(share_a), per_cent(share_b),
        _range(low_a, high_a, a[1]), _range(low_b, high_b, b[1]),
        _dots(share_a, low_a, high_a, most), _dots(share_b, low_b, high_b, most), _against(share_a, share_b),
    )  # fmt: skip


def _range(low: float, high: float, of: int) -> str:
    return f"{low * 100:.1f} to {high * 100:.1f}" if of else "nobody"


def _mean(name: str, a: tuple[int, int], b: tuple[int, int]) -> Measure:
    mean_a, mean_b = a[0] / max(a[1], 1), b[0] / max(b[1], 1)
    most = max(mean_a, mean_b, 0.01)
    return Measure(
        name, "per person", f"{mean_a:.1f}", f"{mean_b:.1f}", "", "",
        _dots(mean_a, mean_a, mean_a, most), _dots(mean_b, mean_b, mean_b, most), _against(mean_a, mean_b),
    )  # fmt: skip


def wilson(hits: int, of: int) -> tuple[float, float, float]:
    """A share and its 95 % interval, which holds for few and for all or none too."""
    if not of:
        return 0.0, 0.0, 0.0
    share = hits / of
    middle = share + _Z * _Z / (2 * of)
    half = _Z * sqrt(share * (1 - share) / of + _Z * _Z / (4 * of * of))
    below = 1 + _Z * _Z / of
    return share, max((middle - half) / below, 0.0), min((middle + half) / below, 1.0)


def _dots(value: float, low: float, high: float, most: float) -> tuple[float, float, float]:
    x = [round(8 + one / most * (_RAIL_PX - 16), 1) for one in (value, low or value, high or value)]
    return x[0], x[1], x[2]


def _against(a: float, b: float) -> str:
    return f"{a / b:.1f} ×" if a and b else "–"
