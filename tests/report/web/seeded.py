"""A running report page on a world somebody can look at; it must not know what is looked at."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from pipeline.identity.ids import device_of
from pipeline.limits import DAY_MS, HOUR_MS, MINUTE_MS
from pipeline.model import Hit
from pipeline.times import day, iso, ms_of

SHOP, OTHER, NEW, FIRST = "velo", "otherco", "newco", "firstco"
SITE, APP = f"{SHOP}-site", f"{SHOP}-app"  # of the shop
PHONE = {"device_type": "smartphone", "os": "iOS", "browser": "Safari"}
LAPTOP = {"device_type": "desktop", "os": "Mac", "browser": "Chrome"}
IN_APP = {**PHONE, "site_id": APP}
TABLET = {"device_type": "tablet", "os": "iPadOS", "browser": "Safari"}
MARA = "u-20417"


def hit(workspace: str, device: str, ts_ms: int, **fields: Any) -> Hit:
    """One hit of a device."""
    user = fields.get("user_id", "")
    values = {
        "workspace": workspace,
        "site_id": f"{workspace}-site",
        "event_id": f"{device}-{ts_ms}",
        "ts": iso(ts_ms),
        "received_at": iso(ts_ms + 800),
        "device": device_of(device, user, f"{device}-{ts_ms}"),
        "day": day(ts_ms),
        "type": "page",
        "anonymous_id": device,
        "holds": bool(user),
    }
    return msgspec.convert(values | fields, Hit)


def visit(
    device: str, start_ms: int, pages: Sequence[Mapping[str, Any]], kind: Mapping[str, str], workspace: str = SHOP
) -> Iterator[Hit]:
    """Pages three minutes apart; a page is its fields, and `title` makes its address."""
    for number, page in enumerate(pages):
        title = page.get("title", "")
        path = "/" + title.lower().replace(" ", "-")
        fields = {"url": f"https://shop.velo.example{path}", **kind, **page}
        yield hit(workspace, device, start_ms + number * 3 * MINUTE_MS, **fields)


def titles(*names: str) -> list[dict[str, Any]]:
    """Pages by their titles."""
    return [{"title": name} for name in names]


def signs_in(user: str, **traits: Any) -> dict[str, Any]:
    """A sign-in."""
    return {"type": "identify", "title": "Signed in", "user_id": user, "traits": traits}


def mara(now_ms: int) -> list[Hit]:
    """The person of the page's design: four devices, ten visits, three claims, somebody else's time on a tablet."""
    start = (now_ms // DAY_MS - 19) * DAY_MS
    at = lambda days, hours, minutes=0: int(start + days * DAY_MS + hours * HOUR_MS + minutes * MINUTE_MS)  # noqa: E731
    order = {"type": "event", "name": "Order", "title": "Order", "revenue": 2349.0, "currency": "EUR"}
    small = {**order, "revenue": 64.0}
    gone = {"type": "logout", "title": "Signed out", "logout": True}
    traits = {"name": "Mara Lindqvist", "plan": "club", "city": "Stockholm", "newsletter": True}
    hits: list[Hit] = []
    hits += visit("c41fa5e3", at(0, 18, 42), titles("Gravel bikes", "Rift 2", "Gallery", "Size guide", "Stores"), PHONE)
    hits += visit(
        "8e201a70", at(1, 11, 31), titles("Home", "Gravel bikes", "Rift 2", "Compare", "Offer", "Stores"), LAPTOP
    )
    pages = [*titles("Home", "Rift 2", "Create account"), signs_in(MARA, **traits), *titles("Wish list", "Test rides")]
    hits += visit("c41fa5e3", at(2, 7), pages, PHONE)
    pages = [
        *titles("Basket", "Rift 2", "Delivery", "Size"),
        signs_in(MARA),
        *titles("Payment"),
        order,
        *titles("Thanks"),
    ]
    hits += visit("8e201a70", at(5, 19, 24), pages, LAPTOP)
    hits += visit("c41fa5e3", at(5, 19, 46), titles("Bank", "Confirm", "Back"), PHONE)
    hits += visit("5a7d42b8", at(7, 8), [{**signs_in("u-11873"), "holds": False}], TABLET)
    pages = [*titles("Help centre", "Delivery"), signs_in(MARA), *titles("Assembly guide", "Video", "Torque")]
    hits += visit("5a7d42b8", at(8, 20, 2), pages, TABLET)
    hits += visit("f3b077c4", at(10, 6, 55), [*titles("Ride", "Map"), signs_in(MARA), *titles("Ride started")], IN_APP)
    hits += visit(
        "8e201a70", at(14, 9, 5), [*titles("Lights", "Basket", "Account"), gone, *titles("Home", "Bells")], LAPTOP
    )
    hits += visit("f3b077c4", at(17, 17, 40), titles("Ride", "Map", "Ride finished"), IN_APP)
    hits += visit("c41fa5e3", at(18, 15, 31), [*titles("Your basket", "Lights"), small, *titles("Reviews")], PHONE)
    return hits


def crowd(now_ms: int) -> list[Hit]:
    """Others: some signed in, some never; one who did a lot; a tenant of their own."""
    start = (now_ms // DAY_MS - 25) * DAY_MS
    hits: list[Hit] = []
    for number in range(30):
        began = start + (number * 19 % 600) * HOUR_MS
        pages = titles("Home", "Bikes", f"Bike {number}")
        if number % 3:
            pages.append(signs_in(f"u-{30000 + number}", name=f"Person {number}"))
        hits += visit(f"dev{number:04d}", began, pages, (PHONE, LAPTOP, TABLET)[number % 3])
        if number % 5 == 1:
            hits += visit(f"two{number:04d}", began + 5 * HOUR_MS, [signs_in(f"u-{30000 + number}")], LAPTOP)
    for number in range(600):
        user = {"user_id": "u-27640", "holds": True} if number % 4 == 0 and number > 60 else {}
        began = start + number * HOUR_MS
        hits.append(hit(SHOP, ("busy1", "busy2")[number // 9 % 2], began, title=f"Page {number}", **LAPTOP, **user))
    hits += visit("tenant1", start, [*titles("Secret page"), signs_in("u-secret", name="Other Tenant")], PHONE, OTHER)
    return hits


def shoppers(now_ms: int) -> list[Hit]:
    """Who come by a campaign on one device, sign in there, and order on another, or on the same; some come back."""
    start = (now_ms // DAY_MS - 27) * DAY_MS
    hits: list[Hit] = []
    for number in range(48):
        user, began = f"u-{50000 + number}", start + number * 13 * HOUR_MS
        first, second = (PHONE, LAPTOP, PHONE, TABLET)[number % 4], (LAPTOP, LAPTOP, PHONE, LAPTOP)[number % 4]
        source, came = _CAMPAIGNS[number % len(_CAMPAIGNS)], f"shopper{number:04d}"
        landing = {"title": "Bikes", "url": f"https://shop.velo.example/bikes{source}"}
        waits = (0, 2 * HOUR_MS, 30 * HOUR_MS)[number % 3]
        hits += visit(came, began, [landing, *titles("Rift 2")], first)
        hits += visit(came, began + waits + 10 * MINUTE_MS, [*titles("Basket"), signs_in(user)], first)
        if number % 5 == 4:
            continue
        again = came if first is second else f"{came}b"
        mail = {"title": "Basket", "url": "https://shop.velo.example/basket?utm_source=newsletter&utm_medium=email"}
        order = {"type": "event", "name": "Order", "title": "Order", "revenue": 40.0 + number, "currency": "EUR"}
        paid = {**order, "currency": "SEK", "revenue": 900.0} if number % 7 == 0 else order
        pages = [mail if number % 3 == 0 else {"title": "Basket"}, signs_in(user)]
        hits += visit(again, began + waits + 9 * HOUR_MS, [*pages, paid] if number % 4 else [*pages, order], second)
        for week in range(1, 1 + number % 4):
            hits += visit(again, began + week * 7 * DAY_MS, titles("Home", "Bikes"), second)
    return [hit for hit in hits if ms_of(hit.ts) < now_ms]


_CAMPAIGNS = (
    "?utm_source=google&utm_medium=cpc&utm_campaign=gravel+bike",
    "?utm_source=instagram&utm_medium=social&utm_campaign=autumn",
    "",
    "?utm_source=google&utm_medium=cpc&utm_campaign=rift",
    "?utm_source=partner",
)


def sites(folder: Path) -> Path:
    """Four workspaces, of which one has two sites; nothing ever arrived in two, and in one of them something may."""
    path = folder / "sites.yaml"
    names = (SHOP, OTHER, NEW, FIRST)
    entries = "".join(f"  - {{workspace: {n}, site: {n}-site, native: {{page_keys: [{n}]}}}}\n" for n in names)
    app = f"  - {{workspace: {SHOP}, site: {APP}, native: {{page_keys: [{APP}]}}}}\n"
    path.write_text(f"sites:\n{entries}{app}")
    return path
