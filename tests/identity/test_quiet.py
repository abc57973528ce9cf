"""Ranges of hits without a user ID: covering more is harmless, covering less loses history."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.identity.quiet import RANGES_MAX, QuietRanges
from tests.identity.strategies import instants

BUCKET_MS = 10
times = st.lists(instants, max_size=30)


def _ranges(seen: list[int]) -> QuietRanges:
    quiet = QuietRanges(BUCKET_MS)
    for t_ms in seen:
        quiet.add(t_ms)
    return quiet


@given(times)
def test_every_instant_is_covered_by_one_range_a_bucket(seen: list[int]) -> None:
    """Each range is the first and the last instant of its bucket, whatever the order."""
    buckets = sorted({t_ms // BUCKET_MS for t_ms in seen})
    exact = [[t_ms for t_ms in seen if t_ms // BUCKET_MS == bucket] for bucket in buckets]

    assert _ranges(seen).ranges == [[min(inside), max(inside)] for inside in exact]


@given(times, instants)
def test_adding_says_whether_anything_changed(seen: list[int], t_ms: int) -> None:
    """A device whose state did not change is not written again."""
    quiet = _ranges(seen)
    before = [list(r) for r in quiet.ranges]

    assert quiet.add(t_ms) == (quiet.ranges != before)


@given(times, times)
def test_joining_is_adding_both(one: list[int], two: list[int]) -> None:
    """Commutative and idempotent, as recovery needs it."""
    a, b = _ranges(one), _ranges(two)
    a.join(b)
    b.join(_ranges(one))
    b.join(_ranges(one))

    assert a.ranges == b.ranges == _ranges(one + two).ranges


@given(times, instants, st.integers(0, 60))
def test_meets_means_sharing_an_instant(seen: list[int], start_ms: int, length_ms: int) -> None:
    """Both ends inclusive."""
    quiet = _ranges(seen)
    end_ms = start_ms + length_ms

    assert quiet.meets(start_ms, end_ms) == any(a <= end_ms and b >= start_ms for a, b in quiet.ranges)


@given(times, instants)
def test_pruning_keeps_the_bucket_of_the_instant_and_all_after(seen: list[int], t_ms: int) -> None:
    """Only whole buckets before it go."""
    quiet = _ranges(seen)
    quiet.prune(t_ms)

    assert quiet.ranges == _ranges([t for t in seen if t // BUCKET_MS >= t_ms // BUCKET_MS]).ranges


def test_a_device_that_never_pauses_stays_bounded_and_covered() -> None:
    """Past the bound the older half becomes one range: more is covered, nothing less."""
    seen = [number * BUCKET_MS for number in range(3 * RANGES_MAX)]
    quiet = _ranges(seen)

    assert len(quiet.ranges) <= RANGES_MAX
    assert all(quiet.meets(t_ms, t_ms) for t_ms in seen)

    other = _ranges([t_ms + 3 * RANGES_MAX * BUCKET_MS for t_ms in seen])
    quiet.join(other)

    assert len(quiet.ranges) <= RANGES_MAX
    assert all(quiet.meets(t_ms, t_ms) for t_ms in seen)
