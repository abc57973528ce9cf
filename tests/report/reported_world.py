"""A world with devices, campaigns, orders and traits, stitched, joined, parted and forgotten; it must not know reports.

`plain` is the generator's; in `joined` aliases make one person of several users; in `parted` they did, and were
withdrawn; in `forgotten` one of them was erased. All four have the same devices, users and event IDs.
"""

from collections.abc import Mapping, Sequence
from random import Random

import msgspec

from pipeline.identity.ids import user_person
from pipeline.identity.policy import Policy
from pipeline.log.port import ALIASES, Append
from pipeline.model import ALIAS_SCHEMA, Alias, Hit
from pipeline.sink.sink import Sink
from pipeline.times import iso, ms_of
from pipeline.warehouse.port import Store
from pipeline.warehouse.shard_erasure import Erasure
from tests.audit.stitched_world import stitch_into
from tests.support.fake_log import FakeLog
from tests.support.generator import END_MS, Sent, Shape, world
from tests.support.oracle import oracle, person

SHAPE = Shape(hits=900, devices=45, days=40, late_days=12, late_share=0.3, changed_share=0.03, workspaces=1)
PLAIN, JOINED, PARTED, FORGOTTEN = WORKSPACES = ("plain", "joined", "parted", "forgotten")
PAIRS = (("user1", "user2"), ("user2", "user5"), ("user7", "user9"))
HER = "user3"


class Done(msgspec.Struct, frozen=True):
    """An action as it is in the end."""

    hit: Hit
    ts: int
    person: str
    attribution: str

    @property
    def order(self) -> tuple[int, str]:
        """Its place in time."""
        return self.ts, self.hit.event_id


class Reported(msgspec.Struct):
    """`done`: what is left of each workspace. `users`: all who ever signed in on a device, by workspace and device."""

    done: Mapping[str, Sequence[Done]]
    users: Mapping[tuple[str, str], set[str]]
    arrivals: Sequence[Sent]


async def fill(warehouse: Store, workspaces: Sequence[str] = WORKSPACES, shape: Shape = SHAPE) -> Reported:
    """Everything of these workspaces through the real stitcher and the real sink."""
    arrivals = [msgspec.structs.replace(sent, workspace=w) for sent in world(23, shape).hits for w in workspaces]
    hits = [told(sent) for sent in arrivals]
    await stitch_into(warehouse, hits, Policy())
    log = FakeLog(1)
    for number, withdrawn in enumerate((False, True)):
        said = [
            _said(workspace, pair, number, withdrawn)
            for workspace in ([JOINED, PARTED, FORGOTTEN] if not withdrawn else [PARTED])
            for pair in PAIRS
            if workspace in workspaces
        ]
        await log.append([_record(said)])
        await Sink(log, warehouse).flush_once()
    if FORGOTTEN in workspaces:
        _forget(warehouse)
    return _known(arrivals, hits)


def told(sent: Sent) -> Hit:
    """The hit with all that a report may be about, always the same for an event."""
    rng, device = Random(sent.event_id), Random(sent.device)
    hit = sent.hit()
    name = rng.choices(["", "Order", "Signup", "Söké 'x'"], [70, 12, 15, 3])[0] if sent.type == "page" else ""
    return msgspec.structs.replace(
        hit,
        type="track" if name else hit.type,
        name=name,
        device_type=device.choice(["phone", "desktop", "desktop", "tablet", ""]),
        browser=device.choice(["Firefox", "Chrome", "Safari"]),
        os=device.choice(["Android", "Windows", "iOS", ""]),
        country=rng.choice(["DE", "SE", "de"]),
        language=device.choice(["de-AT", "sv"]),
        referrer=rng.choice(["", "https://google.example/"]),
        campaign_source=rng.choices(["", "google", "mail"], [80, 12, 8])[0],
        campaign_medium=rng.choices(["", "cpc"], [95, 5])[0],
        revenue=rng.randrange(1, 400) / 4 if name == "Order" else None,
        currency=rng.choice(["EUR", "SEK"]) if name == "Order" else "",
        bot=rng.random() < 0.03,
        properties={"price": rng.randrange(40), "sku": rng.choice(["boots", "hat"])} if rng.random() < 0.3 else {},
        traits={"plan": rng.choice(["pro", "free", 'Gold\\ "x"']), "n": rng.randrange(9)} if sent.user_id else {},
        traits_once={"source": rng.choice(["ad", "mail"])} if rng.random() < 0.2 else {},
    )


def _said(workspace: str, pair: tuple[str, str], number: int, withdrawn: bool) -> Alias:
    ts = iso(END_MS + number)
    return Alias(
        workspace=workspace, event_id=f"{'un' * withdrawn}said-{pair}", ts=ts, received_at=ts, user_id=pair[0],
        previous_id=pair[1], withdrawn=withdrawn, authority="secret",
    )  # fmt: skip


def _record(said: Sequence[Alias]) -> Append:
    value = b"\n".join(map(msgspec.json.encode, said))
    return Append(ALIASES, 0, value, {"schema": ALIAS_SCHEMA, "count": str(len(said))})


def _forget(warehouse: Store) -> None:
    """As the order of `forget` does it in the warehouse: logins on devices of others stay, without a name."""
    erasure = Erasure(warehouse)
    erasure.find(FORGOTTEN, HER, user_person(FORGOTTEN, HER))
    nobody = {"user_id": "erased:1", "person_id": user_person(FORGOTTEN, "erased:1"), "version": 1 << 50}
    stubs = [{**login, **nobody} for login in erasure.logins()]
    erasure.insert("action_log", stubs)
    erasure.erase()
    erasure.finish()


def _known(arrivals: Sequence[Sent], hits: Sequence[Hit]) -> Reported:
    answers = oracle((sent.head() for sent in arrivals), Policy())
    last = {(hit.workspace, hit.device, hit.event_id): hit for hit in hits}
    users: dict[tuple[str, str], set[str]] = {}
    for hit in hits:
        if hit.user_id:
            users.setdefault((hit.workspace, hit.device), set()).add(hit.user_id)
    done: dict[str, list[Done]] = {hit.workspace: [] for hit in hits}
    for key, hit in last.items():
        belongs_to, attribution = answers[key]
        row = Done(hit, ms_of(hit.ts), _joined(hit.workspace).get(belongs_to, belongs_to), attribution)
        if hit.workspace != FORGOTTEN or not _gone(row, users):
            done[hit.workspace].append(row)
    return Reported(done, users, arrivals)


def _joined(workspace: str) -> dict[str, str]:
    """Person to the smallest of those joined with them, from the pairs alone."""
    if workspace not in (JOINED, FORGOTTEN):
        return {}
    groups = ({"user1", "user2", "user5"}, {"user7", "user9"})
    found = {}
    for group in groups:
        persons = {person(workspace, f"user:{user}") for user in group}
        found |= dict.fromkeys(persons, min(persons))
    return found


def _gone(row: Done, users: Mapping[tuple[str, str], set[str]]) -> bool:
    """Hers, or on a device where nobody else ever signed in."""
    on_device = users.get((FORGOTTEN, row.hit.device), set())
    return row.person == person(FORGOTTEN, f"user:{HER}") or on_device == {HER}
