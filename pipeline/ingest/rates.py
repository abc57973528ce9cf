"""How many hits a second a site may send to this worker; it must not know what a hit is, or what the sender is told.

A bucket a site, and sites are those of the sites file: memory is bounded. A batch may take more than the bucket has,
or nobody could ever send one that is larger; then the site waits until that is made good.
"""

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable

from pipeline.limits import RETRY_AFTER_S

BURST_S = 5  # of hits at the permitted rate that may come at once: pages open in bursts, and queues empty in them


class Rates:
    """`per_second` 0: as many as they like."""

    def __init__(self, per_second: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second, self._clock = per_second, clock
        self._buckets: dict[str, tuple[float, float]] = {}  # by site: hits it may send, and when that was so

    def wait_s(self, sites: Iterable[str]) -> int:
        """One site a hit. 0: they may all pass, and are taken off; else whole seconds until it is worth trying, and
        none of them is."""
        if not self._per_second:
            return 0
        now_s, most = self._clock(), float(self._per_second * BURST_S)
        wanted = Counter(sites)
        left = {}
        for site in wanted:
            had, at_s = self._buckets.get(site, (most, now_s))
            left[site] = min(most, had + (now_s - at_s) * self._per_second)
        worst = min(left.values(), default=1.0)
        if worst <= 0:
            return min(RETRY_AFTER_S, max(1, math.ceil(-worst / self._per_second)))
        self._buckets |= {site: (left[site] - number, now_s) for site, number in wanted.items()}
        return 0
