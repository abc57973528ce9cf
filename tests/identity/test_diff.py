"""Where the answer changes when facts arrive, against asking at every instant before and after."""

from collections.abc import Callable

from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.identity.diff import changed
from pipeline.identity.policy import Policy
from pipeline.identity.rules import Answer, Rules, Segment
from pipeline.identity.timeline import Timeline
from tests.identity.strategies import EVERY_MS, Fact, content, facts, fold, instants, policies, timeline

EVER_MS = 1 << 50
some = st.lists(facts, max_size=10)
TEN = Policy(lookback_ms=20, bucket_ms=10, users_per_bucket_max=3, logouts_per_bucket_max=3, users_per_device_max=2)
ALICE, BOB = Fact(1_000, "alice", True, False), Fact(1_015, "bob", False, False)


def _arrive(before: Timeline, news: list[Fact]) -> tuple[Timeline, set[int]]:
    """The timeline after the news, and the buckets that changed."""
    after, touched = before.copy(), set()
    for fact in news:
        known = content(after)
        fold(after, [fact])
        if content(after) != known:
            touched.add(after.bucket_of(fact.t_ms))
    return after, touched


def _differences(before: Timeline, after: Timeline) -> dict[int, Answer]:
    """The new answer at every instant where it is not the old one."""
    old, new = Rules(before), Rules(after)
    return {t_ms: new.who(t_ms) for t_ms in EVERY_MS if old.who(t_ms) != new.who(t_ms)}


def _told(segments: list[Segment]) -> dict[int, Answer]:
    assert [s.start_ms for s in segments] == sorted(s.start_ms for s in segments)
    told = [(t_ms, s.answer) for s in segments for t_ms in range(s.start_ms, s.end_ms + 1)]
    assert len(told) == len(dict(told)), "segments overlap"
    return dict(told)


def _always(start_ms: int, end_ms: int) -> bool:
    return start_ms <= end_ms


@given(policies, some, st.lists(facts, min_size=1, max_size=5))
@example(TEN, [Fact(1_005, "alice", True, False)], [Fact(1_025, "bob", False, False), Fact(1_027, "bob", False, True)])
@example(TEN, [Fact(1_000, "a", False, False), Fact(1_030, "b", False, False)], [Fact(1_018, "c", False, False)])
@example(TEN, [ALICE, ALICE._replace(t_ms=1_003, user="", logout=True), BOB], [ALICE._replace(t_ms=1_005)])
@example(TEN, [ALICE._replace(holds=False), BOB._replace(t_ms=1_035)], [ALICE._replace(t_ms=1_005, holds=False)])
def test_every_change_is_told_and_nothing_else(policy: Policy, known: list[Fact], news: list[Fact]) -> None:
    """Over all instants: the segments are exactly where the answers before and after differ, with the new answer."""
    before = timeline(policy, known)
    after, touched = _arrive(before, news)
    if not touched:
        return

    assert _differences(before, after) == _told(list(changed(before, after, touched, EVER_MS, _always)))


@settings(max_examples=600)
@given(policies, st.lists(facts, min_size=1, max_size=5), st.data())
def test_the_same_user_again_in_the_same_bucket(policy: Policy, known: list[Fact], data: st.DataObject) -> None:
    """The usual news by far, and the only one that is spared a look at both sides: told as exactly as any other."""
    before = timeline(policy, known)
    seen = data.draw(st.sampled_from(known))
    start_ms = seen.t_ms // policy.bucket_ms * policy.bucket_ms
    t_ms = data.draw(st.integers(start_ms, start_ms + policy.bucket_ms - 1))
    after, touched = _arrive(before, [seen._replace(t_ms=t_ms)])
    if touched:
        assert _differences(before, after) == _told(list(changed(before, after, touched, EVER_MS, _always)))


@given(policies, some, st.lists(facts, min_size=1, max_size=5), instants)
def test_nothing_is_told_past_the_last_row(policy: Policy, known: list[Fact], news: list[Fact], until_ms: int) -> None:
    """`until_ms` cuts, and changes nothing before it."""
    before = timeline(policy, known)
    after, touched = _arrive(before, news)
    if not touched:
        return
    expected = {t_ms: answer for t_ms, answer in _differences(before, after).items() if t_ms <= until_ms}

    assert expected == _told(list(changed(before, after, touched, until_ms, _always)))


@given(policies, some, st.lists(facts, min_size=1, max_size=5), st.sets(instants, max_size=4))
def test_what_is_wanted_is_told(policy: Policy, known: list[Fact], news: list[Fact], rows: set[int]) -> None:
    """Leaving out stretches without rows never leaves out a row."""
    before = timeline(policy, known)
    after, touched = _arrive(before, news)
    if not touched:
        return
    told = _told(list(changed(before, after, touched, EVER_MS, _meets(rows))))
    differences = _differences(before, after)

    assert {t_ms: differences.get(t_ms) for t_ms in rows} == {t_ms: told.get(t_ms) for t_ms in rows}
    assert told.items() <= differences.items()


def _meets(rows: set[int]) -> Callable[[int, int], bool]:
    return lambda start_ms, end_ms: any(start_ms <= t_ms <= end_ms for t_ms in rows)
