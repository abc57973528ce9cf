"""Where the answer for a device's past changes when its facts do; it must not know why they changed."""

from bisect import bisect_left
from collections.abc import Collection, Iterator

from pipeline.identity.crowd import Crowd
from pipeline.identity.rules import Rules, Segment
from pipeline.identity.timeline import Timeline


def changed(before: Timeline, after: Timeline, touched: Collection[int]) -> list[Segment]:
    """The segments of `after` whose answer differs from `before`, oldest first; `touched`: the changed buckets.

    A fact acts no further than the nearest untouched login on either side, and no further than the lookback; only
    crowdedness reaches over other logins, and only where it turns.
    """
    old, new = Rules(before), Rules(after)
    regions = list(_around(after, touched)) + list(_turned(before, after, touched))
    return [segment for start_ms, end_ms in _union(regions) for segment in _differing(old, new, start_ms, end_ms)]


def reach(line: Timeline, touched: Collection[int]) -> tuple[int, int]:
    """The first and the last instant that facts in these buckets can change at all."""
    size_ms, lookback_ms = line.policy.bucket_ms, line.policy.lookback_ms
    return min(touched) * size_ms - lookback_ms, (max(touched) + 1) * size_ms - 1 + lookback_ms


def _around(line: Timeline, touched: Collection[int]) -> Iterator[tuple[int, int]]:
    """One region a touched bucket: itself and the gaps on both sides up to the nearest untouched login."""
    for bucket in touched:
        low_ms, high_ms = reach(line, (bucket,))
        at = bisect_left(line.order, bucket)
        left = next((b for b in reversed(line.order[max(0, at - len(touched) - 1) : at]) if b not in touched), None)
        right = next((b for b in line.order[at : at + len(touched) + 1] if b not in touched), None)
        if left is not None:
            low_ms = max(low_ms, max(span.last_ms for span in line.buckets[left]) + 1)
        if right is not None:
            high_ms = min(high_ms, min(span.first_ms for span in line.buckets[right]) - 1)
        yield low_ms, high_ms


def _turned(before: Timeline, after: Timeline, touched: Collection[int]) -> Iterator[tuple[int, int]]:
    """Where the device became, or ceased to be, a kiosk."""
    old, new = Crowd(before).borders, Crowd(after).borders
    if old == new:
        return
    low_ms, high_ms = reach(after, touched)
    edges = sorted({*old, *new})
    was, now = set(old), set(new)
    differs = False
    for start_ms, end_ms in zip(edges, [*edges[1:], high_ms + 1], strict=True):
        differs ^= (start_ms in was) != (start_ms in now)
        if differs and start_ms <= high_ms and end_ms > low_ms:
            yield max(start_ms, low_ms), min(end_ms - 1, high_ms)


def _union(regions: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    regions.sort()
    start_ms, end_ms = regions[0]
    for low_ms, high_ms in regions[1:]:
        if low_ms > end_ms + 1:
            yield start_ms, end_ms
            start_ms = low_ms
        end_ms = max(end_ms, high_ms)
    yield start_ms, end_ms


def _differing(old: Rules, new: Rules, start_ms: int, end_ms: int) -> Iterator[Segment]:
    """Walk both step functions together; neighbouring stretches with the same new answer become one segment."""
    olds, news = old.segments(start_ms, end_ms), new.segments(start_ms, end_ms)
    was, now = next(olds), next(news)
    open_segment: Segment | None = None
    t_ms = start_ms
    while True:
        until_ms = min(was.end_ms, now.end_ms)
        if was.answer != now.answer:
            if open_segment is not None and open_segment.answer == now.answer and open_segment.end_ms + 1 == t_ms:
                open_segment = open_segment._replace(end_ms=until_ms)
            else:
                if open_segment is not None:
                    yield open_segment
                open_segment = Segment(t_ms, until_ms, now.answer)
        t_ms = until_ms + 1
        if t_ms > end_ms:
            break
        was = next(olds) if was.end_ms < t_ms else was
        now = next(news) if now.end_ms < t_ms else now
    if open_segment is not None:
        yield open_segment
