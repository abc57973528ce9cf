"""The state of one device: its timeline and what lets links be left out; it must not know where states are kept."""

from collections.abc import Mapping
from typing import Any

import msgspec

from pipeline.identity.policy import Policy
from pipeline.identity.quiet import QuietRanges
from pipeline.identity.timeline import Span, Timeline
from pipeline.limits import PUBLISH_SKEW_MS_MAX


class Device:
    """Everything remembered of a device somebody signed in on; a device that never signs in has no state.

    first_ms: log time of the record with its first fact (0: no fact yet). newest_ms: its newest fact, counted no later
    than the log took it: a clock an hour ahead would make a hit that is a lookback late an hour too late.
    included: version of the last record folded. settled_ms: the newest fact of records whose offsets are committed;
    (pending_ms, pending_version): what settles next.
    """

    __slots__ = ("first_ms", "included", "line", "newest_ms", "pending_ms", "pending_version", "quiet", "settled_ms")

    def __init__(self, policy: Policy) -> None:
        self.line = Timeline(policy)
        self.quiet = QuietRanges(policy.bucket_ms)
        self.first_ms = self.newest_ms = self.included = 0
        self.settled_ms = self.pending_ms = self.pending_version = 0

    def late(self, t_ms: int) -> bool:
        """Whether facts that explain this instant may have been pruned."""
        return t_ms < self.settled_ms - self.line.policy.late_ms

    def needs_link(self, start_ms: int, end_ms: int) -> bool:
        """Whether rows without a user ID may stand in this stretch.

        Every such hit that came after the first fact is in `quiet`. One that came before it has an event time at
        most an hour after it was published, and it was published before the record with the first fact.
        """
        return start_ms <= self.first_ms + PUBLISH_SKEW_MS_MAX or self.quiet.meets(start_ms, end_ms)

    @property
    def rows_until_ms(self) -> int:
        """No row without a user ID can stand after this instant."""
        seen_ms = self.quiet.ranges[-1][1] if self.quiet.ranges else 0
        return max(self.first_ms + PUBLISH_SKEW_MS_MAX, seen_ms)

    def join(self, other: "Device") -> None:
        """Merge another state of the same device: min, max and union, never a replacement."""
        self.line.join(other.line)
        self.quiet.join(other.quiet)
        self.first_ms = min(self.first_ms or other.first_ms, other.first_ms or self.first_ms)
        self.newest_ms = max(self.newest_ms, other.newest_ms)
        self.included = max(self.included, other.included)
        self.settled_ms = max(self.settled_ms, other.settled_ms)
        mine, theirs = (self.pending_version, self.pending_ms), (other.pending_version, other.pending_ms)
        self.pending_version, self.pending_ms = max(mine, theirs)

    def settle(self, committed: int) -> None:
        """Prune before the state is written. `committed`: the version up to which the offsets are committed.

        The newest fact counts only once the records that brought it can no longer be read again: a replay then
        finds every fact that the first reading found.
        """
        if self.pending_version <= committed:
            self.settled_ms = max(self.settled_ms, self.pending_ms)
            self.pending_ms, self.pending_version = self.newest_ms, self.included
        before_ms = self.settled_ms - self.line.policy.retain_ms
        if before_ms > 0:
            self.line.prune(before_ms)
            self.quiet.prune(before_ms)


def encode(device: Device) -> bytes:
    """The state as one JSON array; see `decode`."""
    marks = [device.first_ms, device.newest_ms, device.included]
    pending = [device.settled_ms, device.pending_ms, device.pending_version]
    spans = list(device.line.spans())
    return msgspec.json.encode([*marks, *pending, spans, device.line.logouts, device.quiet.ranges])


def decode(data: bytes | msgspec.Raw, policy: Policy) -> Device:
    """The reverse of `encode`; raises msgspec.DecodeError or ValueError on anything else."""
    first, newest, included, settled, pending, version, spans, logouts, quiet = msgspec.json.decode(data, type=_WIRE)
    device = Device(policy)
    device.first_ms, device.newest_ms, device.included = first, newest, included
    device.settled_ms, device.pending_ms, device.pending_version = settled, pending, version
    _add_spans(device.line, spans)
    for t_ms in logouts:
        device.line.add_logout(t_ms)
    device.quiet.ranges = quiet
    return device


def renamed(data: bytes, names: Mapping[str, str]) -> bytes:
    """An encoded state in which users go by other names: nothing else of it changes."""
    *marks, spans, logouts, quiet = msgspec.json.decode(data, type=_WIRE)
    called = [span._replace(user=names.get(span.user or "", span.user)) for span in spans]
    return msgspec.json.encode([*marks, called, logouts, quiet])


def users_of(data: bytes) -> set[str]:
    """Everybody who signed in, in an encoded state."""
    return {span.user for span in msgspec.json.decode(data, type=_WIRE)[-3] if span.user}


def after(data: bytes, until_ms: int) -> bytes | None:
    """An encoded state without what was up to this instant; None when nothing else is left.

    Of a span that goes on after it only what is after it stays.
    """
    *marks, spans, logouts, quiet = msgspec.json.decode(data, type=_WIRE)
    spans = [span._replace(first_ms=max(span.first_ms, until_ms + 1)) for span in spans if span.last_ms > until_ms]
    logouts = [t_ms for t_ms in logouts if t_ms > until_ms]
    quiet = [[max(first_ms, until_ms + 1), last_ms] for first_ms, last_ms in quiet if last_ms > until_ms]
    return msgspec.json.encode([*marks, spans, logouts, quiet]) if spans or logouts or quiet else None


def _add_spans(line: Timeline, spans: list[Span]) -> None:
    """Bucket by bucket; one by one where they do not fit the policy, which may have changed since they were written."""
    size_ms = line.policy.bucket_ms
    buckets: dict[int, list[Span]] = {}
    for span in spans:
        buckets.setdefault(span.first_ms // size_ms, []).append(span)
    for bucket, group in buckets.items():
        if all(span.user is not None and span.last_ms // size_ms == bucket for span in group) and (
            len(group) == 1 or len({(s.user, s.holds) for s in group}) == len(group) <= line.policy.users_per_bucket_max
        ):
            line.add_bucket(bucket, tuple(group))
            continue
        for span in group:
            line.add_login(span.first_ms, span.user, span.holds)
            line.add_login(span.last_ms, span.user, span.holds)


_WIRE: Any = tuple[int, int, int, int, int, int, list[Span], list[int], list[list[int]]]
