"""Real browser SDKs of Segment and PostHog in Chromium against a running Seamline: the journeys they become."""

import uuid
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from pipeline.identity.ids import user_person
from tests.clients.browser_sdks import ANALYTICS_NEXT, POSTHOG_JS, SHOP, BrowserSdk
from tests.support.chromium import chromium
from tests.support.deadline import wait_until
from tests.support.deployment import Embedded

VISIBLE_WITHIN_S = 20
EXPECTED = [
    *[("/", "backfilled"), ("login", "identified"), ("/account", "identified")],
    *[("/phone", "backfilled"), ("login", "identified"), ("/basket", "identified")],
]
pytestmark = pytest.mark.node


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium for this module."""
    with chromium() as opened:
        yield opened


@pytest.mark.parametrize(
    "sdk", [pytest.param(ANALYTICS_NEXT, id="analytics-next"), pytest.param(POSTHOG_JS, id="posthog-js")]
)
def test_one_user_in_two_browsers_is_one_journey(up: Embedded, browser: Browser, sdk: BrowserSdk) -> None:
    """Pages before the login are claimed, the one after `reset()` is nobody's, both browsers are one person."""
    user = f"u-{uuid.uuid4().hex[:12]}"

    (_, after), _ = sdk.play(browser, up.url, user)

    sql = "SELECT type, url, attribution, device FROM journey(person = {person:UUID})"
    seen: list[list[list[str]]] = [[]]

    def journey() -> list[tuple[str, str]]:
        seen[0] = up.query(sql, {"person": user_person("demo", user)})
        return [("login" if t == "identify" else u.removeprefix(SHOP), how) for t, u, how, _ in seen[0]]

    try:
        wait_until(lambda: journey() == EXPECTED, VISIBLE_WITHIN_S)
    except AssertionError:
        assert EXPECTED == journey()
    assert len({device for *_, device in seen[0]}) == 2, "a laptop and a phone"
    nobody = "SELECT url, attribution FROM actions WHERE device = {device:String}"
    wait_until(lambda: up.query(nobody, {"device": f"d:{after}"}) == [[f"{SHOP}/bye", "anonymous"]], VISIBLE_WITHIN_S)
