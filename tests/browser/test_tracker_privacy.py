"""When our tracker script keeps quiet: the browser says no, the visitor says no, or nobody has asked them yet."""

import pytest
from playwright.sync_api import Browser, BrowserContext

from tests.browser.tracked_site import SIGNUP, TrackedSite, open_page

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

CALLS_MAX = 200
GPC = "Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', { get: () => true })"
DNT = "Object.defineProperty(Navigator.prototype, 'doNotTrack', { get: () => '1' })"
STORED = "[document.cookie, ...Object.keys(localStorage), ...Object.keys(sessionStorage)].filter(Boolean)"


@pytest.mark.parametrize("signal", [GPC, DNT], ids=["gpc", "dnt"])
def test_a_browser_that_says_no_is_left_alone(
    context: BrowserContext, browser: Browser, site: TrackedSite, walk: str, signal: str
) -> None:
    """Nothing is stored, nothing is sent, whatever is called, consent included."""
    asked: list[str] = []
    context.add_init_script(signal)
    context.on("request", lambda request: asked.append(request.url) if request.method == "POST" else None)
    page = open_page(context, site.at("native", walk))
    page.evaluate("seamline.consent(true); seamline.identify('mila'); seamline.track('Read')")
    page.evaluate("seamline.reset(); _uxa.push(['trackPageview', '/x'])")
    page.evaluate(f"metricswave('{SIGNUP}', {{ plan: 'gold' }}); history.pushState({{}}, '', 'b')")
    identity = page.evaluate("new Promise((told) => _uxa.push(['getIdentity', told]))")
    stored, anonymous_id = page.evaluate(STORED), page.evaluate("seamline.anonymousId()")
    page.close()
    open_page(browser.new_context(), site.at("native", walk, "witness"))

    site.stitched(walk, ["page witness anonymous"])
    assert ([], [], None, None) == (asked, stored, anonymous_id, identity)


def test_what_was_stored_before_is_deleted_when_the_browser_says_no(
    context: BrowserContext, site: TrackedSite, walk: str
) -> None:
    """GPC switched on later."""
    page = open_page(context, site.at("native", walk))
    page.evaluate("seamline.identify('mila')")
    site.stitched(walk, ["page a backfilled", "identify a identified"])
    context.add_init_script(GPC)
    page.goto(site.at("native", walk, "b"))

    assert [] == page.evaluate(STORED)


def test_consent_given_later_tells_the_whole_visit(context: BrowserContext, site: TrackedSite, walk: str) -> None:
    """Until then nothing is stored or sent; then every call, in order, at its own time. The next page need not ask."""
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url) if request.method == "POST" else None)
    page = open_page(context, site.at("consent", walk))
    page.evaluate("seamline.consent(false); seamline.track('Read'); seamline.identify('mila')")
    page.evaluate("history.pushState({}, '', 'b')")
    page.wait_for_function("location.pathname.endsWith('b')")
    before = (page.evaluate(STORED), page.evaluate("seamline.anonymousId()"), list(asked))
    given_ms = page.evaluate("Date.now()")
    page.evaluate("seamline.consent(true)")
    page.goto(site.at("consent", walk, "c"))

    seen = site.stitched(
        walk,
        ["page a backfilled", "track a backfilled", "identify a identified", "page b carried", "page c carried"],
    )
    assert ([], None, []) == before
    assert all(one.ts_ms <= given_ms for one in seen[:4])


def test_consent_withdrawn_deletes_what_was_stored(context: BrowserContext, site: TrackedSite, walk: str) -> None:
    """The ID, the user, the queue; and nothing more is sent."""
    page = open_page(context, site.at("consent", walk))
    page.evaluate("seamline.consent(true)")
    site.stitched(walk, ["page a anonymous"])
    page.evaluate("seamline.consent(false); seamline.track('Read')")

    assert [] == page.evaluate(STORED)


def test_what_waits_for_consent_is_bounded(context: BrowserContext, site: TrackedSite, walk: str) -> None:
    """The first 200 calls are kept."""
    page = open_page(context, site.at("consent", walk))
    page.evaluate(f"for (let i = 0; i < {CALLS_MAX + 30}; i++) seamline.track('Tick', {{ i }})")
    page.evaluate("seamline.consent(true)")

    site.stitched(walk, ["page a anonymous"] + ["track a anonymous"] * (CALLS_MAX - 1))


def test_who_opts_out_is_forgotten_until_they_opt_in(context: BrowserContext, site: TrackedSite, walk: str) -> None:
    """ID and queue are deleted, also what was still to be sent; later a new ID, and nothing of the time between."""
    page = open_page(context, site.at("native", walk))
    site.stitched(walk, ["page a anonymous"])
    context.set_offline(True)
    page.evaluate("seamline.track('Unsent')")
    page.evaluate("seamline.optOut()")
    context.set_offline(False)
    page.evaluate("seamline.track('Unseen')")
    stored = page.evaluate(STORED)
    page.goto(site.at("native", walk, "b"))
    page.evaluate("seamline.track('Unseen')")
    page.evaluate("_uxa.push(['optIn'])")

    seen = site.stitched(walk, ["page a anonymous", "page b anonymous"])
    assert ["_seam.out"] == stored
    assert seen[0].anonymous_id != seen[1].anonymous_id
