"""Two devices in a real browser: what the journey beside them says, and that nothing leaves this machine."""

import re
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, FrameLocator, Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

VISIBLE_WITHIN_MS = 20_000
YESTERDAY = re.compile(r"And before: \d\d+ actions on [2-9] other devices\.")
DESKTOP, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}


class Stage(NamedTuple):
    """The demo's page, its two devices, and what went wrong or out on the way."""

    page: Page
    laptop: FrameLocator
    phone: FrameLocator
    hosts: set[str]
    complaints: list[str]


def open_stage(browser: Browser, url: str, size: dict[str, int], scheme: str = "light") -> Stage:
    page = browser.new_context(viewport=size, color_scheme=scheme).new_page()  # type: ignore[arg-type]
    page.set_default_timeout(VISIBLE_WITHIN_MS)
    hosts: set[str] = set()
    complaints: list[str] = []
    page.context.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    page.on(
        "console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"{url}/demo/")
    laptop, phone = page.frame_locator("iframe[name=laptop]"), page.frame_locator("iframe[name=phone]")
    return Stage(page, laptop, phone, hosts, complaints)


@pytest.fixture
def stage(browser: Browser, demo: str) -> Iterator[Stage]:
    """A fresh profile. At its end: nothing was asked of another host, and nothing was complained about."""
    opened = open_stage(browser, demo, DESKTOP)
    yield opened
    opened.page.context.close()
    assert opened.hosts == {urlsplit(demo).netloc}
    assert opened.complaints == []


def sign_in(device: FrameLocator, name: str) -> None:
    device.locator("#account-link").click()
    device.get_by_label(name).check()
    device.get_by_role("button", name="Sign in").click()
    device.get_by_text(f"Hello, {name}.").wait_for()


def seen(stage: Stage, title: str, frame: str, attribution: str) -> None:
    """The action is in the journey, and that is how it got its person."""
    row = stage.page.locator(f"#rows li.{attribution}").filter(has_text=title).filter(has_text=f"on the {frame}")
    expect(row.last).to_be_attached(timeout=VISIBLE_WITHIN_MS)


def test_a_sign_in_on_two_devices_makes_one_journey(stage: Stage) -> None:
    """Nobody's pages become backfilled ones as each device's sign-in explains them; three visitors are one person.

    Nobody else in this suite is Nora: who signs in brings every device they were seen on.
    """
    stage.laptop.get_by_role("link", name="Ridge boots").click()
    stage.laptop.get_by_role("button", name="Add to basket").click()
    stage.phone.get_by_role("link", name="Enamel mug").click()
    seen(stage, "Ridge boots", "laptop", "anonymous")
    seen(stage, "Enamel mug", "phone", "anonymous")

    sign_in(stage.laptop, "Nora Blum")
    seen(stage, "Ridge boots", "laptop", "backfilled")
    seen(stage, "Into the basket: boots", "laptop", "backfilled")
    seen(stage, "Signed in", "laptop", "identified")
    seen(stage, "Enamel mug", "phone", "anonymous")
    expect(stage.page.locator("#headline")).to_have_text("The laptop is Nora Blum.")

    sign_in(stage.phone, "Nora Blum")
    stage.phone.get_by_role("link", name="Go on shopping").click()
    seen(stage, "Enamel mug", "phone", "backfilled")
    seen(stage, "Shop", "phone", "carried")
    expect(stage.page.locator("#headline")).to_have_text("Two devices, one person.")
    expect(stage.page.locator("#visitors")).to_have_text("3 visitors")
    expect(stage.page.locator("#persons")).to_have_text("1 person")


def test_two_people_are_never_joined(stage: Stage) -> None:
    """Each device its own person, and the page says so."""
    sign_in(stage.laptop, "Ada Moreau")
    sign_in(stage.phone, "Ilias Petrov")

    expect(stage.page.locator("#headline")).to_have_text("Two devices, two persons.", timeout=VISIBLE_WITHIN_MS)
    expect(stage.page.locator("#persons")).to_have_text("2 persons")


def test_what_is_done_after_signing_out_is_nobodys(stage: Stage) -> None:
    """Signing out gives the device a new ID: the next page is not the last user's, nor claimed by anybody."""
    sign_in(stage.laptop, "Ilias Petrov")
    stage.laptop.get_by_role("button", name="Sign out").click()
    stage.laptop.get_by_role("link", name="Larkfield").click()
    stage.laptop.get_by_role("link", name="Rain jacket").click()

    seen(stage, "Rain jacket", "laptop", "anonymous")
    seen(stage, "Signed in", "laptop", "identified")


def test_somebody_from_the_recorded_day_brings_their_past(stage: Stage) -> None:
    """Signing in as Ada joins this device to those of yesterday."""
    sign_in(stage.phone, "Ada Moreau")

    expect(stage.page.locator("#others")).to_have_text(YESTERDAY, timeout=VISIBLE_WITHIN_MS)


def test_an_order_is_placed_by_keyboard_alone(stage: Stage) -> None:
    """Every control is reached by Tab and used by Enter or Space; the order shows with its sum."""
    stage.laptop.get_by_role("link", name="Folding lantern").focus()
    stage.page.keyboard.press("Enter")
    reach(stage, "Add to basket")
    stage.page.keyboard.press("Enter")
    stage.laptop.get_by_text("In your basket.").wait_for()
    stage.laptop.get_by_role("link", name="Basket 1").focus()
    stage.page.keyboard.press("Enter")
    reach(stage, "Place order")
    stage.page.keyboard.press("Space")

    seen(stage, "Order, 45 €", "laptop", "anonymous")


def reach(stage: Stage, button: str) -> None:
    """Tab until the laptop's button has the focus."""
    target = stage.laptop.get_by_role("button", name=button)
    target.wait_for()
    for _ in range(30):
        if target.evaluate("node => node === document.activeElement"):
            return
        stage.page.keyboard.press("Tab")
    raise AssertionError(f"{button!r} is not reached by Tab")


def test_start_over_gives_two_new_devices(stage: Stage) -> None:
    """Nothing of the last round is left in the journey."""
    sign_in(stage.laptop, "Ilias Petrov")
    seen(stage, "Signed in", "laptop", "identified")

    stage.page.get_by_role("button", name="Start over").click()

    expect(stage.page.locator("#who-laptop")).to_have_text("nobody signed in")
    seen(stage, "Shop", "phone", "anonymous")
    expect(stage.page.locator("#rows li")).to_have_count(2)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("path", ["/demo/", "/demo/shop/", "/demo/shop/items/boots", "/demo/shop/account"])
def test_no_page_is_wider_than_its_screen(
    browser: Browser, demo: str, path: str, size: dict[str, int], scheme: str
) -> None:
    """Nothing scrolls sideways, in either colour scheme; text and ground differ in each."""
    page = browser.new_context(viewport=size, color_scheme=scheme).new_page()  # type: ignore[arg-type]
    page.goto(demo + path)
    width = page.evaluate("document.documentElement.scrollWidth")
    ink, ground = page.evaluate(
        "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
    )
    page.context.close()

    assert width <= size["width"]
    assert luminance(ink) - luminance(ground) > 0.5 if scheme == "dark" else luminance(ground) - luminance(ink) > 0.5


def luminance(colour: str) -> float:
    """Roughly, 0 to 1, of `rgb(r, g, b)`."""
    red, green, blue = (int(part) for part in colour.removeprefix("rgb(").removesuffix(")").split(","))
    return (0.3 * red + 0.59 * green + 0.11 * blue) / 255
