"""When a device is a kiosk: more users within the lookback than may be told apart; it must not know who they are."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator

from pipeline.identity.timeline import Span, Timeline


class Crowd:
    """The stretches of event time in which more than `users_per_device_max` users have a span within the lookback.

    Computed once, on the first question: a device that never saw that many users never pays.
    """

    __slots__ = ("_borders", "_line")

    def __init__(self, line: Timeline) -> None:
        self._line = line
        possible = None in line.users or len(line.users) > line.policy.users_per_device_max
        self._borders: list[int] | None = None if possible else []

    @property
    def borders(self) -> list[int]:
        """Sorted instants: crowded from each even one up to, not including, the odd one after it."""
        if self._borders is None:
            self._borders = _borders(self._line)
        return self._borders

    def at(self, t_ms: int) -> bool:
        """Whether the device is crowded at the instant."""
        return bisect_right(self.borders, t_ms) % 2 == 1

    def next_border(self, t_ms: int) -> Iterator[int]:
        """The next instant at which crowdedness changes, if there is one."""
        at = bisect_right(self.borders, t_ms)
        yield from self.borders[at : at + 1]


def _borders(line: Timeline) -> list[int]:
    reach, most = line.policy.lookback_ms, line.policy.users_per_device_max
    reaches: dict[str | None, list[list[int]]] = {}
    for span in sorted(_counting(line), key=lambda s: s.first_ms):
        runs = reaches.setdefault(span.user, [])
        start, end = span.first_ms - reach, span.last_ms + reach + 1
        if runs and start <= runs[-1][1]:
            runs[-1][1] = max(runs[-1][1], end)
        else:
            runs.append([start, end])
    steps: dict[int, int] = {}
    for user, runs in reaches.items():
        weight = 1 if user is not None else most + 1  # contested time counts as more than the limit
        for start, end in runs:
            steps[start] = steps.get(start, 0) + weight
            steps[end] = steps.get(end, 0) - weight
    return list(_crossings(steps, most))


def _counting(line: Timeline) -> Iterator[Span]:
    """The spans that decide: of each stretch of a lookback, those of the first users in it and of the last.

    What is near an instant is two lookbacks long, so of a stretch it holds all, a beginning or an end, and one user
    more than the limit settles the matter. A cookie that ten thousand share costs no more than one that ten do.
    """
    stretch = max(1, line.policy.lookback_ms // line.policy.bucket_ms)
    start = 0
    while start < len(line.order):
        end = bisect_right(line.order, (line.order[start] // stretch + 1) * stretch - 1)
        buckets = line.order[start:end]
        first = set(_until_crowded(line, buckets))
        yield from first
        yield from set(_until_crowded(line, reversed(buckets))) - first
        start = end


def _until_crowded(line: Timeline, buckets: Iterable[int]) -> Iterator[Span]:
    """The spans of these buckets, up to the one in which the users become too many."""
    users: set[str | None] = set()
    for bucket in buckets:
        yield from line.buckets[bucket]
        users.update(span.user for span in line.buckets[bucket])
        if None in users or len(users) > line.policy.users_per_device_max:
            return


def _crossings(steps: dict[int, int], most: int) -> Iterator[int]:
    users, crowded = 0, False
    for t_ms in sorted(steps):
        users += steps[t_ms]
        if (users > most) != crowded:
            crowded = not crowded
            yield t_ms
