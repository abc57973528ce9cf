"""One record in; persons, links and changed devices out: a function of the record and the state, nothing else."""

from copy import deepcopy

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from pipeline.identity.device import Device, decode, encode
from pipeline.identity.ids import device_person, hit_person, user_person
from pipeline.identity.policy import Policy
from pipeline.identity.stitcher import Devices, Key, Placed, Stamp, Stitched, stitch
from pipeline.limits import FUTURE_MS_MAX, HOUR_MS
from pipeline.model import HitHead
from pipeline.times import iso, ms_of
from tests.identity.strategies import BASE_MS, Fact, heads, hits, policies
from tests.support import oracle

KEY: Key = ("shop", "laptop")
LOG_MS = 5_000
records = st.lists(st.lists(hits, min_size=1, max_size=5), min_size=1, max_size=6)
PAGE = Fact(1_000, "", False, False)


def _copies(devices: Devices, policy: Policy) -> dict[Key, Device]:
    """Equal states that share nothing with these."""
    return {key: decode(encode(device), policy) for key, device in devices.items()}


@given(policies, records)
def test_the_same_record_on_equal_states_means_the_same(policy: Policy, world: list[list[Fact]]) -> None:
    """No hidden memory: what was stitched before, with other objects, or how often, cannot matter."""
    devices: dict[Key, Device] = {}
    for version, record in enumerate(world, start=1):
        stamp = Stamp(version, LOG_MS + version)
        first, second = _copies(devices, policy), _copies(devices, policy)
        one = stitch(heads(record), first, policy, stamp)
        two = stitch(deepcopy(heads(record)), second, policy, stamp)
        three = stitch(heads(record), devices, policy, stamp)

        assert one == two == three
        assert {k: encode(d) for k, d in first.items()} == {k: encode(d) for k, d in second.items()}


@given(policies, records)
def test_a_record_read_again_makes_no_links_and_no_dirt(policy: Policy, world: list[list[Fact]]) -> None:
    """Its facts are known: nothing differs before and after, and its rows are answered as they now are."""
    devices: dict[Key, Device] = {}
    for version, record in enumerate(world, start=1):
        stamp = Stamp(version, LOG_MS + version)
        first = stitch(heads(record), devices, policy, stamp)
        again = stitch(heads(record), devices, policy, stamp)

        assert again == Stitched(first.placed, [], set())


@given(policies, records)
def test_links_of_a_record_are_disjoint_ordered_and_of_its_version(policy: Policy, world: list[list[Fact]]) -> None:
    """No row is given to two at once; every link names a hit of the record as its cause."""
    devices: dict[Key, Device] = {}
    for version, record in enumerate(world, start=1):
        links = stitch(heads(record), devices, policy, Stamp(version, LOG_MS + version)).links
        ends = [ms_of(end) for link in links for end in (link.start, link.end)]

        assert ends == sorted(ends)
        assert (
            len({link.end for link in links} & {link.start for link in links[1:]} - {link.end for link in links}) == 0
        )
        assert {link.version for link in links} <= {version}
        assert {link.event_id for link in links} <= {head.event_id for head in heads(record)}


@given(policies, st.lists(st.tuples(hits, st.sampled_from((0, 0, 3, 40, -60))), min_size=1, max_size=14))
def test_no_link_is_left_out_that_covers_a_row(policy: Policy, arrivals: list[tuple[Fact, int]]) -> None:
    """Beside a device that is told of every row from the first on, and so leaves out nothing that meets one.

    Times here are in minutes: a hit comes up to an hour before its own time, at it, or later.
    """
    minutes = [(fact._replace(t_ms=fact.t_ms * 60_000), delay * 60_000) for fact, delay in arrivals]
    policy = msgspec.structs.replace(policy, lookback_ms=policy.lookback_ms * 60_000, bucket_ms=600_000)
    minutes.sort(key=lambda arrival: arrival[0].t_ms + arrival[1])
    sparing: dict[Key, Device] = {}
    full: dict[Key, Device] = {KEY: Device(policy)}
    full[KEY].first_ms = 1 << 50  # every link starts before this, so none is left out
    seen: list[int] = []
    for version, (fact, delay_ms) in enumerate(minutes, start=1):
        stamp = Stamp(version, fact.t_ms + delay_ms)
        given_out = stitch(heads([fact]), sparing, policy, stamp).links
        every = stitch(heads([fact]), full, policy, stamp).links
        for t_ms in seen:
            over = [_decision(link) for link in given_out if link.start <= iso(t_ms) <= link.end]

            assert [_decision(link) for link in every if link.start <= iso(t_ms) <= link.end] == over
        seen += [] if fact.user else [fact.t_ms]


@given(policies, st.lists(hits, min_size=1, max_size=24))
def test_what_is_not_marked_late_is_right_however_late_it_comes(policy: Policy, world: list[Fact]) -> None:
    """Hits of many lookbacks in any order, states pruned after every record: a row or a link that is not marked is what
    the oracle says of all hits so far, the forgotten ones included."""
    devices: dict[Key, Device] = {}
    for version in range(1, len(world) + 1):
        spread = [fact._replace(t_ms=fact.t_ms * 7 - 6 * BASE_MS) for fact in world[:version]]
        stitched = stitch(heads(spread)[-1:], devices, policy, Stamp(version, 1 << 40))
        known = oracle.facts_of(heads(spread), policy)
        if not stitched.placed[0].late:
            assert oracle.oracle(heads(spread), policy)["shop", "d:laptop", f"e{version - 1}"] == _answer(stitched)
        for link in stitched.links:
            for t_ms in (ms_of(link.start), ms_of(link.end)) if not link.late else ():
                user, attribution = oracle.who(t_ms, known, policy)

                assert (link.user_id, link.attribution) == (user or "", attribution), t_ms
        for key in stitched.dirty:
            devices[key].settle(version - 1)


def _answer(stitched: Stitched) -> tuple[str, str]:
    return stitched.placed[0].person_id, stitched.placed[0].attribution


def _decision(link: msgspec.Struct) -> tuple[object, ...]:
    return link.person_id, link.attribution, link.version  # type: ignore[attr-defined]


def test_a_device_without_a_fact_has_no_state() -> None:
    """Most devices never sign in: they cost nothing."""
    devices: dict[Key, Device] = {}
    stitched = stitch(heads([PAGE, PAGE]), devices, Policy(), Stamp(1, LOG_MS))

    assert devices == {}
    assert stitched == Stitched([Placed(device_person("shop", "laptop"), "anonymous")] * 2, [], set())


def test_rows_of_a_record_know_its_facts() -> None:
    """The record is the unit: a page before the login in the same record is the user's at once, and needs no link."""
    page, login = heads([PAGE, Fact(1_001, "alice", True, False)])
    stitched = stitch([page, login], {}, Policy(), Stamp(1, LOG_MS))
    alice = user_person("shop", "alice")

    assert stitched.placed == [Placed(alice, "backfilled"), Placed(alice, "identified")]
    assert stitched.dirty == {KEY}


def test_a_hit_without_a_device_is_its_user_s_or_alone() -> None:
    """It makes no fact: there is no device that anything could follow for."""
    nobody = HitHead(workspace="shop", event_id="e1", ts=iso(1_000), device="h:e1", logout=True)
    somebody = HitHead(workspace="shop", event_id="e2", ts=iso(1_000), device="u:alice", user_id="alice", holds=True)
    devices: dict[Key, Device] = {}
    stitched = stitch([nobody, somebody], devices, Policy(), Stamp(1, LOG_MS))

    assert devices == {}
    assert stitched.placed == [
        Placed(hit_person("shop", "e1"), "anonymous"),
        Placed(user_person("shop", "alice"), "identified"),
    ]


def test_the_same_device_in_two_workspaces_is_two() -> None:
    """A login in one workspace says nothing in the other."""
    login = heads([Fact(1_001, "alice", True, False)], workspace="a")
    page = heads([PAGE], workspace="b")
    stitched = stitch([*login, *page], {}, Policy(), Stamp(1, LOG_MS))

    assert stitched.placed[1] == Placed(device_person("b", "laptop"), "anonymous")


def test_a_login_links_the_pages_before_it() -> None:
    """The link says who, since when, why and when it was decided."""
    devices: dict[Key, Device] = {}
    stitch(heads([Fact(1_000, "", False, True)]), devices, Policy(), Stamp(1, LOG_MS))
    login = msgspec.structs.replace(heads([Fact(2_000, "alice", False, False)])[0], event_id="login")
    (backfilled, carried) = stitch([login], devices, Policy(), Stamp(7, LOG_MS)).links

    assert (backfilled.start, backfilled.end) == (iso(1_000), iso(1_999))
    assert (carried.start, carried.end) == (iso(2_000), iso(2_000))
    assert (backfilled.user_id, backfilled.attribution) == ("alice", "backfilled")
    assert backfilled.person_id == user_person("shop", "alice")
    assert (backfilled.event_id, backfilled.version, backfilled.decided_at) == ("login", 7, iso(LOG_MS))


def test_the_bound_on_future_times_covers_the_rule_that_leaves_links_out() -> None:
    """The rule may rely on it: ingest clamps times more than an hour ahead."""
    assert FUTURE_MS_MAX == HOUR_MS
