"""How often something took how long, or was how large; it must not know what was measured."""

from bisect import bisect_left

from msgspec import Struct

# From a wait for company (5 ms) to an outage: each bound about two and a half times the one before.
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3_600.0)
SIZES = (1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000, 100_000)


class Histogram(Struct):
    """Plain numbers, for one thread: an observation takes a third of a microsecond. `counts` has one more than
    `bounds`, for what is past the last; a value that is a bound belongs below it."""

    bounds: tuple[float, ...]
    counts: list[int]
    sum: float = 0.0

    def observe(self, value: float) -> None:
        """Once more. Clocks of two machines differ: what would have ended before it began took no time."""
        value = max(value, 0.0)
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


def seconds() -> Histogram:
    """Of durations."""
    return Histogram(SECONDS, [0] * (len(SECONDS) + 1))


def sizes() -> Histogram:
    """Of how many there are in one go."""
    return Histogram(SIZES, [0] * (len(SIZES) + 1))
