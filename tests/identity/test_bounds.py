"""One cookie, one user ID, one chain of aliases, ten thousand times over: in proportion, bounded, nobody else's matter.

Time is this process's own and is compared with itself: twice the input costs little more than twice the time. What is
quadratic would cost four times as much, and does so from a few thousand on.
"""

import time
from collections.abc import Iterable, Iterator, Sequence

import pytest

from pipeline.identity.aliases import Aliases
from pipeline.identity.device import Device, decode, encode
from pipeline.identity.ids import user_person
from pipeline.identity.policy import Policy
from pipeline.identity.stitcher import Key, Placed, Stamp, stitch
from pipeline.limits import (
    BUCKET_MS,
    DAY_MS,
    LOOKBACK_MS,
    RETAIN_LOOKBACKS,
    SECOND_MS,
    USERS_PER_BUCKET_MAX,
    USERS_PER_PERSON_MAX,
)
from pipeline.model import Alias, HitHead, Link
from pipeline.times import iso, ms_of

POLICY = Policy()
BASE_MS = 1_760_000_400_000
HOT: Key = ("shop", "hot")
TWICE_MAX = 3.5  # twice the input: two, and room for a busy machine; four would be quadratic
SPAN_BYTES_MAX = 80  # of a state: `["u123456",false,1760000400000,1760000400000],` and half as much again
BUCKETS_KEPT_MAX = RETAIN_LOOKBACKS * LOOKBACK_MS // BUCKET_MS + DAY_MS // BUCKET_MS  # and the day being written


def _head(device: str, t_ms: int, event_id: str, user: str = "") -> HitHead:
    return HitHead(
        workspace="shop", event_id=event_id, ts=iso(t_ms), device=f"d:{device}", anonymous_id=device, user_id=user
    )


def _hot(logins: int, users: int, days: float) -> list[HitHead]:
    """A page and a login in turn on one cookie, evenly over so many days."""
    step = int(days * DAY_MS) // logins
    pairs = ((BASE_MS + n * step, f"u{n % users}", str(n)) for n in range(logins))
    return [
        head
        for t_ms, user, number in pairs
        for head in (_head("hot", t_ms, "p" + number), _head("hot", t_ms + step // 2, "l" + number, user))
    ]


def _records(heads: Sequence[HitHead], size: int) -> Iterator[Sequence[HitHead]]:
    return (heads[start : start + size] for start in range(0, len(heads), size))


class Run:
    """The stitcher over records. States are kept as bytes, as a store would keep them; that of the hot cookie stays in
    memory and is written with every tenth record, as a busy device is between checkpoints."""

    def __init__(self) -> None:
        self.states: dict[Key, bytes] = {}
        self.placed: dict[str, Placed] = {}
        self.links: list[Link] = []
        self.seconds: list[float] = []  # since the start, after each record
        self.largest = 0  # bytes of the largest state ever written

    def read(self, records: Iterable[Sequence[HitHead]], log_ms: int = 0) -> "Run":
        """All of them; the log takes each record when its last hit is made, or all at one time."""
        hot: dict[Key, Device] = {}
        began = time.process_time()
        for version, heads in enumerate(records, start=1):
            keys = {(head.workspace, head.anonymous_id) for head in heads}
            devices = {key: hot.get(key) or decode(self.states[key], POLICY) for key in keys if key in self.states}
            stitched = stitch(heads, devices, POLICY, Stamp(version, log_ms or ms_of(heads[-1].ts)))
            for key in stitched.dirty:
                devices[key].settle(version - 1)
                if key != HOT or version % 10 == 0:
                    self._keep(key, devices[key])
            hot = {HOT: devices[HOT]} if HOT in devices else hot
            self.placed |= {head.event_id: placed for head, placed in zip(heads, stitched.placed, strict=True)}
            self.links += stitched.links
            self.seconds.append(time.process_time() - began)
        for key, device in hot.items():
            self._keep(key, device)
        return self

    def _keep(self, key: Key, device: Device) -> None:
        self.states[key] = encode(device)
        self.largest = max(self.largest, len(self.states[key]))

    @property
    def twice(self) -> float:
        """What all of it cost, in halves of it."""
        return self.seconds[-1] / self.seconds[len(self.seconds) // 2 - 1]


@pytest.mark.parametrize("days", [1, 20], ids=["in a day", "in twenty days"])
@pytest.mark.parametrize("users", [1, 10_000], ids=["one user", "a user each"])
def test_ten_thousand_logins_on_one_cookie_cost_in_proportion(users: int, days: int) -> None:
    """Whether a script signs somebody in all day or a cookie is shared by a town."""
    run = Run().read(_records(_hot(10_000, users, days), 50))
    buckets = days * DAY_MS // BUCKET_MS + 1
    spans = buckets * (1 if users == 1 else USERS_PER_BUCKET_MAX)

    assert run.twice < TWICE_MAX
    assert run.largest < (spans + buckets) * SPAN_BYTES_MAX
    assert len(run.links) <= 20_000  # no more than there are rows


def test_a_state_is_as_large_as_three_lookbacks_however_long_it_lasts() -> None:
    """Four users an hour for a year: from the day when the oldest is forgotten on, it does not grow."""
    heads = _hot(9_000, 9_000, 365)
    third, whole = (Run().read(_records(part, 60)) for part in (heads[: len(heads) // 3], heads))
    rows = 2 * 9_000 // 365 * BUCKETS_KEPT_MAX * BUCKET_MS // DAY_MS

    assert whole.largest < 1.1 * third.largest
    assert whole.largest < rows * SPAN_BYTES_MAX
    assert len(decode(whole.states[HOT], POLICY).line.order) <= BUCKETS_KEPT_MAX


def _neighbours() -> list[HitHead]:
    """Two hundred devices: pages, a login, pages."""
    return [
        _head(f"n{n}", BASE_MS + at * DAY_MS + n * SECOND_MS, f"n{n}-{at}", f"n{n}" if at == 2 else "")
        for at in range(5)
        for n in range(200)
    ]


def test_the_neighbours_of_a_hot_cookie_have_the_same_answers_and_links() -> None:
    """In the very records that carry it."""
    quiet = list(_records(_neighbours(), 5))
    hot = _records(_hot(5_000, 5_000, 5), 50)
    both = [[*mine, *its] for mine, its in zip(quiet, hot, strict=True)]
    alone, beside = Run().read(quiet, BASE_MS + 6 * DAY_MS), Run().read(both, BASE_MS + 6 * DAY_MS)

    assert {event: placed for event, placed in beside.placed.items() if event.startswith("n")} == alone.placed
    assert {key: state for key, state in beside.states.items() if key != HOT} == alone.states
    assert [link for link in beside.links if link.anonymous_id != "hot"] == alone.links
    assert len(alone.links) >= 200


@pytest.mark.slow
def test_one_user_on_a_hundred_thousand_devices_costs_in_proportion() -> None:
    """Nothing is kept by user: each device has its own small state, and its own two decisions at most."""
    devices = [
        [_head(f"d{n}", BASE_MS + n, f"p{n}"), _head(f"d{n}", BASE_MS + n + SECOND_MS, f"l{n}", "everybody")]
        for n in range(100_000)
    ]
    run = Run().read(_records([head for pair in devices for head in pair], 400))

    assert run.twice < TWICE_MAX
    assert len(run.states) == 100_000
    assert run.largest < 4 * SPAN_BYTES_MAX
    assert len(run.links) <= 2 * 100_000
    assert {placed.person_id for placed in run.placed.values()} == {user_person("shop", "everybody")}


def _said(one: str, other: str, n: int) -> Alias:
    at = iso(BASE_MS + n)
    return Alias(
        workspace="shop", event_id=f"a{n}", ts=at, received_at=at, user_id=one, previous_id=other, authority="secret"
    )


def test_a_chain_of_ten_thousand_aliases_costs_in_proportion_and_harms_no_neighbour() -> None:
    """Folding it and refusing it; whoever is not in it is joined as ever."""
    aliases, seconds = Aliases("shop"), []
    pair = [_said("x", "y", 0)]
    began = time.process_time()
    for half in range(2):
        for n in range(half * 5_000, half * 5_000 + 5_000):
            aliases.fold(_said(f"u{n}", f"u{n + 1}", n))
        aliases.fold(pair[0])
        resolution = aliases.resolve()
        seconds.append(time.process_time() - began)

    assert seconds[1] < (1 + TWICE_MAX) * seconds[0]  # the second is the first again, and twice as much to resolve
    assert resolution.canonical.keys() == {"x", "y"}
    assert [10_001] == [len(members) for members in resolution.refused]
    assert USERS_PER_PERSON_MAX < 10_001
