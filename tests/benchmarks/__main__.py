"""Prints the table; words choose rows: ingest, stitch, sink, up. It must not know how a figure is come by.

The targets are those of a machine where stock software reaches its published figures. Where it does not, the targets
of ingest and stitch shrink by as much, measured in the same run: what is judged is our share, not the machine.
"""

import sys
from collections.abc import Callable, Iterator

from tests.benchmarks import ingest, sink, stitch, up

TARGETS = {"ingest": 10_000, "stitch": 50_000, "sink": 50_000, "up": 8_000}
# What stock software did where the targets were set. A machine that is slower at this is measured by what it can do.
EMPTY_SERVER, NAIVE_AGENT = 54_500, 2_300
Line = tuple[str, float, str, float | None]  # what, how many a second, unit, target


def _ingest() -> Iterator[Line]:
    empty = ingest.measure_empty()
    speed = empty.accepted / empty.seconds / EMPTY_SERVER
    yield "yardstick: uvicorn, an application that does nothing", speed * EMPTY_SERVER, "requests/s", None
    for per_request, target in ((1, TARGETS["ingest"] * min(1, speed)), (ingest.PER_REQUEST, None)):
        figures = ingest.measure(per_request)
        rate, p99_ms = figures.accepted * per_request / figures.seconds, figures.percentile_ms(0.99)
        what = f"ingest, local log, {per_request} hits a request (p99 {p99_ms:.0f} ms)"
        yield what, rate, "acknowledged hits/s", target


def _stitch() -> Iterator[Line]:
    figures = dict(stitch.measure())
    naive = figures[stitch.NAIVE]
    yield stitch.NAIVE, naive, "hits/s", None
    yield stitch.OURS, figures[stitch.OURS], "hits/s", TARGETS["stitch"] * min(1, naive / NAIVE_AGENT)


def _sink() -> Iterator[Line]:
    for over_http in (False, True):
        figures = sink.measure(over_http)
        where = "over HTTP to the tests' front" if over_http else "in process"
        target = None if over_http else TARGETS["sink"]  # the front costs more than the sink
        yield f"sink, {where}, {figures.links:,} links", figures.rows / figures.seconds, "rows/s", target


def _up() -> Iterator[Line]:
    figures = up.measure()
    yield "up, first request to visible, 100 a request", figures.hits / figures.seconds, "hits/s", TARGETS["up"]


ROWS: dict[str, Callable[[], Iterator[Line]]] = {"ingest": _ingest, "stitch": _stitch, "sink": _sink, "up": _up}


def main(chosen: list[str]) -> int:
    """1 when a target was missed."""
    missed = 0
    for name in chosen or list(ROWS):
        for what, rate, unit, target in ROWS[name]():
            verdict = "" if target is None else f"  (target {target:,.0f}{'' if rate >= target else ', missed'})"
            missed += target is not None and rate < target
            print(f"{what:<70} {rate:>10,.0f} {unit}{verdict}", flush=True)
    return min(missed, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
