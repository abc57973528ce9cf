"""The same hits end as the same actions, persons and decisions, however they are laid out, repeated, cut or replayed.

Beside the random schedules of test_simulation.py, which are held against the oracle, these runs are held against each
other: the whole end of one against the whole end of the next.
"""

from collections.abc import Iterator, Sequence
from random import Random

import pytest
from msgspec.structs import replace

from pipeline.identity.policy import Policy
from pipeline.limits import BUCKET_MS, HOUR_MS
from pipeline.log.port import Record
from tests.simulation.chain import SINK, STITCH, Hub, Worker, sink, stitcher
from tests.simulation.ends import End, cut, decided_until, end_of, finish, ran
from tests.simulation.worlds import laid, small_world
from tests.support.generator import Sent, Shape, world
from tests.support.oracle import facts_of, who

COUNTS = (1, 2, 7, 64)
SEEDS = range(150)
STEPS_MAX = 2_000


def _small(seed: int) -> tuple[Policy, list[Sent]]:
    """A small world's arrivals, in order; of an event that came with two contents only the first."""
    made = small_world(Random(seed))
    first: dict[tuple[str, str, str], Sent] = {}
    for sent in made.hits:
        first.setdefault(sent.key, sent)
    kept = [sent for sent in made.hits if replace(first[sent.key], received_ms=0) == replace(sent, received_ms=0)]
    return made.policy, sorted(kept, key=lambda sent: sent.received_ms)


def _rough(seed: int) -> tuple[Policy, list[Sent]]:
    """A larger one under the real policy: kiosks, bursts, households, ties."""
    return Policy(), world(seed, Shape(hits=700, devices=30, days=20, late_days=6)).hits


def _moved(rng: Random, policy: Policy, arrivals: Sequence[Sent]) -> list[Sent]:
    """Each event once, at another time than before, between an hour early and a lookback late; one in four again."""
    events = list({sent.key: sent for sent in arrivals}.values())
    rng.shuffle(events)
    moved = [
        replace(sent, received_ms=sent.ts_ms + rng.randint(-HOUR_MS, policy.lookback_ms))
        for sent in events
        for _ in range(1 + (rng.random() < 0.25))
    ]
    return sorted(moved, key=lambda sent: sent.received_ms)


def _same(hubs: Sequence[Hub], policy: Policy) -> None:
    """Their ends are one; decisions as far as every run has to write them all down."""
    ends = [end_of(hub) for hub in hubs]
    until = [decided_until(hub, policy) for hub in hubs]
    common = {place: min(one[place] for one in until) for place in until[0]}
    for end in ends:
        assert end.actions == ends[0].actions
        assert end.persons == ends[0].persons
        assert cut(end.decisions, common) == cut(ends[0].decisions, common)


@pytest.mark.parametrize("made", [_small, _rough])
def test_partition_counts(made: object) -> None:
    """One, two, seven and sixty-four."""
    for seed in SEEDS if made is _small else (1, 2):
        policy, arrivals = made(seed)  # type: ignore[operator]
        _same([ran(laid(Random(seed), arrivals, count), policy, Random(seed)) for count in COUNTS], policy)


@pytest.mark.parametrize("made", [_small, _rough])
def test_order_repetition_and_record_borders(made: object) -> None:
    """Other delays, so another order; other repetitions, other borders, any number of partitions."""
    for seed in SEEDS if made is _small else (3, 4):
        rng = Random(seed)
        policy, arrivals = made(seed)  # type: ignore[operator]
        orders = [_moved(rng, policy, arrivals) for _ in range(4)]
        _same([ran(laid(rng, order, rng.choice(COUNTS)), policy, rng) for order in orders], policy)


def test_all_at_once_in_any_order() -> None:
    """A world no longer than the lookback that arrives once it is over: every decision is the same, to the last."""
    for seed in SEEDS:
        rng = Random(seed)
        policy, arrivals = _small(seed)
        start_ms = min(sent.ts_ms for sent in arrivals)
        over_ms = start_ms + policy.lookback_ms
        short = [replace(sent, received_ms=over_ms) for sent in arrivals if sent.ts_ms <= over_ms]
        ends = []
        for _ in range(4):
            rng.shuffle(short)
            ends.append(end_of(ran(laid(rng, short, rng.choice(COUNTS)), policy, rng)))

        assert all(end == ends[0] for end in ends)


def test_decisions_are_the_oracle_s_at_every_instant() -> None:
    """Not only where rows stand: folded, `identity_links` says of a device's past what the rules say."""
    seen = 0
    for seed in SEEDS:
        policy, arrivals = _small(seed)
        hub = ran(laid(Random(seed), arrivals, 2), policy, Random(seed))
        decisions = end_of(hub).decisions
        for (workspace, device), until_ms in decided_until(hub, policy).items():
            facts = facts_of([s.head() for s in arrivals if (s.workspace, s.device) == (workspace, device)], policy)
            spans = decisions.get((workspace, device), [])
            edges = {t for start, end, *_ in spans for t in (start - 1, start, end, end + 1)}
            for t_ms in sorted(edges | {sent.ts_ms for sent in arrivals}):
                if t_ms <= until_ms:
                    told = [attribution for start, end, _, attribution in spans if start <= t_ms <= end]
                    assert [who(t_ms, facts, policy)[1]] == (told or ["anonymous"]), (seed, device, t_ms)
                    seen += 1

    assert seen > 1_000


def test_a_replay_into_an_empty_store() -> None:
    """From the first record, with other checkpoints: the very same end, decisions included, to the last."""
    for seed in SEEDS:
        policy, arrivals = _small(seed)
        hits = laid(Random(seed), arrivals, COUNTS[seed % 4])
        ends = [end_of(ran(hits, policy, Random(attempt))) for attempt in range(3)]

        assert ends[1] == ends[0]
        assert ends[2] == ends[0]


@pytest.mark.parametrize("seed", [1, 3, 31, 57])
@pytest.mark.parametrize("left_behind", [False, True], ids=["killed", "left behind"])
def test_a_crash_after_each_step_in_turn(seed: int, left_behind: bool) -> None:
    """Of the stitcher and of the sink: after the first step, after the second, and so on to the last. The end is that
    of a run without trouble, also when the old owner wakes after its successor is done."""
    policy, arrivals = _small(seed)
    hits = laid(Random(seed), arrivals, 1)
    expected = end_of(ran(hits, policy, Random(seed)))
    for role in (STITCH, SINK):
        steps = 0
        for steps, end in enumerate(_crashed(hits, policy, seed, role, left_behind), start=1):
            assert end == expected, (role, steps)

        assert steps >= 40


def _crashed(hits: list[list[Record]], policy: Policy, seed: int, role: str, left_behind: bool) -> Iterator[End]:
    """The end of a run that crashed after one step, after two, and so on, until a run has no more steps."""
    for steps in range(1, STEPS_MAX):
        hub = Hub(1)
        hub.begin(hits)
        if role == SINK:
            _go(stitcher(hub, 0, policy, Random(seed), hub.owner(STITCH, 0)), STEPS_MAX, hub, STITCH)
        work = stitcher if role == STITCH else sink
        worker = work(hub, 0, policy, Random(seed), hub.owner(role, 0))
        if _go(worker, steps, hub, role) < steps:
            return
        finish(hub, 0, policy, Random(steps))
        if left_behind:
            _go(worker, STEPS_MAX, hub, role)
            finish(hub, 0, policy, Random(steps))
        yield end_of(hub)
    raise AssertionError(f"still not over after {STEPS_MAX} steps")


def _go(worker: Worker, steps: int, hub: Hub, role: str) -> int:
    """Up to so many steps; fewer where everything is read and committed, or a commit was refused. How many it took."""
    for step in range(steps):
        reached, last = (hub.committed, hub.hits) if role == STITCH else (hub.sunk, hub.stitched)
        mine = hub.owners[role, 0] == 1
        if (mine and reached[0] == len(last[0])) or next(worker, None) is None:
            return step
        if not mine and step > 50:
            return step
    return steps


def test_the_worlds_have_what_could_go_wrong() -> None:
    """Decisions that changed, persons on two devices, hits a lookback late."""
    ends = [end_of(ran(laid(Random(seed), _small(seed)[1], 2), _small(seed)[0], Random(seed))) for seed in range(40)]
    late = [sent.received_ms - sent.ts_ms for seed in range(40) for sent in _small(seed)[1]]

    assert sum(len(spans) for end in ends for spans in end.decisions.values()) > 100
    assert sum(person.devices > 1 for end in ends for person in end.persons.values()) > 20
    assert max(late) >= 2 * BUCKET_MS
    assert min(late) < 0
