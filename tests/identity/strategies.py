"""Facts, hits and policies for Hypothesis, small enough that every instant of a world can be looked at."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from hypothesis import strategies as st

from pipeline.identity.policy import Policy
from pipeline.identity.timeline import Timeline
from pipeline.model import HitHead
from pipeline.times import iso

BASE_MS = 1_000  # so that times and their distances stay positive
DAYS_MS = 120  # the length of a world
EVERY_MS = range(BASE_MS - 60, BASE_MS + DAYS_MS + 60)

policies = st.builds(
    Policy,
    lookback_ms=st.sampled_from((20, 40)),
    bucket_ms=st.just(10),
    users_per_bucket_max=st.integers(1, 3),
    logouts_per_bucket_max=st.integers(1, 3),
    users_per_device_max=st.integers(1, 3),
)


class Fact(NamedTuple):
    """A hit on one device: a login, a logout, both, or (neither) a page."""

    t_ms: int
    user: str
    holds: bool
    logout: bool


instants = st.integers(BASE_MS, BASE_MS + DAYS_MS)
users = st.sampled_from(("alice", "bob", "carol", "dave"))
logins = st.builds(Fact, instants, users, st.booleans(), st.just(False))
logouts = st.builds(Fact, instants, st.just(""), st.booleans(), st.just(True))
named_logouts = st.builds(Fact, instants, users, st.booleans(), st.just(True))
pages = st.builds(Fact, instants, st.just(""), st.booleans(), st.just(False))
facts = st.one_of(logins, logins, logouts, named_logouts)
hits = st.one_of(facts, pages)


def fold(line: Timeline, all_facts: Iterable[Fact]) -> Timeline:
    """Add every fact to the timeline, in the order given."""
    for fact in all_facts:
        if fact.user:
            line.add_login(fact.t_ms, fact.user, fact.holds and not fact.logout)
        if fact.logout:
            line.add_logout(fact.t_ms)
    return line


def timeline(policy: Policy, all_facts: Iterable[Fact]) -> Timeline:
    """The timeline of these facts."""
    return fold(Timeline(policy), all_facts)


def content(line: Timeline) -> tuple[object, ...]:
    """All that a timeline knows, for comparing."""
    buckets = {bucket: frozenset(spans) for bucket, spans in line.buckets.items()}
    return buckets, tuple(line.order), tuple(line.logouts)


def heads(all_hits: Sequence[Fact], device: str = "laptop", workspace: str = "shop") -> list[HitHead]:
    """The same as hits on the wire."""
    return [
        HitHead(
            workspace=workspace,
            event_id=f"e{number}",
            ts=iso(hit.t_ms),
            device=f"d:{device}",
            anonymous_id=device,
            user_id=hit.user,
            holds=hit.holds,
            logout=hit.logout,
        )
        for number, hit in enumerate(all_hits)
    ]
