"""The state of a device: how it is kept, joined, pruned, and what it lets be left out."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.identity.device import Device, decode, encode
from pipeline.identity.policy import Policy
from pipeline.identity.stitcher import Key, Stamp, stitch
from pipeline.limits import HOUR_MS, PUBLISH_SKEW_MS_MAX
from pipeline.model import HitHead
from tests.identity.strategies import Fact, content, heads, hits, policies

KEY: Key = ("shop", "laptop")
worlds = st.lists(st.lists(hits, min_size=1, max_size=4), min_size=1, max_size=6)
DAY = Policy(lookback_ms=24 * HOUR_MS, bucket_ms=HOUR_MS // 2, users_per_device_max=2)


def _device(policy: Policy, records: list[list[Fact]], first_version: int = 1) -> Device:
    """The state after these records; an empty one when nobody signed in."""
    devices: dict[Key, Device] = {}
    for version, record in enumerate(records, start=first_version):
        stitch(heads(record), devices, policy, Stamp(version, 5_000 + version))
        if KEY in devices and version % 2:
            devices[KEY].settle(version - 1)
    return devices.get(KEY, Device(policy))


def _state(device: Device) -> tuple[object, ...]:
    """All that a device knows, for comparing."""
    marks = (device.first_ms, device.newest_ms, device.included)
    pending = (device.settled_ms, device.pending_ms, device.pending_version)
    return content(device.line), tuple(map(tuple, device.quiet.ranges)), marks, pending


def _joined(policy: Policy, *devices: Device) -> Device:
    whole = decode(encode(devices[0]), policy)
    for device in devices[1:]:
        whole.join(decode(encode(device), policy))
    return whole


@given(policies, worlds)
def test_a_state_survives_its_encoding(policy: Policy, records: list[list[Fact]]) -> None:
    """Contested buckets, marks and ranges included; one line of JSON, so that a changelog record can carry many."""
    device = _device(policy, records)

    assert _state(decode(encode(device), policy)) == _state(device)
    assert b"\n" not in encode(device)


@given(policies, worlds, worlds, worlds)
def test_joining_states_is_commutative_associative_and_idempotent(
    policy: Policy, one: list[list[Fact]], two: list[list[Fact]], three: list[list[Fact]]
) -> None:
    """Whatever entries a changelog holds, in whatever order: the same state."""
    a, b, c = (_device(policy, part, start) for part, start in ((one, 1), (two, 4), (three, 2)))
    together = _state(_joined(policy, a, b, c))

    assert together == _state(_joined(policy, c, b, a)) == _state(_joined(policy, b, a, c, b))
    assert together == _state(_joined(policy, a, _joined(policy, b, c)))
    assert _state(a) == _state(_joined(policy, a, a))


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b"null", b"[1,2,3]", b'[0,0,0,0,0,0,[["a",1,2,3]],[],[]]', b"\xff"]
)
def test_a_broken_state_is_refused(data: bytes) -> None:
    """It raises what its docstring says, so that recovery stops instead of going on without history."""
    with pytest.raises((msgspec.MsgspecError, ValueError)):
        decode(data, Policy())


def test_a_fact_settles_once_its_record_cannot_be_read_again() -> None:
    """Only committed facts prune: a replay finds all that the first reading found."""
    policy = Policy(lookback_ms=20, bucket_ms=10)
    device = _device(policy, [])
    devices = {KEY: device}
    for version, t_ms in ((1, 1_000), (2, 1_500)):
        stitch(heads([Fact(t_ms, "alice", False, False)]), devices, policy, Stamp(version, 5_000))
    device.settle(0)

    assert (device.settled_ms, device.pending_ms, device.pending_version) == (0, 1_500, 2)

    device.settle(1)  # the record with the newest fact is not committed yet
    assert [span.first_ms for span in device.line.spans()] == [1_000, 1_500]

    device.settle(2)
    assert device.settled_ms == 1_500
    assert [span.first_ms for span in device.line.spans()] == [1_500]


def test_reading_again_what_a_state_includes_settles_nothing_new() -> None:
    """The newest fact is counted once, when its record is first folded."""
    device = _device(Policy(), [[Fact(1_000, "alice", True, False)], [Fact(1_100, "bob", True, False)]])
    before = _state(device)
    stitch(heads([Fact(1_000, "alice", True, False)]), {KEY: device}, Policy(), Stamp(1, 5_000))

    assert _state(device) == before


def test_rows_are_late_once_facts_they_need_may_be_gone() -> None:
    """Three lookbacks are kept and a row looks back one: from two on, nothing is promised."""
    device = Device(DAY)
    device.settled_ms = 100 * DAY.lookback_ms

    assert not device.late(98 * DAY.lookback_ms)
    assert device.late(98 * DAY.lookback_ms - 1)


def _login(user: str, t_ms: int, event_id: str) -> HitHead:
    return msgspec.structs.replace(heads([Fact(t_ms, user, False, False)])[0], event_id=event_id)


def test_a_clock_an_hour_ahead_does_not_make_others_late() -> None:
    """A hit may carry a time an hour after its arrival. It must not prune what a hit that is a lookback late needs.

    Alice's page lies between two logins of hers; Bob signed in a lookback before it and Carol, a lookback late, makes
    it a crowd of three. With Bob forgotten too early the page would stay hers.
    """
    now_ms = 1_760_000_400_000
    page_ms = now_ms - 2 * DAY.lookback_ms + 60_000
    old = [
        _login("bob", page_ms - DAY.lookback_ms + 60_000, "e1"),
        _login("alice", page_ms - HOUR_MS, "e2"),
        _login("alice", page_ms + HOUR_MS, "e3"),
        heads([Fact(page_ms, "", False, False)])[0],
    ]
    devices: dict[Key, Device] = {}
    stitch(old, devices, DAY, Stamp(1, page_ms + HOUR_MS))
    stitch([_login("alice", now_ms + HOUR_MS, "e4")], devices, DAY, Stamp(2, now_ms))
    devices[KEY].settle(0)
    devices[KEY].settle(2)
    late = stitch([_login("carol", now_ms - DAY.lookback_ms, "e5")], devices, DAY, Stamp(3, now_ms))

    over = [link for link in late.links if link.start <= old[3].ts <= link.end]
    assert [("anonymous", False)] == [(link.attribution, link.late) for link in over]


def test_no_row_can_stand_long_after_the_first_fact_unseen() -> None:
    """A link is needed within the skew after the first fact, and wherever a hit without a user ID was seen."""
    device = Device(DAY)
    device.first_ms = 10 * HOUR_MS
    border_ms = device.first_ms + PUBLISH_SKEW_MS_MAX

    assert device.needs_link(border_ms, border_ms)
    assert not device.needs_link(border_ms + 1, 50 * HOUR_MS)

    device.quiet.add(50 * HOUR_MS)
    assert device.needs_link(border_ms + 1, 50 * HOUR_MS)
    assert not device.needs_link(50 * HOUR_MS + 1, 60 * HOUR_MS)
    assert device.rows_until_ms == 50 * HOUR_MS
