"""The facts of one device, merged by min, max and union; it must not know what they mean.

A join-semilattice: folding is commutative, associative and idempotent, so order and repetition cannot matter.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable
from typing import NamedTuple

from pipeline.identity.policy import Policy


class Span(NamedTuple):
    """Logins of one user in one bucket of event time; `user` None: contested, a login of nobody."""

    user: str | None
    holds: bool
    first_ms: int
    last_ms: int


class Timeline:
    """Spans per bucket and the instants of logouts.

    `buckets`: bucket number -> its spans; a contested bucket holds exactly one span, of user None.
    `order`: the keys of `buckets`, sorted. `logouts`: sorted instants. `users`: everyone ever in `buckets`, or more.
    """

    __slots__ = ("buckets", "logouts", "order", "policy", "users")

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.buckets: dict[int, tuple[Span, ...]] = {}
        self.order: list[int] = []
        self.logouts: list[int] = []
        self.users: set[str | None] = set()

    def copy(self) -> "Timeline":
        """A snapshot; spans are immutable, so only the containers are copied."""
        twin = Timeline(self.policy)
        twin.buckets, twin.order = dict(self.buckets), list(self.order)
        twin.logouts, twin.users = list(self.logouts), set(self.users)
        return twin

    def bucket_of(self, t_ms: int) -> int:
        """The number of the bucket that holds the instant."""
        return t_ms // self.policy.bucket_ms

    def covers_login(self, t_ms: int, user: str, holds: bool) -> bool:
        """Whether folding this login would change nothing."""
        for span in self.buckets.get(t_ms // self.policy.bucket_ms, ()):
            if span.first_ms <= t_ms <= span.last_ms and (
                span.user is None or (span.user, span.holds) == (user, holds)
            ):
                return True
        return False

    def covers_logout(self, t_ms: int) -> bool:
        """Whether folding this logout would change nothing."""
        at = bisect_left(self.logouts, t_ms)
        if at < len(self.logouts) and self.logouts[at] == t_ms:
            return True
        spans = self.buckets.get(self.bucket_of(t_ms), ())
        return any(span.user is None and span.first_ms <= t_ms <= span.last_ms for span in spans)

    def logout_in(self, start_ms: int, end_ms: int) -> bool:
        """Whether a logout stands in [start, end]."""
        at = bisect_left(self.logouts, start_ms)
        return at < len(self.logouts) and self.logouts[at] <= end_ms

    def add_login(self, t_ms: int, user: str | None, holds: bool) -> None:
        """Fold one login; user None folds an instant of a contested bucket."""
        bucket = self.bucket_of(t_ms)
        spans = self.buckets.get(bucket, ())
        if user is None or (spans and spans[0].user is None):
            self._contest(bucket, t_ms)
            return
        kept = [span for span in spans if span.user != user or span.holds != holds]
        if len(kept) == len(spans):
            merged = Span(user, holds, t_ms, t_ms)
        else:
            old = next(span for span in spans if span.user == user and span.holds == holds)
            merged = Span(user, holds, min(old.first_ms, t_ms), max(old.last_ms, t_ms))
        self._put(bucket, (*kept, merged))
        self.users.add(user)
        if len({span.user for span in self.buckets[bucket]}) > self.policy.users_per_bucket_max:
            self._contest(bucket, t_ms)

    def add_logout(self, t_ms: int) -> None:
        """Fold one logout."""
        bucket = self.bucket_of(t_ms)
        spans = self.buckets.get(bucket, ())
        if spans and spans[0].user is None:
            self._contest(bucket, t_ms)
            return
        at = bisect_left(self.logouts, t_ms)
        if at == len(self.logouts) or self.logouts[at] != t_ms:
            self.logouts.insert(at, t_ms)
        low, high = self._logouts_of(bucket)
        if high - low > self.policy.logouts_per_bucket_max:
            self._contest(bucket, t_ms)

    def add_bucket(self, bucket: int, spans: tuple[Span, ...]) -> None:
        """Fold what another timeline holds of one bucket: mostly the same, or all of it new."""
        mine = self.buckets.get(bucket)
        if mine is None and spans[0].user is not None:
            self._put(bucket, spans)
            for span in spans:
                self.users.add(span.user)
        elif mine != spans:
            for span in spans:
                self.add_login(span.first_ms, span.user, span.holds)
                self.add_login(span.last_ms, span.user, span.holds)

    def join(self, other: "Timeline") -> None:
        """Fold everything the other knows."""
        for bucket, spans in other.buckets.items():
            self.add_bucket(bucket, spans)
        for t_ms in other.logouts:
            self.add_logout(t_ms)

    def prune(self, before_ms: int) -> None:
        """Forget whole buckets that end before the instant."""
        floor = before_ms // self.policy.bucket_ms
        gone = bisect_left(self.order, floor)
        if gone:
            for bucket in self.order[:gone]:
                del self.buckets[bucket]
            del self.order[:gone]
            self.users = {span.user for span in self.spans()}
        del self.logouts[: bisect_left(self.logouts, floor * self.policy.bucket_ms)]

    def spans(self) -> Iterable[Span]:
        """Every span, oldest bucket first."""
        return (span for bucket in self.order for span in self.buckets[bucket])

    def _put(self, bucket: int, spans: tuple[Span, ...]) -> None:
        if bucket not in self.buckets:
            insort(self.order, bucket)
        self.buckets[bucket] = spans

    def _logouts_of(self, bucket: int) -> tuple[int, int]:
        start = bucket * self.policy.bucket_ms
        return bisect_left(self.logouts, start), bisect_right(self.logouts, start + self.policy.bucket_ms - 1)

    def _contest(self, bucket: int, t_ms: int) -> None:
        """Too many users or logouts to tell apart: only the first and the last instant stay."""
        low, high = self._logouts_of(bucket)
        spans = self.buckets.get(bucket, ())
        instants = [t_ms, *self.logouts[low:high], *(s.first_ms for s in spans), *(s.last_ms for s in spans)]
        del self.logouts[low:high]
        self._put(bucket, (Span(None, False, min(instants), max(instants)),))
        self.users.add(None)
