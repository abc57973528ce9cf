"""`seamline up` whole: from the first request to the last action visible, in requests of a hundred hits."""

import tempfile
import time
from pathlib import Path

import msgspec
import uvloop

from tests.benchmarks.load import Figures, load, post
from tests.benchmarks.traffic import native
from tests.support.deadline import wait_until
from tests.support.deployment import Embedded

HITS, PER_REQUEST, CONNECTIONS = 200_000, 100, 16
_VISIBLE_WITHIN_S = 120
_PAUSE_S = 0.25  # counting every row takes part of the machine


class UpFigures(msgspec.Struct):
    """`seconds`: from the first request until every action can be queried."""

    hits: int
    seconds: float
    requests: Figures


def measure() -> UpFigures:
    """The process is started and ready before the clock is."""
    start_ms = int(time.time() * 1_000) - HITS * 40
    requests = [post("/v1/hits?key=demo", body) for body in native(HITS, start_ms, PER_REQUEST)]
    with tempfile.TemporaryDirectory() as folder:
        up = Embedded(Path(folder))
        up.start()
        try:
            began = time.perf_counter()
            figures = uvloop.run(load(up.url, iter(requests), CONNECTIONS))
            wait_until(lambda: _visible(up) >= HITS, _VISIBLE_WITHIN_S, pause_s=_PAUSE_S)
            return UpFigures(HITS, time.perf_counter() - began, figures)
        finally:
            up.stop()


def _visible(up: Embedded) -> int:
    return int(up.query("SELECT count() FROM actions")[0][0])
