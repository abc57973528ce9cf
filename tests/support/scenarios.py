"""Named worlds of people and devices with the truth known, as native hits; it must not know who the rules say it was.

    python -m tests.support.scenarios household --seed 7 > hits.ndjson

prints every arrival, in order, as one native hit a line that `POST /v1/hits` takes as it is. Beside the fields of a
hit stands the truth, which ingest keeps as properties: `human` (who really did it), `account` (their own user ID, ""
for somebody without one), `place` (the physical device), `done_at` and `arrived_at` (epoch milliseconds by the true
clock). The same name and seed give the same bytes. A client's clock is judged by when its hit arrives: to post a world
at another time than its own, print it with `--plain`, where times are as ingest would have put them right.

Two kinds of tracker are met. One whose logins hold names the user once. One whose logins do not hold names, on every
page, whoever the site thinks is signed in: the last who signed in there, until they sign out or two hours pass.
"""

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from random import Random
from typing import Any, NamedTuple

import msgspec
import orjson

from pipeline.limits import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS
from pipeline.model import Hit
from pipeline.protocols.native import handle
from pipeline.protocols.request import Agent, Request
from pipeline.sites import Sites, parse_sites
from pipeline.times import iso
from tests.support.generator import END_MS, Shape, world

DAYS = 14
START_MS = END_MS - DAYS * DAY_MS - 12 * HOUR_MS
SESSION_MS = 2 * HOUR_MS  # a site that restates its user forgets them after so long without a page
DEFAULT_ID = "store-default"  # what one site pushes for everybody; its own list of illegal IDs names it
JUNK = ("undefined", "None", "null", "NaN", " NULL ", "0", "[object Object]", "anonymous", DEFAULT_ID, "{0000-0000}")
SITE = {
    "workspace": "shop",
    "site": "web",
    "policy": {"illegal_ids": [DEFAULT_ID]},
    "native": {"page_keys": ["page-key"]},
}


class Told(msgspec.Struct, frozen=True):
    """One arrival of one native hit, and the truth about it."""

    human: str
    account: str
    place: str
    done_at: int
    arrived_at: int
    item: dict[str, Any]

    def line(self) -> bytes:
        """The hit with its truth, as one line of JSON."""
        truth = {name: getattr(self, name) for name in ("human", "account", "place", "done_at", "arrived_at")}
        return orjson.dumps(self.item | truth)


class Human(NamedTuple):
    """Somebody, and the user ID they sign in with."""

    name: str
    account: str


class Device(msgspec.Struct):
    """A browser. `clock_ms`: how far ahead its clock is. `waits_ms`: how long a hit of an instant waits to be sent."""

    place: str
    anonymous_id: str
    holds: bool
    clock_ms: int = 0
    tells_sent_at: bool = True
    waits_ms: Callable[[int], int] = lambda _: 0
    nobody: str = ""  # what the site sends as the user ID of somebody who is not signed in
    signed_in: str = ""
    seen_ms: int = 0


class _Pen:
    """Writes down visits. Those of one device must come in time order."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.told: list[Told] = []

    def device(self, place: str, **more: Any) -> Device:
        """A new one, with a tracker of either kind."""
        anonymous_id = more.pop("anonymous_id", f"{self.rng.getrandbits(64):016x}")
        return Device(place, anonymous_id, more.pop("holds", self.rng.random() < 0.5), **more)

    def visits(self, device: Device, people: list[Human], number: int, signs_in: float, signs_out: float) -> None:
        """So many visits by any of these people, never two at once."""
        for slot in sorted(self.rng.sample(range(DAYS * 14), number)):
            start_ms = START_MS + slot // 14 * DAY_MS + slot % 14 * HOUR_MS + self.rng.randrange(15 * MINUTE_MS)
            self.visit(device, self.rng.choice(people), start_ms, signs_in, signs_out)

    def visit(self, device: Device, human: Human, start_ms: int, signs_in: float, signs_out: float) -> None:
        """A few pages, perhaps a sign-in at one of them, perhaps a sign-out at the end."""
        if not device.holds and start_ms - device.seen_ms > SESSION_MS:
            device.signed_in = ""
        pages, t_ms = self.rng.randint(2, 8), start_ms
        login_at = self.rng.randrange(pages) if human.account and self.rng.random() < signs_in else pages
        for page in range(pages):
            if page == login_at:
                device.signed_in = human.account
                self.hit(device, human, t_ms, "identify", human.account)
                t_ms += self.rng.randrange(SECOND_MS, 5 * SECOND_MS)
            self.hit(device, human, t_ms, "page", "" if device.holds else device.signed_in or device.nobody)
            t_ms += self.rng.randrange(5 * SECOND_MS, 4 * MINUTE_MS)
        if device.signed_in and device.signed_in == human.account and self.rng.random() < signs_out:
            device.signed_in = ""
            self.hit(device, human, t_ms, "logout", "")
        device.seen_ms = t_ms

    def hit(self, device: Device, human: Human, t_ms: int, kind: str, user_id: str) -> None:
        """One hit, and for one in twenty its repetition within an hour."""
        item: dict[str, Any] = {
            "type": kind,
            "event_id": f"{self.rng.getrandbits(48):012x}-{len(self.told)}",
            "ts": t_ms + device.clock_ms,
            "anonymous_id": device.anonymous_id,
        }
        if kind == "page":
            item["url"] = f"https://shop.example/{self.rng.choice(('boots', 'basket', 'sale', 'help'))}"
        if user_id:
            item |= {"user_id": user_id, "holds": device.holds}
        sent_ms = t_ms + device.waits_ms(t_ms) + self.rng.randrange(200)
        for again_ms in (0, self.rng.randrange(HOUR_MS)) if self.rng.random() < 0.05 else (0,):
            clock = {"sent_at": sent_ms + again_ms + device.clock_ms} if device.tells_sent_at else {}
            arrived_ms = sent_ms + again_ms + self.rng.randrange(50, 800)
            self.told.append(Told(*human, device.place, t_ms, arrived_ms, item | clock))


def household(pen: _Pen) -> None:
    """Twelve homes: a tablet that three share, and a phone for each; few sign out."""
    for home in range(12):
        people = [Human(f"home{home}-{name}", f"{name}{home}@home") for name in ("ada", "ben", "cleo")]
        pen.visits(pen.device(f"home{home}-tablet"), people, 40, 0.4, 0.3)
        for human in people:
            pen.visits(pen.device(f"{human.name}-phone"), [human], 12, 0.3, 0.1)


def kiosk(pen: _Pen) -> None:
    """Three kiosks in a shop: eighty customers with phones of their own, as many without an account, most sign out."""
    customers = [Human(f"customer{n}", f"c{n}@mail") for n in range(80)]
    strangers = [Human(f"stranger{n}", "") for n in range(80)]
    for number in range(3):
        pen.visits(pen.device(f"kiosk{number}", holds=number == 0), [*customers, *strangers], 150, 0.6, 0.8)
    for human in customers:
        pen.visits(pen.device(f"{human.name}-phone"), [human], 4, 0.5, 0.1)


def shared_login(pen: _Pen) -> None:
    """Ten couples, each with one account for two: two phones and a laptop."""
    for number in range(10):
        pair = [Human(f"pair{number}-{name}", f"pair{number}@mail") for name in ("gus", "hal")]
        pen.visits(pen.device(f"pair{number}-laptop"), pair, 30, 0.4, 0.3)
        for human in pair:
            pen.visits(pen.device(f"{human.name}-phone"), [human], 15, 0.4, 0.1)


def late_phone(pen: _Pen) -> None:
    """Thirty people with a laptop and a phone that is online once in six days; every third is lent to a friend."""
    people = [Human(f"walker{n}", f"w{n}@mail") for n in range(30)]
    for number, human in enumerate(people):
        pen.visits(pen.device(f"{human.name}-laptop"), [human], 12, 0.4, 0.1)
        online_ms = pen.rng.randrange(6 * DAY_MS)
        phone = pen.device(f"{human.name}-phone", waits_ms=lambda t_ms, at=online_ms: (at - t_ms) % (6 * DAY_MS))
        users = [human] * 4 + [people[number - 1]] * (number % 3 == 0)
        pen.visits(phone, users, 20, 0.3, 0.2)


def junk_ids(pen: _Pen) -> None:
    """Sixty people on a site that sends `undefined`, `None` or its own default for whoever is not signed in; for every
    tenth device even the device's ID is such a word."""
    for number in range(60):
        human = Human(f"visitor{number}", f"v{number}@mail")
        more = {"anonymous_id": pen.rng.choice(JUNK)} if number % 10 == 0 else {}
        device = pen.device(f"{human.name}-laptop", holds=False, nobody=pen.rng.choice(JUNK), **more)
        pen.visits(device, [human], 20, 0.3, 0.3)


def clock_skew(pen: _Pen) -> None:
    """Forty devices, every third shared by two, whose clocks are minutes to days off; one in three never says when it
    sent something, so that nobody can tell."""
    for number in range(40):
        people = [
            Human(f"owner{number}-{name}", f"{name}{number}@mail") for name in ("ivy", "jon")[: 1 + (number % 3 == 0)]
        ]
        off_ms = pen.rng.choice((-1, 1)) * pen.rng.choice((3 * MINUTE_MS, HOUR_MS, 7 * HOUR_MS, 3 * DAY_MS))
        device = pen.device(f"desk{number}", clock_ms=off_ms, tells_sent_at=pen.rng.random() < 0.67)
        pen.visits(device, people, 25, 0.4, 0.3)


def mixed(pen: _Pen) -> None:
    """The generator's own: kiosks, households, bursts past every bound, ties, late hits, clocks ahead, all at once."""
    made = world(pen.rng.getrandbits(32), Shape(hits=6_000, devices=200, days=DAYS, late_days=6, workspaces=1))
    pen.told += [
        Told(sent.human, sent.human, sent.anonymous_id, sent.ts_ms, sent.received_ms, sent.native())
        for sent in made.hits
    ]


SCENARIOS: dict[str, Callable[[_Pen], None]] = {
    made.__name__: made for made in (household, kiosk, shared_login, late_phone, junk_ids, clock_skew, mixed)
}


def scenario(name: str, seed: int) -> list[Told]:
    """Every arrival of this world, in order."""
    pen = _Pen(Random(f"{name}/{seed}"))
    SCENARIOS[name](pen)
    return sorted(pen.told, key=lambda told: told.arrived_at)


def hits(arrivals: Iterable[Told]) -> list[Hit]:
    """As ingest writes them to the log: IDs that are none left out, clocks put right where the client lets us."""
    sites = parse_sites({"sites": [SITE]})
    return [_hit(told, sites) for told in arrivals]


def plain(arrivals: Sequence[Told]) -> list[Told]:
    """The same hits, to be posted at any time: without `sent_at`, and with the time that ingest made of it."""
    return [
        msgspec.structs.replace(told, item={k: v for k, v in told.item.items() if k != "sent_at"} | {"ts": hit.ts})
        for told, hit in zip(arrivals, hits(arrivals), strict=True)
    ]


def _hit(told: Told, sites: Sites) -> Hit:
    request = Request(
        method="POST",
        path="/v1/hits",
        query=b"",
        headers={b"authorization": b"Bearer page-key"},
        body=told.line(),
        ip="203.0.113.7",
        now_ms=told.arrived_at,
        received_at=iso(told.arrived_at),
        new_id=lambda: "never asked for",
        agent_of=lambda _: Agent(),
    )
    (hit,) = handle(request, sites).hits
    return hit


def main() -> None:
    """Print one scenario."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.scenarios", description=__doc__.split("\n")[0])
    parser.add_argument("name", choices=SCENARIOS)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--plain", action="store_true", help="to be posted at another time than the world's own")
    asked = parser.parse_args()
    arrivals = scenario(asked.name, asked.seed)
    for told in plain(arrivals) if asked.plain else arrivals:
        sys.stdout.buffer.write(told.line() + b"\n")


if __name__ == "__main__":
    main()
