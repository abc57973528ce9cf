"""Who was signed in on a device at an instant, for a hit that names nobody; it must not know how facts arrive.

The answer is a step function over the device's timeline. Logins cut it into *present* stretches (some span covers the
instant) and gaps between them; inside a gap only its two borders and its logouts matter.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import NamedTuple

from pipeline.identity.crowd import Crowd
from pipeline.identity.timeline import Span, Timeline
from pipeline.model import Attribution


class Answer(NamedTuple):
    """A user and how we know; user "" is nobody."""

    user: str
    attribution: Attribution


class Segment(NamedTuple):
    """A stretch of event time, both ends inclusive, with one answer."""

    start_ms: int
    end_ms: int
    answer: Answer


class _Border(NamedTuple):
    """The logins at the edge of a gap: `user` None where two users meet or the time is contested."""

    t_ms: int
    user: str | None
    holds: bool


NOBODY = Answer("", "anonymous")


class Rules:
    """The step function of one timeline. Make a new one when the timeline has changed."""

    __slots__ = ("_crowd", "_line", "_lookback_ms")

    def __init__(self, line: Timeline) -> None:
        self._line = line
        self._lookback_ms = line.policy.lookback_ms
        self._crowd = Crowd(line)

    def who(self, t_ms: int) -> Answer:
        """The answer at one instant."""
        spans = self._line.buckets.get(self._line.bucket_of(t_ms), ())
        present = [span for span in spans if span.first_ms <= t_ms <= span.last_ms]
        if present:
            return _present(present, spans)
        return self._in_gap(t_ms, self._before(t_ms), self._after(t_ms))

    def segments(self, start_ms: int, end_ms: int) -> Iterator[Segment]:
        """The step function from `start_ms` to `end_ms`, both inclusive, oldest first, without holes."""
        t_ms = start_ms
        while t_ms <= end_ms:
            last_ms = min(self._steady_until(t_ms), end_ms)
            yield Segment(t_ms, last_ms, self.who(t_ms))
            t_ms = last_ms + 1

    def previous_login(self, t_ms: int) -> int | None:
        """The last instant of the nearest login strictly before."""
        border = self._before(t_ms)
        return border and border.t_ms

    def next_login(self, t_ms: int) -> int | None:
        """The first instant of the nearest login strictly after."""
        border = self._after(t_ms)
        return border and border.t_ms

    def _in_gap(self, t_ms: int, before: _Border | None, after: _Border | None) -> Answer:
        """Rules 2 to 4 of the design, for an instant that no span covers."""
        recent = before if before is not None and t_ms - before.t_ms <= self._lookback_ms else None
        if recent is not None and recent.holds and not self._logout_in(recent.t_ms + 1, t_ms):
            return Answer(recent.user, "carried") if recent.user else NOBODY
        if after is None or after.user is None or after.t_ms - t_ms > self._lookback_ms:
            return NOBODY
        if recent is not None and recent.user != after.user:
            return NOBODY
        if self._logout_in(t_ms + 1, after.t_ms - 1) or self._crowd.at(t_ms):
            return NOBODY
        return Answer(after.user, "backfilled")

    def _before(self, t_ms: int) -> _Border | None:
        """The latest login before the instant: every login that ends at that very instant takes part."""
        line = self._line
        bucket = line.bucket_of(t_ms)
        ended = [span for span in line.buckets.get(bucket, ()) if span.last_ms < t_ms]
        if not ended:
            at = bisect_left(line.order, bucket)
            if at == 0:
                return None
            ended = list(line.buckets[line.order[at - 1]])
        edge_ms = max(span.last_ms for span in ended)
        return _border(edge_ms, [span for span in ended if span.last_ms == edge_ms])

    def _after(self, t_ms: int) -> _Border | None:
        """The earliest login after the instant."""
        line = self._line
        bucket = line.bucket_of(t_ms)
        coming = [span for span in line.buckets.get(bucket, ()) if span.first_ms > t_ms]
        if not coming:
            at = bisect_right(line.order, bucket)
            if at == len(line.order):
                return None
            coming = list(line.buckets[line.order[at]])
        edge_ms = min(span.first_ms for span in coming)
        return _border(edge_ms, [span for span in coming if span.first_ms == edge_ms])

    def _logout_in(self, start_ms: int, end_ms: int) -> bool:
        logouts = self._line.logouts
        at = bisect_left(logouts, start_ms)
        return at < len(logouts) and logouts[at] <= end_ms

    def _steady_until(self, t_ms: int) -> int:
        """The last instant up to which the answer at `t_ms` cannot change: one before the nearest border ahead."""
        line = self._line
        spans = line.buckets.get(line.bucket_of(t_ms), ())
        ahead = [edge for s in spans for edge in (s.first_ms, s.last_ms + 1) if edge > t_ms]
        if not any(s.first_ms <= t_ms <= s.last_ms for s in spans):
            ahead += [edge for edge in self._gap_borders(t_ms) if edge > t_ms]
        return min(ahead, default=1 << 62) - 1

    def _gap_borders(self, t_ms: int) -> Iterator[int]:
        logouts, before, after = self._line.logouts, self._before(t_ms), self._after(t_ms)
        at = bisect_right(logouts, t_ms)
        yield from logouts[at : at + 1]
        if before is not None:
            yield before.t_ms + self._lookback_ms + 1
        if after is not None:
            yield after.t_ms
            yield after.t_ms - self._lookback_ms
        yield from self._crowd.next_border(t_ms)


def _present(present: list[Span], spans: tuple[Span, ...]) -> Answer:
    """Rule 1: exactly one user, and no span of another user overlaps the spans that cover the instant."""
    user = present[0].user
    if user is None or len(spans) == 1:
        return Answer(user, "carried") if user else NOBODY
    for span in present:
        for other in spans:
            if other.user != user and other.first_ms <= span.last_ms and other.last_ms >= span.first_ms:
                return NOBODY
    return Answer(user, "carried")


def _border(edge_ms: int, spans: list[Span]) -> _Border:
    users = {span.user for span in spans}
    return _Border(edge_ms, users.pop() if len(users) == 1 else None, any(span.holds for span in spans))
