"""When a device was seen without naming a user; it must not know when, or whether, anybody signed in."""

from bisect import bisect_right

RANGES_MAX = 4_096  # 85 days of never pausing; past it the older half becomes one range: a superset stays safe


class QuietRanges:
    """Sorted ranges [first, last] that cover every hit without a user ID, at most one a bucket of event time.

    They only ever let a link be left out, so covering more than was seen is harmless and covering less is not.
    """

    __slots__ = ("bucket_ms", "ranges")

    def __init__(self, bucket_ms: int) -> None:
        self.bucket_ms = bucket_ms
        self.ranges: list[list[int]] = []

    def add(self, t_ms: int) -> bool:
        """Fold one instant; False when it was covered already."""
        at = bisect_right(self.ranges, t_ms, key=lambda r: r[0])
        bucket = t_ms // self.bucket_ms
        if at and t_ms <= self.ranges[at - 1][1]:
            return False
        if at and self.ranges[at - 1][1] // self.bucket_ms == bucket:
            self.ranges[at - 1][1] = t_ms
        elif at < len(self.ranges) and self.ranges[at][0] // self.bucket_ms == bucket:
            self.ranges[at][0] = t_ms
        else:
            self.ranges.insert(at, [t_ms, t_ms])
            self._bound()
        return True

    def meets(self, start_ms: int, end_ms: int) -> bool:
        """Whether some range shares an instant with [start, end]."""
        at = bisect_right(self.ranges, end_ms, key=lambda r: r[0])
        return at > 0 and self.ranges[at - 1][1] >= start_ms

    def join(self, other: "QuietRanges") -> None:
        """Cover what the other covers too."""
        merged: list[list[int]] = []
        for first_ms, last_ms in sorted([*self.ranges, *other.ranges]):
            if merged and (first_ms <= merged[-1][1] or first_ms // self.bucket_ms == merged[-1][1] // self.bucket_ms):
                merged[-1][1] = max(merged[-1][1], last_ms)
            else:
                merged.append([first_ms, last_ms])
        self.ranges = merged
        self._bound()

    def prune(self, before_ms: int) -> None:
        """Forget ranges that end before the instant's bucket begins."""
        floor_ms = before_ms // self.bucket_ms * self.bucket_ms
        self.ranges = [r for r in self.ranges if r[1] >= floor_ms]

    def _bound(self) -> None:
        if len(self.ranges) > RANGES_MAX:
            half = RANGES_MAX // 2
            self.ranges[:half] = [[self.ranges[0][0], self.ranges[half - 1][1]]]
