"""One record of hits in; persons, links and changed devices out. It must not know the log, the table or the clock."""

from collections.abc import Iterable, MutableMapping, Sequence

from msgspec import Struct

from pipeline.identity.device import Device
from pipeline.identity.diff import changed
from pipeline.identity.ids import NAMELESS, device_person, hit_person, user_person
from pipeline.identity.policy import Policy
from pipeline.identity.rules import NOBODY, Rules, Segment
from pipeline.identity.timeline import Timeline
from pipeline.model import Attribution, HitHead, Link
from pipeline.times import iso, ms_of


class Stamp(Struct, frozen=True):
    """What the log says of a record: its version (epoch and offset), and when it took the record."""

    version: int
    log_ms: int


Key = tuple[str, str]  # (workspace, anonymous ID)
Row = tuple[HitHead, Key, int]  # with its time
Devices = MutableMapping[Key, Device]


class Placed(Struct, frozen=True, gc=False):
    """Who one hit belongs to."""

    person_id: str
    attribution: Attribution
    late: bool = False
    hidden: bool = False  # what somebody forgotten did: it may come again, and is not kept again


class Stitched(Struct):
    """What one record means. `placed`: one a hit, in order. `dirty`: the devices whose state changed."""

    placed: list[Placed]
    links: list[Link]
    dirty: set[Key]


class _Work(Struct):
    """One device within one record: the timeline before it, the buckets it changes, and the hits that change them."""

    before: Timeline
    touched: set[int]
    facts: list[tuple[int, HitHead]]


def stitch(
    heads: Sequence[HitHead], devices: Devices, policy: Policy, stamp: Stamp, times: Sequence[int] | None = None
) -> Stitched:
    """Fold one record into `devices` (changed in place) and say what it means.

    The record is the unit, because its borders are the only ones that a replay repeats:
    1. fold all its facts; 2. attribute its rows with the state after it; 3. link the stretches that answer differently.
    `devices` holds every known device of the record; new ones are added. `times`: of the heads, where they are known.
    """
    times = [ms_of(head.ts) for head in heads] if times is None else times
    rows = [(head, (head.workspace, head.anonymous_id), t_ms) for head, t_ms in zip(heads, times, strict=True)]
    works, dirty = _fold(rows, devices, policy, stamp)
    links = [link for key in sorted(works) for link in _links(key, works[key], devices[key], stamp)]
    return Stitched(_place(rows, devices), links, dirty)


def _fold(rows: Sequence[Row], devices: Devices, policy: Policy, stamp: Stamp) -> tuple[dict[Key, _Work], set[Key]]:
    """Step 1. Facts before quiet hits: a device gets its state from its first fact, wherever in the record that is."""
    works: dict[Key, _Work] = {}
    dirty: set[Key] = set()
    for head, key, t_ms in rows:
        if (head.user_id or head.logout) and head.anonymous_id:
            device = devices.get(key) or devices.setdefault(key, Device(policy))
            if _fold_fact(device, head, t_ms, key, works):
                dirty.add(key)
                device.first_ms = device.first_ms or stamp.log_ms
                device.newest_ms = max(device.newest_ms, min(t_ms, stamp.log_ms))
    for head, key, t_ms in rows:
        known = devices.get(key)
        if known is not None and not head.user_id and known.quiet.add(t_ms):
            dirty.add(key)
    for key in dirty:
        devices[key].included = max(devices[key].included, stamp.version)
    return works, dirty


def _fold_fact(device: Device, head: HitHead, t_ms: int, key: Key, works: dict[Key, _Work]) -> bool:
    """Fold a login, a logout, or both; False when the timeline knew already. A login with a logout does not hold."""
    line = device.line
    holds = head.holds and not head.logout
    login = bool(head.user_id) and not line.covers_login(t_ms, head.user_id, holds)
    logout = head.logout and not line.covers_logout(t_ms)
    if not (login or logout):
        return False
    work = works.get(key) or works.setdefault(key, _Work(line.copy(), set(), []))
    work.touched.add(line.bucket_of(t_ms))
    work.facts.append((t_ms, head))
    if login:
        line.add_login(t_ms, head.user_id, holds)
    if logout:
        line.add_logout(t_ms)
    return True


def _links(key: Key, work: _Work, device: Device, stamp: Stamp) -> Iterable[Link]:
    """Step 3, but for links that can cover no row."""
    for segment in changed(work.before, device.line, work.touched, device.rows_until_ms, device.needs_link):
        yield _link(key, segment, work, device.late(segment.start_ms), stamp)


def _link(key: Key, segment: Segment, work: _Work, late: bool, stamp: Stamp) -> Link:
    workspace, anonymous_id = key
    user = segment.answer.user
    return Link(
        workspace=workspace,
        device=f"d:{anonymous_id}",
        anonymous_id=anonymous_id,
        start=iso(segment.start_ms),
        end=iso(segment.end_ms),
        person_id=user_person(workspace, user) if user else device_person(workspace, anonymous_id),
        user_id=user,
        attribution=segment.answer.attribution,
        version=stamp.version,
        event_id=_trigger(segment, work).event_id,
        decided_at=iso(stamp.log_ms),
        late=late,
    )


def _trigger(segment: Segment, work: _Work) -> HitHead:
    """The hit to name as the cause: of those that name the segment's user, else of all, the one nearest to it."""

    def distance(fact: tuple[int, HitHead]) -> tuple[bool, int, int]:
        t_ms, head = fact
        away_ms = max(segment.start_ms - t_ms, t_ms - segment.end_ms, 0)
        return head.user_id != segment.answer.user, away_ms, t_ms

    return min(work.facts, key=distance)[1]


def _place(rows: Sequence[Row], devices: Devices) -> list[Placed]:
    """Step 2. Hits that share an answer share the `Placed`: a visitor's pages stand together in a record."""
    nameless: dict[Key, Placed] = {}  # of devices that nobody ever signed in on
    readers: dict[Key, Rules] = {}
    places = _Places()
    placed = []
    for head, key, t_ms in rows:
        if head.user_id:
            place = places.user(key[0], head.user_id, "identified")
        elif not key[1]:
            place = Placed(hit_person(key[0], head.event_id), "anonymous")
        elif (known := nameless.get(key)) is not None:
            place = known
        elif (device := devices.get(key)) is None:
            place = nameless[key] = places.device(key)
        else:
            rules = readers.get(key) or readers.setdefault(key, Rules(device.line))
            user, attribution = rules.who(t_ms)
            late = device.late(t_ms)
            place = places.user(key[0], user, attribution, late) if user else places.device(key, late)
        placed.append(place)
    return placed


class _Places:
    """Each answer of a record once."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, Attribution, bool], Placed] = {}

    def user(self, workspace: str, user: str, attribution: Attribution, late: bool = False) -> Placed:
        """A hit of a user."""
        answer = (workspace, user, attribution, late)
        place = self._known.get(answer)
        if place is None:
            hidden = attribution != "identified" and user.startswith(NAMELESS)
            place = self._known[answer] = Placed(user_person(workspace, user), attribution, late, hidden)
        return place

    def device(self, key: Key, late: bool = False) -> Placed:
        """A hit of nobody's on a device."""
        answer: tuple[str, str, Attribution, bool] = (*key, "anonymous", late)  # no user's hit is anonymous
        place = self._known.get(answer)
        if place is None:
            place = self._known[answer] = Placed(device_person(*key), "anonymous", late)
        return place


__all__ = ["NOBODY", "Devices", "Key", "Placed", "Stamp", "Stitched", "stitch"]
