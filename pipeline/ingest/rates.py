"""How many hits a second a site, or an address, may send to this worker; it must not know what a hit is, or what the
sender is told.

A bucket a site, and sites are those of the sites file: memory is bounded. Of addresses the latest are remembered. A
batch may take more than the bucket has, or nobody could ever send one that is larger; then its sender waits until that
is made good.
"""

import math
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from functools import lru_cache
from ipaddress import IPv6Address, ip_address

from pipeline.limits import ADDRESSES_MAX, RETRY_AFTER_S

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
            return _wait_s(worst, self._per_second)
        self._buckets |= {site: (left[site] - number, now_s) for site, number in wanted.items()}
        return 0


class AddressRates:
    """Asked only where it is `on`. It knows `addresses_max` addresses; past that the one that was seen longest ago
    begins anew, which is counted in `forgotten` where it gains by that. Of IPv6 an address is a /64: whoever has one
    has all of it."""

    def __init__(
        self, per_second: int, clock: Callable[[], float] = time.monotonic, addresses_max: int = ADDRESSES_MAX
    ) -> None:
        self.on = per_second > 0
        self.forgotten = 0
        self._per_second, self._clock, self._addresses_max = per_second, clock, addresses_max
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # as those of sites, latest last

    def wait_s(self, address: str) -> int:
        """Before its request is read. 0: it may pass, and one is taken off; else whole seconds until it may."""
        now_s, sender = self._clock(), _sender(address)
        left = self._left(self._buckets.get(sender), now_s)
        if left <= 0:
            self._buckets.move_to_end(sender)  # who goes on is not forgotten
            return _wait_s(left, self._per_second)
        self._keep(sender, left - 1, now_s)
        return 0

    def take(self, address: str, hits: int) -> None:
        """What else the request turned out to be."""
        if hits > 0:
            now_s, sender = self._clock(), _sender(address)
            self._keep(sender, self._left(self._buckets.get(sender), now_s) - hits, now_s)

    def _left(self, bucket: tuple[float, float] | None, now_s: float) -> float:
        most = float(self._per_second * BURST_S)
        if bucket is None:
            return most
        had, at_s = bucket
        return min(most, had + (now_s - at_s) * self._per_second)

    def _keep(self, sender: str, left: float, now_s: float) -> None:
        self._buckets[sender] = (left, now_s)
        self._buckets.move_to_end(sender)
        if len(self._buckets) > self._addresses_max:
            _, oldest = self._buckets.popitem(last=False)
            self.forgotten += self._left(oldest, now_s) < self._per_second * BURST_S


@lru_cache(maxsize=4_096)
def _sender(address: str) -> str:
    """Who has the address; what is none stands for itself."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if isinstance(found, IPv6Address):
        return str(found.ipv4_mapped or f"{int(found) >> 64:x}/64")
    return address


def _wait_s(left: float, per_second: int) -> int:
    return min(RETRY_AFTER_S, max(1, math.ceil(-left / per_second)))
