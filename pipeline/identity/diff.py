"""Where the answer for a device's past changes when its facts do; it must not know why they changed."""

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator

from pipeline.identity.crowd import Crowd
from pipeline.identity.rules import Rules, Segment, first_border, last_border
from pipeline.identity.timeline import Timeline

Region = tuple[int, int]  # first and last instant, milliseconds


def changed(
    before: Timeline, after: Timeline, touched: Collection[int], until_ms: int, wanted: Callable[[int, int], bool]
) -> Iterator[Segment]:
    """The segments of `after` whose answer differs from `before`, oldest first, cut at `until_ms`, if `wanted`.

    `touched`: the changed buckets. A fact acts no further than the nearest untouched login on either side, and no
    further than the lookback; only crowdedness reaches over other logins, and only where it turns.
    """
    regions = [*_around(before, after, touched, until_ms), *_turned(before, after, touched)]
    regions = [(start_ms, min(end_ms, until_ms)) for start_ms, end_ms in regions]
    regions = [region for region in regions if region[0] <= region[1] and wanted(*region)]
    if regions:
        old, new = Rules(before), Rules(after)
        for start_ms, end_ms in _union(regions):
            for segment in _differing(old, new, start_ms, end_ms):
                if wanted(segment.start_ms, segment.end_ms):
                    yield segment


def _around(before: Timeline, after: Timeline, touched: Collection[int], until_ms: int) -> Iterator[Region]:
    """One region a touched bucket: what changed in it and the gaps on both sides, to the nearest untouched login."""
    order, most = after.order, len(touched) + 1
    for bucket in touched:
        low_ms, high_ms = _reach(after, bucket, bucket)
        at = bisect_left(order, bucket)
        left = next((b for b in reversed(order[max(0, at - most) : at]) if b not in touched), None)
        right = next((b for b in order[at : at + most] if b not in touched), None)
        if left is not None:
            low_ms = max(low_ms, last_border(after.buckets[left]).t_ms + 1)
        if right is not None:
            high_ms = min(high_ms, first_border(after.buckets[right]).t_ms - 1)
        yield _narrowed(before, after, bucket, (low_ms, min(high_ms, until_ms)))


def _narrowed(before: Timeline, after: Timeline, bucket: int, region: Region) -> Region:
    """Without the side that kept its border, where one span has the bucket alone and has grown: the usual case."""
    old, new = before.buckets.get(bucket, ()), after.buckets.get(bucket, ())
    if len(old) != 1 or len(new) != 1 or old[0].user != new[0].user or before.logouts != after.logouts:
        return region
    low_ms, high_ms = region
    was, now = old[0], new[0]
    if was.first_ms == now.first_ms:
        low_ms = was.last_ms + 1
    if was.last_ms == now.last_ms:
        high_ms = was.first_ms - 1
    elif high_ms <= was.last_ms + after.policy.lookback_ms:
        if not now.holds:
            high_ms = min(high_ms, now.last_ms)  # what it says of later time it said before
        elif not after.logout_in(was.last_ms + 1, high_ms):
            high_ms = min(high_ms, was.last_ms)  # it was carried there already
    return low_ms, high_ms


def _reach(line: Timeline, first_bucket: int, last_bucket: int) -> Region:
    """The first and the last instant that facts in these buckets can change at all."""
    size_ms, lookback_ms = line.policy.bucket_ms, line.policy.lookback_ms
    return first_bucket * size_ms - lookback_ms, (last_bucket + 1) * size_ms - 1 + lookback_ms


def _turned(before: Timeline, after: Timeline, touched: Collection[int]) -> Iterator[Region]:
    """Where the device became, or ceased to be, a kiosk."""
    old, new = Crowd(before).borders, Crowd(after).borders
    if old == new:
        return
    low_ms, high_ms = _reach(after, min(touched), max(touched))
    edges = sorted({*old, *new})
    was, now = set(old), set(new)
    differs = False
    for start_ms, end_ms in zip(edges, [*edges[1:], high_ms + 1], strict=True):
        differs ^= (start_ms in was) != (start_ms in now)
        if differs and start_ms <= high_ms and end_ms > low_ms:
            yield max(start_ms, low_ms), min(end_ms - 1, high_ms)


def _union(regions: list[Region]) -> Iterator[Region]:
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
