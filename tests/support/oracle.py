"""Who every hit of a world belongs to, worked out at once and by the letter; it must not use the code it judges.

Written from the identity rules alone and slow on purpose: every instant looks at every fact of its device. Nothing is
folded, pruned, linked or cached, so arrival order, batches and crashes have no way in.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple, Protocol
from uuid import NAMESPACE_URL, UUID, uuid5

SEAMLINE = uuid5(NAMESPACE_URL, "https://seamline.dev/person")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Seen(Protocol):
    """What the rules read of a hit whose IDs are already legal or empty; `Hit` and `HitHead` both have it."""

    workspace: str
    event_id: str
    ts: str
    device: str
    anonymous_id: str
    user_id: str
    holds: bool
    logout: bool


class Numbers(Protocol):
    """The numbers of a policy; `Policy` has them."""

    @property
    def lookback_ms(self) -> int: ...
    @property
    def bucket_ms(self) -> int: ...
    @property
    def users_per_bucket_max(self) -> int: ...
    @property
    def logouts_per_bucket_max(self) -> int: ...
    @property
    def users_per_device_max(self) -> int: ...


class Span(NamedTuple):
    """The logins of one user, holding or not, within one bucket. `user` is None where the bucket is contested."""

    user: str | None
    holds: bool
    first: int
    last: int


class Facts(NamedTuple):
    """What is known of one device."""

    spans: list[Span]
    logouts: list[int]


RowKey = tuple[str, str, str]  # (workspace, device, event ID)
Answer = tuple[str, str]  # (person ID, attribution)
Who = tuple[str | None, str]  # (user or nobody, attribution)
NOBODY: Who = (None, "anonymous")


def oracle(hits: Iterable[Seen], policy: Numbers) -> dict[RowKey, Answer]:
    """The person and the attribution of every event.

    `hits` stand in log order, repetitions included: the facts of every arrival count, the last arrival is the row.
    """
    rows: dict[RowKey, Seen] = {}
    arrivals: dict[tuple[str, str], list[Seen]] = defaultdict(list)
    for hit in hits:
        rows[hit.workspace, hit.device, hit.event_id] = hit
        if hit.anonymous_id:
            arrivals[hit.workspace, hit.anonymous_id].append(hit)
    known = {device: facts_of(seen, policy) for device, seen in arrivals.items()}
    return {key: _answer(hit, known, policy) for key, hit in rows.items()}


def _answer(hit: Seen, known: dict[tuple[str, str], Facts], policy: Numbers) -> Answer:
    if hit.user_id:
        return person(hit.workspace, "user:" + hit.user_id), "identified"
    if not hit.anonymous_id:
        return person(hit.workspace, "hit:" + hit.event_id), "anonymous"
    user, attribution = who(ms(hit.ts), known[hit.workspace, hit.anonymous_id], policy)
    name = "device:" + hit.anonymous_id if user is None else "user:" + user
    return person(hit.workspace, name), attribution


@lru_cache(maxsize=100_000)
def person(workspace: str, name: str) -> str:
    """The person ID by the book."""
    namespace: UUID = uuid5(SEAMLINE, workspace)
    return str(uuid5(namespace, name))


def ms(iso: str) -> int:
    """ISO text to epoch milliseconds."""
    return (datetime.fromisoformat(iso) - EPOCH) // timedelta(milliseconds=1)


def facts_of(hits: Sequence[Seen], policy: Numbers) -> Facts:
    """The facts of one device: spans by (user, holds, bucket), logouts as a set of instants."""
    logins: dict[int, set[tuple[str, bool, int]]] = defaultdict(set)
    logouts: dict[int, set[int]] = defaultdict(set)
    for hit in hits:
        t = ms(hit.ts)
        if hit.user_id:
            logins[t // policy.bucket_ms].add((hit.user_id, hit.holds and not hit.logout, t))
        if hit.logout:
            logouts[t // policy.bucket_ms].add(t)
    facts = Facts([], [])
    for bucket in logins.keys() | logouts.keys():
        if _contested(logins[bucket], logouts[bucket], policy):
            instants = [t for _, _, t in logins[bucket]] + list(logouts[bucket])
            facts.spans.append(Span(None, False, min(instants), max(instants)))
        else:
            facts.spans.extend(_spans(logins[bucket]))
            facts.logouts.extend(logouts[bucket])
    return facts


def _contested(logins: set[tuple[str, bool, int]], logouts: set[int], policy: Numbers) -> bool:
    users = {user for user, _, _ in logins}
    return len(users) > policy.users_per_bucket_max or len(logouts) > policy.logouts_per_bucket_max


def _spans(logins: set[tuple[str, bool, int]]) -> Iterator[Span]:
    for user, holds in {(user, holds) for user, holds, _ in logins}:
        times = [t for u, h, t in logins if (u, h) == (user, holds)]
        yield Span(user, holds, min(times), max(times))


def who(t: int, facts: Facts, policy: Numbers) -> Who:
    """Who was signed in at instant `t` (ms), for a hit that carries no user ID."""
    inside = [span for span in facts.spans if span.first <= t <= span.last]
    if inside:
        return _present(inside, facts)
    return _before(t, facts, policy) or _after(t, facts, policy) or NOBODY


def _present(inside: list[Span], facts: Facts) -> Who:
    """Rule 1: one user, and nobody else overlaps the spans that user has around the instant."""
    users = {span.user for span in inside}
    if len(users) > 1 or None in users:
        return NOBODY
    for other in facts.spans:
        for span in inside:
            if other.user not in users and other.first <= span.last and other.last >= span.first:
                return NOBODY
    return inside[0].user, "carried"


def _before(t: int, facts: Facts, policy: Numbers) -> Who | None:
    """Rule 2: the latest fact before is a login that holds, not too long ago. None: the rule does not say."""
    instants = [span.last for span in facts.spans if span.last < t] + [out for out in facts.logouts if out <= t]
    latest = max(instants, default=None)
    if latest is None or t - latest > policy.lookback_ms:
        return None
    logins = [span for span in facts.spans if span.last == latest]
    if not any(span.holds for span in logins):
        return None
    users = {span.user for span in logins}
    return (logins[0].user, "carried") if len(users) == 1 else NOBODY


def _after(t: int, facts: Facts, policy: Numbers) -> Who | None:
    """Rule 3: the earliest fact after is a login, soon enough, and nobody else's login speaks against it."""
    instants = [span.first for span in facts.spans if span.first > t] + [out for out in facts.logouts if out > t]
    earliest = min(instants, default=None)
    if earliest is None or earliest - t > policy.lookback_ms:
        return None
    users = {span.user for span in facts.spans if span.first == earliest}
    if len(users) != 1 or None in users:
        return None
    earlier = [span for span in facts.spans if span.last < t and t - span.last <= policy.lookback_ms]
    if earlier:
        latest = max(span.last for span in earlier)
        if {span.user for span in earlier if span.last == latest} != users:
            return None
    if _crowded(t, facts, policy):
        return None
    return users.pop(), "backfilled"


def _crowded(t: int, facts: Facts, policy: Numbers) -> bool:
    """More than `users_per_device_max` users have a span within the lookback of `t`; contested time is a crowd."""
    near = {
        span.user
        for span in facts.spans
        if span.first - t <= policy.lookback_ms and t - span.last <= policy.lookback_ms
    }
    return None in near or len(near) > policy.users_per_device_max
