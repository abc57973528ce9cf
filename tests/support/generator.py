"""Seeded worlds of people and devices with the truth known; it must not know how a person is worked out from hits.

`world(seed, Shape(...))` gives the same hits for the same arguments, in the order in which they arrive. A world holds
what breaks identity in practice: people with several devices, households on one tablet, kiosks, bursts past every
bound of a bucket, logins that hold and logins that do not, logouts with and without a user, ties in one millisecond,
repeated and late arrivals, clocks up to an hour ahead, several workspaces with the same IDs, hits without a device.

Each `Sent` is one arrival. It knows the human who made it, and turns itself into a `HitHead`, a `Hit`, a line of a
`hits` record, or an item of the native API; `tests.support.oracle` says who it belongs to by the rules:

    made = world(7, Shape(hits=50_000, devices=2_000, days=80, late_days=25))    # 3 s
    expected = oracle((sent.head() for sent in made.hits), Policy())             # 3 s
"""

from collections.abc import Callable, Iterator
from random import Random
from typing import Any, NamedTuple

import msgspec

from pipeline.identity.ids import device_of
from pipeline.limits import BUCKET_MS, DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS
from pipeline.model import Hit, HitHead
from pipeline.times import day, iso

END_MS = 1_760_000_400_000  # 2025-10-09T09:00:00Z: when the last hit of a world is made, unless the shape says


class Shape(NamedTuple):
    """How large a world is and how rough. Shares are of all events; `days` is how far back its first hit lies."""

    hits: int = 1_000  # events; repeated arrivals come on top
    devices: int = 40
    days: float = 10.0
    late_days: float = 3.0  # the longest delay between a hit and its arrival
    late_share: float = 0.15
    duplicate_share: float = 0.1  # repeated without a change, up to `late_days` later
    changed_share: float = 0.0  # arrive once more with another time within the day: the newest arrival counts
    tie_share: float = 0.05  # share the millisecond of the hit before
    workspaces: int = 3
    end_ms: int = END_MS


class Sent(msgspec.Struct, frozen=True, gc=False):
    """One arrival of one hit. IDs are legal or empty; times are epoch milliseconds."""

    workspace: str
    event_id: str
    ts_ms: int
    received_ms: int
    anonymous_id: str = ""
    user_id: str = ""
    holds: bool = False
    logout: bool = False
    type: str = "page"
    url: str = ""
    human: str = ""

    @property
    def device(self) -> str:
        """What chooses the partition."""
        return device_of(self.anonymous_id, self.user_id, self.event_id)

    @property
    def key(self) -> tuple[str, str, str]:
        """The row: (workspace, device, event ID)."""
        return self.workspace, self.device, self.event_id

    def head(self) -> HitHead:
        """What identity reads of it."""
        return HitHead(
            workspace=self.workspace,
            event_id=self.event_id,
            ts=iso(self.ts_ms),
            device=self.device,
            anonymous_id=self.anonymous_id,
            user_id=self.user_id,
            holds=self.holds,
            logout=self.logout,
        )

    def hit(self) -> Hit:
        """As ingest writes it."""
        return Hit(
            workspace=self.workspace,
            site_id=f"{self.workspace}-site",
            event_id=self.event_id,
            ts=iso(self.ts_ms),
            received_at=iso(self.received_ms),
            device=self.device,
            day=day(self.ts_ms),
            type=self.type,
            anonymous_id=self.anonymous_id,
            user_id=self.user_id,
            holds=self.holds,
            logout=self.logout,
            url=self.url,
        )

    def line(self) -> bytes:
        """One line of a `hits` record."""
        return _encode(self.hit())

    def native(self) -> dict[str, Any]:
        """One item of a `POST /v1/hits` body. The workspace follows from the key it is sent with."""
        item: dict[str, Any] = {"type": self.type, "event_id": self.event_id, "ts": self.ts_ms, "url": self.url}
        if self.anonymous_id:
            item["anonymous_id"] = self.anonymous_id
        if self.user_id:
            item |= {"user_id": self.user_id, "holds": self.holds}
        return item


_encode = msgspec.json.Encoder().encode


class World(NamedTuple):
    """`hits`: every arrival, in order. `humans`: who really made each event, by row key."""

    hits: list[Sent]
    humans: dict[tuple[str, str, str], str]


class _Device(NamedTuple):
    """Who uses a device and how its tracker behaves. `anonymous_id` "": the tracker keeps none."""

    workspace: str
    anonymous_id: str
    people: tuple[str, ...]
    holds: bool
    signs_in: float  # chance that a session has a login
    weight: float  # how busy, beside the others


def world(seed: int, shape: Shape | None = None) -> World:
    """Make the world: events device by device, then arrivals with repeats and delays, then the order of arrival."""
    shape = shape or Shape()
    rng = Random(seed)
    events = _events(rng, shape)
    arrivals = [arrival for event in events for arrival in _arrivals(rng, shape, event)]
    arrivals.sort(key=lambda sent: sent.received_ms)
    return World(arrivals, {sent.key: sent.human for sent in arrivals})


def _events(rng: Random, shape: Shape) -> list[Sent]:
    """Exactly `shape.hits` events: bursts first, as they need their numbers, then sessions until the world is full."""
    devices = _devices(rng, shape)
    weights = [device.weight for device in devices]
    events: list[Sent] = []
    for burst in (_crowd_burst, _logout_burst):
        for _ in range(1 + shape.hits // 20_000 if shape.hits >= 600 else 0):
            events += burst(rng, rng.choice(devices), _moment(rng, shape))
    while len(events) < shape.hits:
        device = rng.choices(devices, weights)[0]
        events += _session(rng, shape, device, _moment(rng, shape))
    named = (event_id(rng, number) for number in range(shape.hits))
    return [msgspec.structs.replace(event, event_id=name) for event, name in zip(events, named, strict=False)]


def event_id(rng: Random, number: int) -> str:
    """Unique in the world; random in front, so that no order can be read from it."""
    return f"{rng.getrandbits(48):012x}-{number}"


def _moment(rng: Random, shape: Shape) -> int:
    return shape.end_ms - int(rng.random() * shape.days * DAY_MS)


def _devices(rng: Random, shape: Shape) -> list[_Device]:
    """70 % personal, 17 % shared at home, 5 % never signed in, 5 % without an ID, 3 % kiosks (at least one)."""
    devices = []
    for number in range(shape.devices):
        workspace = f"shop{rng.randrange(shape.workspaces)}"
        people = [f"user{rng.randrange(max(2, shape.devices * 2 // 3))}" for _ in range(40)]
        kind = rng.random() if number else 0.99
        device = _Device(workspace, f"device{number}", (people[0],), rng.random() < 0.5, 0.4, 1.0)
        if 0.70 <= kind < 0.87:
            device = device._replace(people=tuple(people[: rng.randint(2, 4)]))
        elif 0.87 <= kind < 0.92:
            device = device._replace(signs_in=0.0)
        elif 0.92 <= kind < 0.97:
            device = device._replace(anonymous_id="")
        elif kind >= 0.97:
            device = device._replace(people=tuple(people[: rng.randint(6, 40)]), signs_in=0.8, weight=4.0)
        devices.append(device)
    return devices


def _session(rng: Random, shape: Shape, device: _Device, start_ms: int) -> Iterator[Sent]:
    """One person's visit: pages, perhaps a login somewhere, perhaps a logout at the end."""
    human = rng.choice(device.people)
    pages = rng.randint(1, 9)
    login_at = rng.randrange(pages) if rng.random() < device.signs_in else pages
    leaves = login_at < pages and rng.random() < 0.4
    t_ms = start_ms
    for page in range(pages + leaves):
        if rng.random() >= shape.tie_share:
            t_ms += int(rng.expovariate(1 / (90 * SECOND_MS))) + (rng.random() < 0.03) * BUCKET_MS
        logout = page == pages
        says_user = page == login_at or (page > login_at and not device.holds and not logout)
        says_user |= logout and rng.random() < 0.3
        kind = "logout" if logout else "identify" if page == login_at else "page"
        yield _sent(device, t_ms, human, human if says_user else "", kind)


def _sent(device: _Device, t_ms: int, human: str, user_id: str, kind: str) -> Sent:
    return Sent(
        workspace=device.workspace,
        event_id="",
        ts_ms=t_ms,
        received_ms=t_ms,
        anonymous_id=device.anonymous_id,
        user_id=user_id,
        holds=device.holds and bool(user_id),
        logout=kind == "logout",
        type=kind,
        url=f"https://{device.workspace}.example/{kind}/{t_ms % 97}",
        human=human,
    )


def _crowd_burst(rng: Random, device: _Device, around_ms: int) -> Iterator[Sent]:
    """More users inside one bucket than can be told apart, and pages before, among and after them."""
    yield from _burst(rng, device, around_ms, 40, lambda n: (f"crowd{n}", "identify"))


def _logout_burst(rng: Random, device: _Device, around_ms: int) -> Iterator[Sent]:
    """More logouts inside one bucket than are kept, around one login."""
    yield from _burst(rng, device, around_ms, 70, lambda n: ("", "logout") if n else (device.people[0], "identify"))


def _burst(
    rng: Random, device: _Device, around_ms: int, size: int, nth: Callable[[int], tuple[str, str]]
) -> Iterator[Sent]:
    start_ms = around_ms // BUCKET_MS * BUCKET_MS
    for number in range(size):
        user_id, kind = nth(number)
        yield _sent(device, start_ms + rng.randrange(BUCKET_MS), user_id, user_id, kind)
    for _ in range(10):
        yield _sent(device, start_ms + rng.randint(-2, 3) * BUCKET_MS // 2, "", "", "page")


def _arrivals(rng: Random, shape: Shape, event: Sent) -> Iterator[Sent]:
    """Once, and sometimes again; 1 % of clocks run up to an hour ahead."""
    first_ms = event.ts_ms + _delay(rng, shape)
    if rng.random() < 0.01:
        first_ms = event.ts_ms - rng.randrange(HOUR_MS)
    yield msgspec.structs.replace(event, received_ms=first_ms)
    if rng.random() < shape.duplicate_share:
        yield msgspec.structs.replace(event, received_ms=_again(rng, shape, event, first_ms))
    if rng.random() < shape.changed_share:
        day_start = event.ts_ms // DAY_MS * DAY_MS
        other_ms = min(max(event.ts_ms + rng.randint(-20, 20) * MINUTE_MS, day_start), day_start + DAY_MS - 1)
        changed = msgspec.structs.replace(event, ts_ms=other_ms, url=event.url + "?again")
        yield msgspec.structs.replace(changed, received_ms=_again(rng, shape, changed, first_ms))


def _delay(rng: Random, shape: Shape) -> int:
    if rng.random() < shape.late_share:
        return int(rng.random() * shape.late_days * DAY_MS)
    return rng.randrange(5 * SECOND_MS)


def _again(rng: Random, shape: Shape, event: Sent, first_ms: int) -> int:
    """A later arrival of the same event, still no later than the world allows."""
    latest_ms = event.ts_ms + int(shape.late_days * DAY_MS)
    return first_ms + int(rng.random() * max(latest_ms - first_ms, SECOND_MS))
