"""Order, repetition and the borders of records, by Hypothesis: whatever it makes of a world, the end is the same."""

from collections.abc import Sequence
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from pipeline.identity.policy import Policy
from pipeline.model import HitHead
from pipeline.times import ms_of
from tests.identity.incremental import Batch, shown
from tests.identity.strategies import Fact, heads, hits, policies
from tests.support.oracle import oracle

SIZE_MAX = 16
worlds = st.lists(hits, min_size=1, max_size=SIZE_MAX)


class Way(NamedTuple):
    """One way for a world to arrive: how late each hit is (in hundredths of the lookback), which hits come once more
    and how late then, and how many hits a record holds."""

    late: list[int]
    again: list[tuple[int, int]]
    sizes: list[int]


hundredths = st.integers(0, 100)
ways = st.builds(
    Way,
    st.lists(hundredths, min_size=SIZE_MAX, max_size=SIZE_MAX),
    st.lists(st.tuples(st.integers(0, SIZE_MAX - 1), hundredths), max_size=8),
    st.lists(st.integers(1, 6), min_size=1, max_size=8),
)


def _arrivals(way: Way, all_hits: Sequence[HitHead], policy: Policy) -> list[tuple[int, HitHead]]:
    """When the log took each, in order: none more than a lookback late."""

    def at(head: HitHead, late: int) -> tuple[int, HitHead]:
        return ms_of(head.ts) + late * policy.lookback_ms // 100, head

    once = [at(head, late) for head, late in zip(all_hits, way.late, strict=False)]
    more = [at(all_hits[number], late) for number, late in way.again if number < len(all_hits)]
    return sorted(once + more, key=lambda arrival: arrival[0])


def _records(way: Way, arrivals: Sequence[tuple[int, HitHead]]) -> list[Batch]:
    records: list[Batch] = []
    while arrivals:
        taken = arrivals[: way.sizes[len(records) % len(way.sizes)]]
        records.append((taken[-1][0], [head for _, head in taken]))
        arrivals = arrivals[len(taken) :]
    return records


@given(policies, worlds, ways, ways)
def test_any_way_to_arrive_ends_the_same(policy: Policy, world: list[Fact], one: Way, other: Way) -> None:
    """As the oracle says, who sees no order and no records, and as each other."""
    all_hits = heads(world)
    expected = oracle(all_hits, policy)

    for way in (one, other):
        assert expected == shown(_records(way, _arrivals(way, all_hits, policy)), policy)


@given(policies, worlds, ways, st.lists(hits, max_size=8))
def test_another_device_does_not_matter(policy: Policy, world: list[Fact], way: Way, beside: list[Fact]) -> None:
    """Its hits in the same records or in none: nothing is shared between devices, the user's name included."""
    mine, theirs = heads(world), heads(beside, device="phone")
    both = [*_arrivals(way, mine, policy), *((ms_of(head.ts), head) for head in theirs)]
    alone = shown(_records(way, _arrivals(way, mine, policy)), policy)
    together = shown(_records(way, sorted(both, key=lambda arrival: arrival[0])), policy)

    assert alone == {key: answer for key, answer in together.items() if key[1] == "d:laptop"}
