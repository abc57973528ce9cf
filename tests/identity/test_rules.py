"""Who was signed in, at every instant of small worlds, against the oracle."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.identity.crowd import Crowd
from pipeline.identity.policy import Policy
from pipeline.identity.rules import NOBODY, Rules
from tests.identity.strategies import EVERY_MS, Fact, facts, heads, instants, policies, timeline
from tests.support import oracle

some = st.lists(facts, max_size=12)


def _borders(rules: Rules) -> list[int]:
    """Every instant at which an answer may begin or end, and its neighbours."""
    edges = {t for s in rules.segments(EVERY_MS[0], EVERY_MS[-1]) for t in (s.start_ms, s.end_ms)}
    return sorted({t + step for t in edges for step in (-1, 0, 1)} & set(EVERY_MS))


@given(policies, some)
def test_the_answer_is_the_oracle_s_at_every_instant(policy: Policy, world: list[Fact]) -> None:
    """The two were written apart, from the same text."""
    rules = Rules(timeline(policy, world))
    known = oracle.facts_of(heads(world), policy)
    for t_ms in EVERY_MS:
        user, attribution = oracle.who(t_ms, known, policy)

        assert rules.who(t_ms) == (user or "", attribution), t_ms


@given(policies, some, instants, st.integers(0, 200))
def test_segments_cover_without_holes_and_answer_as_who(
    policy: Policy, world: list[Fact], start_ms: int, length_ms: int
) -> None:
    """One after the other from the first instant asked for to the last, with one answer each."""
    rules = Rules(timeline(policy, world))
    segments = list(rules.segments(start_ms, start_ms + length_ms))
    covered = [t for segment in segments for t in range(segment.start_ms, segment.end_ms + 1)]

    assert covered == list(range(start_ms, start_ms + length_ms + 1))
    for segment in segments:
        for t_ms in range(segment.start_ms, segment.end_ms + 1):
            assert rules.who(t_ms) == segment.answer, t_ms


@given(policies, some)
def test_nothing_changes_but_at_borders(policy: Policy, world: list[Fact]) -> None:
    """At every border and one millisecond to each side, the step function is the rule."""
    rules = Rules(timeline(policy, world))
    segments = list(rules.segments(EVERY_MS[0], EVERY_MS[-1]))
    for t_ms in _borders(rules):
        (segment,) = [s for s in segments if s.start_ms <= t_ms <= s.end_ms]

        assert segment.answer == rules.who(t_ms), t_ms


def test_segments_stay_few_where_nothing_happens() -> None:
    """A device nobody signed in on is one segment, however long the time."""
    assert [s.answer for s in Rules(timeline(Policy(), [])).segments(0, 1 << 50)] == [NOBODY]


@given(policies, some)
def test_a_crowd_is_more_users_than_may_be_told_apart(policy: Policy, world: list[Fact]) -> None:
    """Counted by hand at every instant; contested time is a crowd of its own."""
    line = timeline(policy, world)
    crowd = Crowd(line)
    for t_ms in EVERY_MS:
        near = {
            span.user
            for span in line.spans()
            if span.first_ms <= t_ms + policy.lookback_ms and span.last_ms >= t_ms - policy.lookback_ms
        }

        assert crowd.at(t_ms) == (None in near or len(near) > policy.users_per_device_max), t_ms


@given(policies, some, st.permutations(("alice", "bob", "carol", "dave")))
def test_names_do_not_matter(policy: Policy, world: list[Fact], names: list[str]) -> None:
    """Swapping names swaps the answers: no user is preferred, so contested time cannot go to anybody."""
    other = dict(zip(("alice", "bob", "carol", "dave"), names, strict=True)) | {"": ""}
    swapped = [fact._replace(user=other[fact.user]) for fact in world]
    rules, mirror = Rules(timeline(policy, world)), Rules(timeline(policy, swapped))
    for t_ms in EVERY_MS:
        user, attribution = rules.who(t_ms)

        assert mirror.who(t_ms) == (other[user], attribution), t_ms
