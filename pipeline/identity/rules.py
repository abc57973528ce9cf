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


class Border(NamedTuple):
    """The logins at the edge of a gap: `user` None where two users meet or the time is contested."""

    t_ms: int
    user: str | None
    holds: bool


NOBODY = Answer("", "anonymous")
_EVER_MS = 1 << 62


class Rules:
    """The step function of one timeline. Make a new one when the timeline has changed."""

    __slots__ = ("_buckets", "_crowd", "_line", "_lookback_ms", "_size_ms")

    def __init__(self, line: Timeline) -> None:
        self._line = line
        self._buckets = line.buckets
        self._size_ms = line.policy.bucket_ms
        self._lookback_ms = line.policy.lookback_ms
        self._crowd = Crowd(line)

    def who(self, t_ms: int) -> Answer:
        """The answer at one instant."""
        spans = self._buckets.get(t_ms // self._size_ms, ())
        for span in spans:
            if span.first_ms <= t_ms <= span.last_ms:
                return _present(t_ms, spans)
        return self._in_gap(t_ms, self._before(t_ms, spans), self._after(t_ms, spans))

    def segments(self, start_ms: int, end_ms: int) -> Iterator[Segment]:
        """The step function from `start_ms` to `end_ms`, both inclusive, oldest first, without holes."""
        t_ms = start_ms
        while t_ms <= end_ms:
            until_ms, answer = self._steady(t_ms)
            yield Segment(t_ms, min(until_ms, end_ms), answer)
            t_ms = until_ms + 1

    def _steady(self, t_ms: int) -> tuple[int, Answer]:
        """The answer, and the last instant up to which it cannot change: one before the nearest border ahead."""
        spans = self._buckets.get(t_ms // self._size_ms, ())
        next_ms, present = _EVER_MS, False
        for span in spans:
            if span.first_ms > t_ms:
                next_ms = min(next_ms, span.first_ms)
            elif span.last_ms >= t_ms:
                next_ms, present = min(next_ms, span.last_ms + 1), True
        if present:
            return next_ms - 1, _present(t_ms, spans)
        before, after = self._before(t_ms, spans), self._after(t_ms, spans)
        for edge_ms in self._gap_borders(t_ms, before, after):
            if t_ms < edge_ms < next_ms:
                next_ms = edge_ms
        return next_ms - 1, self._in_gap(t_ms, before, after)

    def _in_gap(self, t_ms: int, before: Border | None, after: Border | None) -> Answer:
        """Rules 2 to 4 of the design, for an instant that no span covers."""
        recent = before if before is not None and t_ms - before.t_ms <= self._lookback_ms else None
        if recent is not None and recent.holds and not self._line.logout_in(recent.t_ms + 1, t_ms):
            return Answer(recent.user, "carried") if recent.user else NOBODY
        if after is None or after.user is None or after.t_ms - t_ms > self._lookback_ms:
            return NOBODY
        if recent is not None and recent.user != after.user:
            return NOBODY
        if self._line.logout_in(t_ms + 1, after.t_ms - 1) or self._crowd.at(t_ms):
            return NOBODY
        return Answer(after.user, "backfilled")

    def _before(self, t_ms: int, spans: tuple[Span, ...]) -> Border | None:
        """The latest login before the instant: every login that ends at that very instant takes part."""
        ended = [span for span in spans if span.last_ms < t_ms]
        if not ended:
            order = self._line.order
            at = bisect_left(order, t_ms // self._size_ms)
            return last_border(self._buckets[order[at - 1]]) if at else None
        return last_border(ended)

    def _after(self, t_ms: int, spans: tuple[Span, ...]) -> Border | None:
        """The earliest login after the instant."""
        coming = [span for span in spans if span.first_ms > t_ms]
        if not coming:
            order = self._line.order
            at = bisect_right(order, t_ms // self._size_ms)
            return first_border(self._buckets[order[at]]) if at < len(order) else None
        return first_border(coming)

    def _gap_borders(self, t_ms: int, before: Border | None, after: Border | None) -> Iterator[int]:
        logouts = self._line.logouts
        if logouts:
            at = bisect_right(logouts, t_ms)
            yield from logouts[at : at + 1]
        if before is not None:
            yield before.t_ms + self._lookback_ms + 1
        if after is not None:
            yield after.t_ms
            yield after.t_ms - self._lookback_ms
        yield from self._crowd.next_border(t_ms)


def last_border(spans: list[Span] | tuple[Span, ...]) -> Border:
    """The latest end among the spans, which are not empty."""
    if len(spans) == 1:
        return Border(spans[0].last_ms, spans[0].user, spans[0].holds)
    edge_ms = max(span.last_ms for span in spans)
    return _border(edge_ms, [span for span in spans if span.last_ms == edge_ms])


def first_border(spans: list[Span] | tuple[Span, ...]) -> Border:
    """The earliest beginning among the spans, which are not empty."""
    if len(spans) == 1:
        return Border(spans[0].first_ms, spans[0].user, spans[0].holds)
    edge_ms = min(span.first_ms for span in spans)
    return _border(edge_ms, [span for span in spans if span.first_ms == edge_ms])


def _border(edge_ms: int, spans: list[Span]) -> Border:
    users = {span.user for span in spans}
    return Border(edge_ms, users.pop() if len(users) == 1 else None, any(span.holds for span in spans))


def _present(t_ms: int, spans: tuple[Span, ...]) -> Answer:
    """Rule 1: exactly one user, and no span of another user overlaps the spans that cover the instant."""
    present = [span for span in spans if span.first_ms <= t_ms <= span.last_ms]
    user = present[0].user
    if user is None:
        return NOBODY
    for span in present if len(spans) > 1 else ():
        for other in spans:
            if other.user != user and other.first_ms <= span.last_ms and other.last_ms >= span.first_ms:
                return NOBODY
    return Answer(user, "carried")
