"""Who did what on the recorded day, drawn from one seed; it must not know how a tracker says it.

Sixty people: most browse before they sign in, on one device and later on another. Some never sign in, some sign out
and read on, some come back the next morning. A family shares a tablet, nine people use one kiosk, and an app that was
offline tells in the evening that somebody signed in at noon.
"""

import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pipeline.demo.pages import Account
from pipeline.limits import HOUR_MS, MINUTE_MS, SECOND_MS
from pipeline.times import ms_of
from tests.clients.steps import Step, Visitor

SEED = 20260303
MORNING_MS = ms_of("2026-03-03T07:30:00Z")
NEXT_MORNING_MS = MORNING_MS + 22 * HOUR_MS
_ITEMS = {"flask": "Steel flask", "rucksack": "Day rucksack", "boots": "Ridge boots", "jacket": "Rain jacket"} | {
    "beanie": "Merino beanie",
    "lantern": "Folding lantern",
    "map": "Waterproof map",
    "mug": "Enamel mug",
}
_ARTICLES = ("Three huts, two passes", "How to lace a boot", "Rain is weather, too", "Mending a rucksack", "Springs")
_BLINK, _WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)", "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0"
_LAPTOPS = (
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_BLINK} Chrome/145.0.0.0 Safari/537.36",
    f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {_WEBKIT} Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:147.0) Gecko/20100101 Firefox/147.0",
)
_PHONES = (
    f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) {_WEBKIT} Mobile/15E148 Safari/604.1",
    f"Mozilla/5.0 (Linux; Android 16; Pixel 9) {_BLINK} Chrome/145.0.0.0 Mobile Safari/537.36",
)
_TABLET = f"Mozilla/5.0 (iPad; CPU OS 18_0 like Mac OS X) {_WEBKIT} Safari/604.1"
_FIRST = ("Mila", "Jonas", "Aiko", "Tomas", "Leyla", "Bram", "Ines", "Kofi", "Runa", "Samir", "Vera", "Oskar")
_LAST = ("Hartvig", "Okoro", "Lindell", "Marek", "Sato", "Quint", "Abelard", "Novik", "Ferro", "Ahn", "Dury", "Wells")


class Visit(NamedTuple):
    """Steps on one device with one client. `sent_ms`: when an app that was offline sent them, else None."""

    client: str  # shop, form, app, journal, digest, hook or hook_post
    visitor: Visitor
    steps: Sequence[Step]
    sent_ms: int | None = None


def customers() -> tuple[Account, ...]:
    """Everybody who has an account: u-1001 to u-1060. u-1007 can be signed in as at the demo shop, too."""
    names = [f"{first} {last}" for last in _LAST for first in _FIRST]
    random.Random(SEED).shuffle(names)
    people = [Account(f"u-{1001 + at}", names[at], "") for at in range(60)]
    return tuple(one._replace(name="Ada Moreau") if one.user_id == "u-1007" else one for one in people)


class _Walk:
    """A visit in the making: a clock that moves by seconds, and who is signed in."""

    def __init__(self, chance: random.Random, start_ms: int, user_id: str = "") -> None:
        self._chance = chance
        self._now_ms = start_ms
        self._user_id = user_id
        self.steps: list[Step] = []

    def _add(self, kind: str, path: str, title: str) -> None:
        self.steps.append(Step(self._now_ms, kind, path, title, self._user_id))
        self._now_ms += self._chance.randint(4, 75) * SECOND_MS

    def browse(self, items: int, basket: bool = False) -> "_Walk":
        """The shop's front page, then items, and back in between."""
        for sku in self._chance.sample(sorted(_ITEMS), items):
            self._add("page", "/", "Shop")
            self._add("page", f"/items/{sku}", _ITEMS[sku])
        if basket:
            self._add("add", f"/items/{sku}", _ITEMS[sku])
        return self

    def read(self, articles: int) -> "_Walk":
        """The shop's journal."""
        for title in self._chance.sample(_ARTICLES, articles):
            self._add("page", f"/journal/{title.lower().replace(' ', '-').replace(',', '')}", title)
        return self

    def sign_in(self, account: Account, at_home: bool = False) -> "_Walk":
        """On the account page. `at_home`: by the shop's own form, where the page is a step, too."""
        if at_home:
            self._add("page", "/account", "Account")
        self._user_id = account.user_id
        self._add("sign_in", "/account", account.name if at_home else "Signed in")
        return self

    def sign_out(self, at_home: bool = False) -> "_Walk":
        """The user is not named from here on."""
        if at_home:
            self._add("page", "/account", "Account")
        self._user_id = ""
        self._add("sign_out", "/account", "Account")
        return self

    def order(self) -> "_Walk":
        """What is in the basket."""
        self._add("page", "/basket", "Basket")
        self._add("order", "/basket", "Basket")
        return self


class _Teller:
    """Draws the day. Each part takes its people from the front of the list."""

    def __init__(self) -> None:
        self._chance = random.Random(SEED)
        self._people = list(customers())
        ada = next(one for one in self._people if one.user_id == "u-1007")
        self._people.remove(ada)
        self._people.insert(0, ada)

    def tell(self) -> Iterator[Visit]:
        """Every visit, not yet in order."""
        yield from self._shoppers(self._take(18))
        yield from self._back_next_morning(self._take(3))
        yield from self._read_on_signed_out(self._take(3))
        yield from self._strangers(6)
        yield from self._journal_readers(self._take(8))
        yield from self._app_users(self._take(6))
        yield from self._landing_pages(self._take(8))
        yield from self._late_news(self._take(2))
        yield from self._family_tablet(self._take(2))
        yield from self._kiosk(self._take(4) + list(customers())[10:15])

    def _take(self, count: int) -> list[Account]:
        taken, self._people = self._people[:count], self._people[count:]
        return taken

    def _walk(self, from_h: float, to_h: float, user_id: str = "") -> _Walk:
        """A visit that begins between two hours of the recorded day."""
        start_s = self._chance.randint(int(from_h * 3_600), int(to_h * 3_600))
        return _Walk(self._chance, MORNING_MS + start_s * SECOND_MS, user_id)

    def _laptop(self) -> Visitor:
        return Visitor(f"{self._chance.getrandbits(64):016x}", self._chance.choice(_LAPTOPS), self._language())

    def _phone(self) -> Visitor:
        return Visitor(f"{self._chance.getrandbits(64):016x}", self._chance.choice(_PHONES), self._language())

    def _language(self) -> str:
        return self._chance.choice(("en-GB", "en-GB", "de-DE", "fr-FR", "nl-NL"))

    def _shoppers(self, people: Sequence[Account]) -> Iterator[Visit]:
        """Anonymous on a laptop until they sign in; in the evening the same on a phone."""
        for at, one in enumerate(people):
            day = self._walk(0, 8).browse(self._chance.randint(3, 5), basket=at % 2 == 0).sign_in(one, at_home=True)
            yield Visit("shop", self._laptop(), (day.order() if at % 2 == 0 else day.browse(1)).steps)
            evening = self._walk(9, 14).browse(self._chance.randint(2, 4)).sign_in(one, at_home=True).browse(1)
            yield Visit("shop", self._phone(), evening.steps)

    def _back_next_morning(self, people: Sequence[Account]) -> Iterator[Visit]:
        """Signed in and left; the next morning the shop still knows them."""
        for one in people:
            laptop = self._laptop()
            yield Visit("shop", laptop, self._walk(5, 12).browse(2).sign_in(one, at_home=True).browse(1).steps)
            yield Visit("shop", laptop, self._walk(21.4, 22.2, one.user_id).browse(3).steps)

    def _read_on_signed_out(self, people: Sequence[Account]) -> Iterator[Visit]:
        for one in people:
            day = self._walk(2, 12).browse(2).sign_in(one, at_home=True).browse(1).sign_out(at_home=True).browse(2)
            yield Visit("shop", self._laptop(), day.steps)

    def _strangers(self, count: int) -> Iterator[Visit]:
        for at in range(count):
            device = self._phone() if at % 2 else self._laptop()
            yield Visit("shop", device, self._walk(0, 21).browse(self._chance.randint(2, 4)).steps)

    def _journal_readers(self, people: Sequence[Account]) -> Iterator[Visit]:
        """A journal rendered on a server that tells Matomo; half of its readers are members."""
        for at, one in enumerate(people):
            laptop = self._laptop()
            yield Visit("journal", laptop, self._walk(0, 5).read(4).steps)
            member = self._walk(6, 10).read(2)
            yield Visit("journal", laptop, (member.sign_in(one).read(3).sign_out().read(1) if at % 2 else member).steps)
            if at % 2:
                yield Visit("digest", self._phone(), self._walk(11, 15).read(2).sign_in(one).read(2).steps)

    def _app_users(self, people: Sequence[Account]) -> Iterator[Visit]:
        """An app that sends in bulk, and an account site whose server sends form posts."""
        for one in people:
            yield Visit("form", self._laptop(), self._walk(1, 7).browse(2).sign_in(one).browse(2).order().steps)
            yield Visit("app", self._phone(), self._walk(8, 18).browse(2, basket=True).sign_in(one).browse(2).steps)

    def _landing_pages(self, people: Sequence[Account]) -> Iterator[Visit]:
        """Pages of a campaign with MetricsWave's webhook; five of eight visitors sign in later."""
        for at, one in enumerate(people):
            walk = self._walk(3, 11).read(2).browse(1, basket=True)
            laptop = self._laptop()
            yield Visit("hook", laptop, (walk.sign_in(one).read(1) if at < 5 else walk).steps)
            if at < 3:
                yield Visit("hook_post", self._phone(), self._walk(12, 16).read(1).sign_in(one).browse(1).steps)

    def _late_news(self, people: Sequence[Account]) -> Iterator[Visit]:
        """Signed in at noon in an app that was offline: in the evening it tells, and repairs what had been nobody's."""
        for one in people:
            phone = self._phone()
            yield Visit("form", phone, self._walk(1, 2).browse(3).steps)
            offline = self._walk(4, 5).sign_in(one).read(2)
            yield Visit("app", phone, offline.steps, sent_ms=MORNING_MS + 13 * HOUR_MS)
            yield Visit("form", phone, self._walk(7, 8).browse(1).steps)

    def _family_tablet(self, people: Sequence[Account]) -> Iterator[Visit]:
        """Two people on one tablet: what lies between their sessions is neither's."""
        tablet = Visitor(f"{self._chance.getrandbits(64):016x}", _TABLET)
        for turn in range(6):
            one = people[turn % 2]
            walk = self._walk(2 * turn + 1, 2 * turn + 1.5).browse(1).sign_in(one).browse(1).sign_out().read(1)
            yield Visit("form", tablet, walk.steps)

    def _kiosk(self, people: Sequence[Account]) -> Iterator[Visit]:
        """A terminal in a shop: so many people in a day that nothing is claimed for any of them."""
        terminal = Visitor(f"{self._chance.getrandbits(64):016x}", _LAPTOPS[2])
        opened_ms = MORNING_MS + 2 * HOUR_MS
        for at, one in enumerate(people):
            walk = _Walk(self._chance, opened_ms + at * 40 * MINUTE_MS).browse(2).sign_in(one).browse(1).sign_out()
            yield Visit("digest", terminal, walk.browse(1).steps)


def story() -> list[Visit]:
    """The day's visits in the order in which they were sent."""
    visits = list(_Teller().tell())
    return sorted(visits, key=lambda visit: visit.sent_ms or visit.steps[0].at_ms)
