"""The demo shop as a single page with our tracker script, in a real Chromium: looked at as stitched actions."""

from collections.abc import Sequence
from typing import Any

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page

from tests.support.deadline import wait_until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]
SEEN_WITHIN_S = 20


def opened(context: BrowserContext, demo: str, query: str = "") -> Page:
    """The shop, once the script is there."""
    page = context.new_page()
    page.goto(f"{demo}/demo/app/{query}")
    page.wait_for_function("window.seamline && !Array.isArray(window.seamline)")
    return page


def device(page: Page) -> str:
    """The anonymous ID of now."""
    return str(page.evaluate("seamline.anonymousId()"))


def became(demo: str, devices: Sequence[str], expected: Sequence[str]) -> None:
    """The actions of these devices, oldest first, once they read `type title attribution`."""
    found: list[str] = []

    def right() -> bool:
        asked = [("device", one) for one in devices]
        actions: list[dict[str, Any]] = httpx.get(f"{demo}/demo/journey.json", params=asked).json()["actions"]
        found[:] = [f"{a['type']} {a['title']} {a['attribution']}" for a in actions]
        return found == list(expected)

    try:
        wait_until(right, SEEN_WITHIN_S, pause_s=0.2)
    except AssertionError:
        assert list(expected) == found


def test_pages_a_sign_in_and_a_sign_out(context: BrowserContext, demo: str) -> None:
    """The router's pages are seen; those before the sign-in are claimed; after the sign-out there is nobody."""
    page = opened(context, demo)
    first = device(page)
    page.get_by_role("button", name="Boots").click()
    page.get_by_role("button", name="Nora Blum").click()
    page.get_by_role("button", name="Coats").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_function("first => seamline.anonymousId() !== first", arg=first)
    second = device(page)
    page.get_by_role("button", name="Boots").click()

    signed_in = [
        "page Larkfield backfilled",
        "page Boots backfilled",
        "identify Boots identified",
        "page Coats carried",
    ]
    became(demo, [first], [*signed_in, "logout Coats anonymous"])
    became(demo, [second], ["page Boots anonymous"])


def test_another_user_is_another_device(context: BrowserContext, demo: str) -> None:
    """Without a sign-out between them: a new anonymous ID, and the page is seen again by who came second."""
    page = opened(context, demo)
    first = device(page)
    page.get_by_role("button", name="Nora Blum").click()
    page.get_by_role("button", name="Nora Blum").click()  # the same again changes nothing
    assert first == device(page)
    page.get_by_role("button", name="Ilias Petrov").click()
    page.wait_for_function("first => seamline.anonymousId() !== first", arg=first)

    became(demo, [first], ["page Larkfield backfilled", "identify Larkfield identified"])
    became(demo, [device(page)], ["identify Larkfield identified", "page Larkfield carried"])


def test_what_happens_offline_is_sent_later(context: BrowserContext, demo: str) -> None:
    """Nothing is lost, and the times are those of the visit."""
    page = opened(context, demo)
    became(demo, [device(page)], ["page Larkfield anonymous"])
    context.set_offline(True)
    page.get_by_role("button", name="Boots").click()
    page.get_by_role("button", name="Nora Blum").click()
    context.set_offline(False)

    became(demo, [device(page)], ["page Larkfield backfilled", "page Boots backfilled", "identify Boots identified"])


def test_a_closed_tab_still_says_what_was_seen(context: BrowserContext, demo: str) -> None:
    """By beacon, at the last moment."""
    page = opened(context, demo)
    here = device(page)
    page.get_by_role("button", name="Coats").click()
    page.close(run_before_unload=True)

    became(demo, [here], ["page Larkfield anonymous", "page Coats anonymous"])


def test_nothing_is_sent_where_gpc_is_on(context: BrowserContext, demo: str) -> None:
    """And nothing stored: the browser asked."""
    sent: list[str] = []
    context.add_init_script("Object.defineProperty(navigator, 'globalPrivacyControl', { get: () => true })")
    context.on("request", lambda request: sent.append(request.url) if "/v1/hits" in request.url else None)
    page = opened(context, demo)
    page.get_by_role("button", name="Boots").click()
    page.get_by_role("button", name="Nora Blum").click()
    page.goto(f"{demo}/demo/app/coats")

    assert ([], []) == (sent, context.cookies())


def test_consent_given_later_lets_everything_through(context: BrowserContext, demo: str) -> None:
    """Until then nothing leaves the page; then what was done meanwhile does."""
    sent: list[str] = []
    context.on("request", lambda request: sent.append(request.url) if "/v1/hits" in request.url else None)
    page = opened(context, demo, "?ask")
    page.get_by_role("button", name="Boots").click()
    assert ([], []) == (sent, context.cookies())
    page.get_by_role("button", name="Allow tracking").click()
    page.wait_for_function("seamline.anonymousId()")

    became(demo, [device(page)], ["page Larkfield anonymous", "page Boots anonymous"])
