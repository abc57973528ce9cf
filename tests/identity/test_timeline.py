"""The facts of a device are a join-semilattice: order and repetition cannot matter."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.identity.policy import Policy
from pipeline.identity.timeline import Timeline
from tests.identity.strategies import EVERY_MS, Fact, content, facts, fold, instants, policies, timeline

some = st.lists(facts, max_size=14)


def _joined(*lines: Timeline) -> Timeline:
    whole = lines[0].copy()
    for line in lines[1:]:
        whole.join(line)
    return whole


@given(policies, some, st.randoms(use_true_random=False))
def test_folding_in_any_order_gives_the_same(policy: Policy, world: list[Fact], rng: object) -> None:
    """Contested buckets included, repetitions too."""
    shuffled = [*world, *world[: len(world) // 2]]
    rng.shuffle(shuffled)  # type: ignore[attr-defined]

    assert content(timeline(policy, world)) == content(timeline(policy, shuffled))


@given(policies, some, some, some)
def test_join_is_commutative_associative_and_idempotent(
    policy: Policy, one: list[Fact], two: list[Fact], three: list[Fact]
) -> None:
    """Which copy of a device recovery reads first, and how often, cannot matter."""
    a, b, c = (timeline(policy, part) for part in (one, two, three))

    assert content(_joined(a, b)) == content(_joined(b, a))
    assert content(_joined(_joined(a, b), c)) == content(_joined(a, _joined(b, c)))
    assert content(_joined(a, a)) == content(a)
    assert content(_joined(a, b)) == content(_joined(_joined(a, b), b))


@given(policies, some, some)
def test_joining_two_states_is_folding_all_their_facts(policy: Policy, one: list[Fact], two: list[Fact]) -> None:
    """Nothing is lost by having been folded apart, although a state keeps only the ends of its spans."""
    assert content(_joined(timeline(policy, one), timeline(policy, two))) == content(timeline(policy, one + two))


@given(policies, some, facts)
def test_covered_means_that_folding_changes_nothing(policy: Policy, world: list[Fact], fact: Fact) -> None:
    """A fact that is passed over as known would have changed nothing, and one that is not changes something."""
    line = timeline(policy, world)
    known = not fact.logout or line.covers_logout(fact.t_ms)
    if fact.user:
        known = known and line.covers_login(fact.t_ms, fact.user, fact.holds and not fact.logout)

    assert known == (content(fold(line.copy(), [fact])) == content(line))


@given(policies, some, some)
def test_a_copy_is_a_snapshot(policy: Policy, world: list[Fact], more: list[Fact]) -> None:
    """Folding into one leaves the other as it was."""
    line = timeline(policy, world)
    before, twin = content(line), line.copy()
    fold(twin, more)

    assert content(line) == before


@given(policies, some, some, instants)
def test_pruning_forgets_whole_buckets_and_only_old_ones(
    policy: Policy, one: list[Fact], two: list[Fact], t_ms: int
) -> None:
    """What is left is what folding only the facts from that bucket on gives, and joining forgets nothing of it."""
    floor_ms = t_ms // policy.bucket_ms * policy.bucket_ms
    pruned, other = timeline(policy, one), timeline(policy, two)
    pruned.prune(t_ms)
    other.prune(t_ms)

    assert content(pruned) == content(timeline(policy, [fact for fact in one if fact.t_ms >= floor_ms]))
    assert content(_joined(pruned, other)) == content(
        timeline(policy, [fact for fact in one + two if fact.t_ms >= floor_ms])
    )


@given(policies, some)
def test_users_are_everyone_or_more(policy: Policy, world: list[Fact]) -> None:
    """The shortcut that spares most devices the crowd never misses a user, contested time included."""
    line = timeline(policy, world)

    assert {span.user for span in line.spans()} <= line.users


@given(policies, some)
def test_a_bucket_never_grows_past_its_bounds(policy: Policy, world: list[Fact]) -> None:
    """Bounded state: users and logouts of a bucket, or the one span that says it is contested."""
    line = timeline(policy, world)
    for spans in line.buckets.values():
        named = {span.user for span in spans}

        assert named == {None} if None in named else len(named) <= policy.users_per_bucket_max
        assert len(spans) == len({(span.user, span.holds) for span in spans})
    for bucket in {t_ms // policy.bucket_ms for t_ms in line.logouts}:
        kept = [t_ms for t_ms in line.logouts if t_ms // policy.bucket_ms == bucket]

        assert len(kept) <= policy.logouts_per_bucket_max


@given(policies, some, st.integers(min_value=min(EVERY_MS), max_value=max(EVERY_MS)), st.integers(0, 40))
def test_a_logout_is_found_in_every_stretch_that_holds_it(
    policy: Policy, world: list[Fact], start_ms: int, length_ms: int
) -> None:
    """Both ends are inclusive."""
    line = timeline(policy, world)
    end_ms = start_ms + length_ms

    assert line.logout_in(start_ms, end_ms) == any(start_ms <= t_ms <= end_ms for t_ms in line.logouts)
