"""The tracker script in a real browser: what was done there, and what journey came of it."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request

from tests.browser.tracked_site import SIGNUP, Seen, TrackedSite, new_walk, tracked_site

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

QUEUE_MAX, BATCH_MAX = 200, 20
STRAY_MS = 12_000
GPC = "Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', { get: () => true })"
DNT = "Object.defineProperty(Navigator.prototype, 'doNotTrack', { get: () => '1' })"
BEACONS = """
const real = navigator.sendBeacon.bind(navigator);
navigator.sendBeacon = (url, body) => real(url, body) && (sessionStorage.beacons = body);
"""
STORED = "[document.cookie, ...Object.keys(localStorage), ...Object.keys(sessionStorage)].filter(Boolean)"
QUEUED = "Object.keys(localStorage).filter((key) => key.startsWith('_seam.q.')).length"
MILA = "mila@shop.example"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrackedSite]:
    """Its pages, and the Seamline behind them."""
    with tracked_site(tmp_path_factory.mktemp("tracked")) as opened:
        yield opened


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A visitor's fresh browser. At its end: no script broke."""
    opened = browser.new_context()
    faults: list[str] = []
    opened.on("weberror", lambda error: faults.append(str(error.error)))
    yield opened
    opened.close()
    assert [] == faults


@pytest.fixture
def walk() -> str:
    """Sets this test's visit apart."""
    return new_walk()


def open_page(context: BrowserContext, url: str) -> Page:
    """A tab in which the script has begun."""
    page = context.new_page()
    page.goto(url)
    return page


def hits_of(request: Request) -> list[dict[str, Any]]:
    return list(json.loads(request.post_data or "[]"))


def named(seen: Seen) -> str:
    return f"{seen.type} {seen.name or seen.path} {seen.attribution}"


# --- pages and people ------------------------------------------------------------------------------------------------


def test_a_single_page_app_is_seen_page_by_page(context: BrowserContext, site: TrackedSite, walk: str) -> None:
    """A changed path is a page, with its new title and where it came from; the same path again, or a query, is none."""
    page = open_page(context, site.at("native", walk))
    page.evaluate("history.pushState({}, '', 'b'); document.title = 'B'")
    page.evaluate("history.pushState({}, '', 'b'); history.replaceState({}, '', 'b?sorted=1')")
    page.evaluate("history.replaceState({}, '', 'c')")
    page.go_back()

    seen = site.stitched(walk, ["page a anonymous", "page b anonymous", "page c anonymous", "page b anonymous"])

    assert ["A page", "B", "B", "B"] == [one.title for one in seen]
    assert ["", "a", "b", "c"] == [one.referrer.rpartition("/")[2].partition("?")[0] for one in seen]
    assert 1 == len({one.anonymous_id for one in seen})
    assert 32 == len(seen[0].anonymous_id)


def test_a_sign_in_explains_the_pages_before_and_after(context: BrowserContext, site: TrackedSite, walk: str) -> None:
    """One identify hit carries the user; the stitcher does the rest, over a reload too."""
    page = open_page(context, site.at("native", walk))
    page.evaluate("seamline.track('Added', { sku: 'boots', amount: 2 })")
    page.evaluate("seamline.identify('mila', { plan: 'gold' })")
    page.goto(site.at("native", walk, "b"))
    page.evaluate("seamline.track('Bought', {}, { revenue: 12.5, currency: 'EUR' })")

    seen = site.stitched(
        walk,
        [
            "page a backfilled",
            "track Added backfilled",
            "identify a identified",
            "page b carried",
            "track Bought carried",
        ],
        named,
    )

    assert ["", "", "mila", "", ""] == [one.user_id for one in seen]
    assert 1 == len({one.person_id for one in seen}) == len({one.anonymous_id for one in seen})
    assert {"sku": "boots", "amount": 2} == seen[1].properties
    assert {"plan": "gold"} == seen[2].traits
    assert (12.5, "EUR") == (seen[4].revenue, seen[4].currency)


def test_somebody_else_gets_a_new_id_and_a_page_of_their_own(
    context: BrowserContext, site: TrackedSite, walk: str
) -> None:
    """The identity changes without a sign-out: two devices, two persons, and the page is seen by the second too."""
    page = open_page(context, site.at("native", walk))
    page.evaluate("seamline.identify('mila')")
    page.evaluate("seamline.identify('jonas')")
    page.evaluate("seamline.track('Read')")

    seen = site.stitched(
        walk,
        ["page a mila", "identify a mila", "identify a jonas", "page a jonas", "track a jonas"],
        lambda one: f"{one.type} {one.path} {owner(one, 'mila', 'jonas', actions=site.actions(walk))}",
    )

    first, second = seen[0].anonymous_id, seen[-1].anonymous_id
    assert first != second
    assert [first, first, second, second, second] == [one.anonymous_id for one in seen]
    assert ["carried", "carried"] == [one.attribution for one in seen[3:]]


def owner(one: Seen, *users: str, actions: list[Seen]) -> str:
    """Whose action it is: the user who is identified as the same person."""
    by_person = {other.person_id: other.user_id for other in actions if other.user_id in users}
    return by_person.get(one.person_id, "nobody")


def test_the_same_identity_again_changes_nothing(context: BrowserContext, site: TrackedSite, walk: str) -> None:
    """Neither on this page nor on the next; only traits are sent, once there are any."""
    page = open_page(context, site.at("native", walk))
    page.evaluate("seamline.identify('mila'); seamline.identify('mila'); seamline.identify(' mila ')")
    page.goto(site.at("native", walk, "b"))
    page.evaluate("seamline.identify('mila'); seamline.identify('mila', { plan: 'gold' }); seamline.track('End')")

    seen = site.stitched(
        walk,
        ["page a backfilled", "identify a identified", "page b carried", "traits b carried", "track b carried"],
    )

    assert 1 == len({one.anonymous_id for one in seen})
    assert {"plan": "gold"} == seen[3].traits


def test_a_name_that_is_nobodys_moves_no_identity(context: BrowserContext, site: TrackedSite, walk: str) -> None:
    """`guest` before the sign-in does not cost the visitor the pages before it."""
    page = open_page(context, site.at("native", walk))
    page.evaluate("seamline.identify('Guest'); seamline.identify(null); seamline.identify('mila')")

    seen = site.stitched(walk, ["page a backfilled", "identify a backfilled", "identify a identified"])

    assert 1 == len({one.anonymous_id for one in seen})


@pytest.mark.parametrize("call", ["seamline.reset()", "_uxa.push(['resetIdentity'])", "metricswave.setUser(null)"])
def test_after_a_sign_out_the_device_is_nobodys(
    context: BrowserContext, site: TrackedSite, walk: str, call: str
) -> None:
    """The sign-out is said under the old ID; what follows has a new one and is nobody's."""
    page = open_page(context, site.at("native", walk))
    page.evaluate("seamline.identify('mila')")
    page.evaluate(call)
    page.evaluate("history.pushState({}, '', 'b')")
    page.evaluate("new Promise((done) => setTimeout(done)).then(() => seamline.track('Read'))")

    seen = site.stitched(
        walk,
        ["page a backfilled", "identify a identified", "logout a anonymous", "page b anonymous", "track b anonymous"],
    )

    old, new = seen[0].anonymous_id, seen[-1].anonymous_id
    assert old != new
    assert [old, old, old, new, new] == [one.anonymous_id for one in seen]


def test_signing_out_nobody_keeps_the_visitor(context: BrowserContext, site: TrackedSite, walk: str) -> None:
    """MetricsWave's snippet says `setUser(null)` on every page of a visitor who is not signed in."""
    page = open_page(context, site.at("native", walk))
    page.evaluate("metricswave.setUser(null); seamline.track('Read'); seamline.identify('mila')")

    seen = site.stitched(walk, ["page a backfilled", "track a backfilled", "identify a identified"])

    assert 1 == len({one.anonymous_id for one in seen})


def test_a_lost_cookie_takes_the_sign_in_with_it(context: BrowserContext, site: TrackedSite, walk: str) -> None:
    """The same user on a new ID signs in anew, or the new device would be nobody's."""
    page = open_page(context, site.at("native", walk))
    page.evaluate("seamline.identify('mila')")
    context.clear_cookies()
    page.goto(site.at("native", walk, "b"))
    page.evaluate("seamline.identify('mila')")

    site.stitched(walk, ["page a backfilled", "identify a identified", "page b backfilled", "identify b identified"])


# --- delivery --------------------------------------------------------------------------------------------------------


def test_what_happens_offline_is_sent_later(context: BrowserContext, site: TrackedSite, walk: str) -> None:
    """Nothing is lost, nothing counts twice, and each hit has the time at which it happened."""
    page = open_page(context, site.at("native", walk))
    site.stitched(walk, ["page a anonymous"])
    context.set_offline(True)
    page.evaluate("history.pushState({}, '', 'b')")
    with page.expect_event("requestfailed"):
        page.evaluate("seamline.identify('mila')")
    page.evaluate("seamline.track('Read')")
    back_ms = page.evaluate("Date.now()")
    context.set_offline(False)

    seen = site.stitched(walk, ["page a backfilled", "page b backfilled", "identify b identified", "track b carried"])
    assert max(one.ts_ms for one in seen) <= back_ms
    page.wait_for_function(f"{QUEUED} === 0")


def test_a_page_left_offline_is_told_by_the_next_one(context: BrowserContext, site: TrackedSite, walk: str) -> None:
    """The queue outlives the tab: another page of the site sends it."""
    page = open_page(context, site.at("native", walk))
    site.stitched(walk, ["page a anonymous"])
    context.set_offline(True)
    page.evaluate("seamline.track('Read')")
    page.close()
    context.set_offline(False)
    later = context.new_page()
    later.clock.install()
    later.goto(site.at("native", walk, "b"))
    later.clock.fast_forward(STRAY_MS)

    seen = site.stitched(walk, ["page a anonymous", "track a anonymous", "page b anonymous"])
    assert 1 == len({one.anonymous_id for one in seen})


def test_what_a_page_says_as_it_closes_arrives(context: BrowserContext, site: TrackedSite, walk: str) -> None:
    """What happened in the last half second leaves with the tab."""
    page = open_page(context, site.at("native", walk))
    site.stitched(walk, ["page a anonymous"])
    page.evaluate("seamline.track('Left')")
    page.close()

    site.stitched(walk, ["page a anonymous", "track a anonymous"])


def test_a_beacon_leaves_with_the_old_page(context: BrowserContext, site: TrackedSite, walk: str) -> None:
    """Nobody sees it arrive, so the next page says it once more: two requests, one action."""
    context.add_init_script(BEACONS)
    page = open_page(context, site.at("native", walk))
    site.stitched(walk, ["page a anonymous"])
    page.evaluate("seamline.track('Left'); location.href = 'b'")
    page.wait_for_url("**/b")
    seen = site.stitched(walk, ["page a anonymous", "track a anonymous", "page b anonymous"])
    beacon = page.evaluate("JSON.parse(sessionStorage.beacons)")
    page.clock.install()
    page.goto(site.at("native", walk, "c"))
    with page.expect_request(lambda request: "Left" in (request.post_data or "")) as again:
        page.clock.fast_forward(STRAY_MS)

    assert ["Left"] == [hit["name"] for hit in beacon]
    assert seen[1].event_id == beacon[0]["event_id"]
    assert seen[1].event_id in {hit["event_id"] for hit in hits_of(again.value)}
    site.stitched(walk, ["page a anonymous", "track a anonymous", "page b anonymous", "page c anonymous"])


def test_a_server_in_trouble_is_asked_again(context: BrowserContext, site: TrackedSite, walk: str) -> None:
    """503, 429 and no answer are tried again; 400 is not."""
    answers = [503, 429, 0]

    def trouble(route: Any) -> None:
        status = answers.pop(0) if answers else 200
        if status == 200:
            route.continue_()
        elif status:
            route.fulfill(status=status, headers={"access-control-allow-origin": "*"})
        else:
            route.abort()

    context.route("**/v1/hits*", trouble)
    page = context.new_page()
    with page.expect_response(lambda reply: reply.status == 200 and "/v1/hits" in reply.url, timeout=20_000):
        page.goto(site.at("native", walk))
    page.wait_for_function(f"{QUEUED} === 0")

    assert [] == answers
    site.stitched(walk, ["page a anonymous"])
    context.unroute("**/v1/hits*")
    context.route("**/v1/hits*", lambda route: route.fulfill(status=400))
    page.evaluate("seamline.track('Refused')")
    page.wait_for_function(f"{QUEUED} === 0")


def test_hits_travel_in_batches_of_twenty(context: BrowserContext, site: TrackedSite, walk: str) -> None:
    """Within a second, and every one of them with an ID and a time of its own."""
    page = open_page(context, site.at("native", walk))
    site.stitched(walk, ["page a anonymous"])
    batches: list[list[dict[str, Any]]] = []
    context.on("request", lambda request: batches.append(hits_of(request)) if "/v1/hits" in request.url else None)
    began_ms = page.evaluate("Date.now()")
    page.evaluate("for (let i = 0; i < 45; i++) seamline.track('Tick', { i })")
    page.wait_for_function(f"{QUEUED} === 0")

    assert 45 == sum(len(batch) for batch in batches)
    assert BATCH_MAX >= max(len(batch) for batch in batches)
    assert 1_000 >= max(hit["sent_at"] for batch in batches for hit in batch) - began_ms
    assert 45 == len({hit["event_id"] for batch in batches for hit in batch})
    site.stitched(walk, ["page a anonymous"] + ["track a anonymous"] * 45)


def test_the_queue_is_bounded(context: BrowserContext, site: TrackedSite, walk: str) -> None:
    """Of a long time offline the newest 200 hits stay."""
    page = open_page(context, site.at("native", walk))
    site.stitched(walk, ["page a anonymous"])
    context.set_offline(True)
    page.evaluate(f"for (let i = 0; i < {QUEUE_MAX + 30}; i++) seamline.track('Tick', {{ i }})")

    assert QUEUE_MAX == page.evaluate(QUEUED)
    context.set_offline(False)
    site.stitched(walk, ["page a anonymous"] + ["track a anonymous"] * QUEUE_MAX)


def test_two_tabs_share_the_visitor_and_lose_nothing(context: BrowserContext, site: TrackedSite, walk: str) -> None:
    """One ID; a sign-in in one tab is known in the other; both queues survive being offline."""
    one = open_page(context, site.at("native", walk, "one"))
    other = open_page(context, site.at("native", walk, "other"))
    context.set_offline(True)
    one.evaluate("seamline.identify('mila'); seamline.track('One')")
    other.evaluate("seamline.identify('mila'); seamline.track('Other')")
    context.set_offline(False)

    seen = site.stitched(
        walk,
        [
            "page one backfilled",
            "page other backfilled",
            "identify one identified",
            "track One carried",
            "track Other carried",
        ],
        named,
    )
    assert 1 == len({action.anonymous_id for action in seen})


# --- privacy ---------------------------------------------------------------------------------------------------------


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
    page.evaluate(f"for (let i = 0; i < {QUEUE_MAX + 30}; i++) seamline.track('Tick', {{ i }})")
    page.evaluate("seamline.consent(true)")

    site.stitched(walk, ["page a anonymous"] + ["track a anonymous"] * (QUEUE_MAX - 1))


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


# --- the other APIs --------------------------------------------------------------------------------------------------


def test_calls_before_the_script_are_carried_out(context: BrowserContext, site: TrackedSite, walk: str) -> None:
    """In order, past one that does not exist; with data-auto="false" there are no other page views."""
    page = open_page(context, site.at("early", walk))
    page.evaluate("history.pushState({}, '', 'b')")
    page.evaluate("seamline.push(['track', 'Closed'])")

    seen = site.stitched(walk, ["page first anonymous", "track Opened anonymous", "track Closed anonymous"], named)
    assert ({"tab": "one"}, {"at": 1}) == (seen[0].properties, seen[1].properties)
    assert (4.5, "EUR") == (seen[1].revenue, seen[1].currency)


def test_contentsquares_commands_before_load(context: BrowserContext, site: TrackedSite, walk: str) -> None:
    """The identity leaves the browser as a hash, and getIdentity tells no more; variables ride by their scope."""
    bodies: list[str] = []
    context.on("request", lambda request: bodies.append(request.post_data or ""))
    page = open_page(context, site.at("uxa", walk))
    page.evaluate("_uxa.push(['trackPageview', '/uxa/' + location.pathname.split('/')[2] + '/next'])")
    digest = hashlib.sha256(MILA.encode()).hexdigest()

    seen = site.stitched(
        walk,
        [
            "identify a identified",
            "traits a carried",
            "track Opened carried",
            "page renamed carried",
            "page next carried",
        ],
        named,
    )
    assert digest == page.evaluate("window.identity") == seen[0].user_id
    assert not any(MILA in body for body in bodies)
    assert {"tier": "gold"} == seen[1].traits
    assert seen[3].url.endswith("/renamed?kept=1")
    assert {"plan": "gold", "template": "article"} == seen[2].properties
    assert {"plan": "gold", "template": "article", "campaign": "spring"} == seen[3].properties
    assert {"plan": "gold"} == seen[4].properties


def test_an_identity_given_as_it_is_is_told_as_a_hash(context: BrowserContext, site: TrackedSite, walk: str) -> None:
    """And as null where nobody is signed in."""
    page = open_page(context, site.at("native", walk))
    ask = "new Promise((told) => _uxa.push(['getIdentity', told]))"
    nobody = page.evaluate(ask)
    page.evaluate("_uxa.push(['identify', 'mila'])")

    assert [None, hashlib.sha256(b"mila").hexdigest()] == [nobody, page.evaluate(ask)]
    site.stitched(walk, ["page a backfilled", "identify a identified"])


def test_contentsquares_commands_after_load(context: BrowserContext, site: TrackedSite, walk: str) -> None:
    """Orders with their items; properties of every event until they are removed; dynamic variables of this page."""
    page = open_page(context, site.at("native", walk))
    page.evaluate("""_uxa.push(
        ['ec:transaction:create', { id: 'o-1', revenue: '49.90', currency: 'EUR' }],
        ['ec:transaction:items:add', { sku: 'boots', quantity: 1 }],
        ['ec:transaction:send'],
        ['addEventProperties', { shop: 'north', till: 3 }],
        ['removeEventProperty', 'till'],
        ['trackDynamicVariable', { key: 'stock', value: 7 }],
        ['trackDynamicVariable', { key: 'label', value: '' }],
        ['trackEvent', 'Seen', { depth: 2 }],
        ['clearEventProperties'],
        ['event', 'Cleared'],
        ['trackPageview'],
        ['event', 'Next']
    )""")

    seen = site.stitched(
        walk,
        [
            "page a anonymous",
            "order o-1 anonymous",
            "track Seen anonymous",
            "track Cleared anonymous",
            "page a anonymous",
            "track Next anonymous",
        ],
        named,
    )
    order, first, cleared, following = seen[1], seen[2], seen[3], seen[5]
    assert (49.9, "EUR") == (order.revenue, order.currency)
    assert {"order_id": "o-1", "items": [{"sku": "boots", "quantity": 1}]} == order.properties
    assert {"shop": "north", "stock": 7, "label": "cs-empty", "depth": 2} == first.properties
    assert {"stock": 7, "label": "cs-empty"} == cleared.properties
    assert {} == following.properties


def test_metricswaves_snippet(context: BrowserContext, site: TrackedSite, walk: str) -> None:
    """Visits, a user at once and on every hit, custom events with both IDs, a click by its classes, and a sign-out."""
    page = open_page(context, site.at("metricswave", walk, "a?utm_source=letter"))
    page.evaluate("metricswave.setUser(1001)")
    page.evaluate(f"metricswave('{SIGNUP}', {{ plan: 'silver' }})")
    page.evaluate("history.pushState({}, '', 'b')")
    page.locator("button span").click()
    page.evaluate("metricswave.setUser(null)")
    page.evaluate("history.pushState({}, '', 'c')")

    seen = site.stitched(
        walk,
        [
            "page visit a backfilled",
            "track visit a identified",
            "track signup a identified",
            "page visit b identified",
            "track signup b identified",
            "track visit b identified",
            "page visit c anonymous",
        ],
        lambda one: f"{one.type} {one.name} {one.path} {one.attribution}",
    )
    assert ["", *["1001"] * 5, ""] == [one.user_id for one in seen]
    assert 1 == len({one.anonymous_id for one in seen[:6]})
    assert seen[0].anonymous_id != seen[6].anonymous_id
    assert ("letter", "1") == (seen[0].properties["utm_source"], seen[0].properties["visit"])
    assert ("0", "1") == (seen[3].properties["visit"], seen[6].properties["visit"])
    assert {"plan": "silver"}.items() <= seen[2].properties.items()
    assert {"plan": "gold", "from-page": "a--b"}.items() <= seen[4].properties.items()


# --- from one domain to another --------------------------------------------------------------------------------------


def test_a_visitor_is_handed_over_between_our_domains(context: BrowserContext, site: TrackedSite, walk: str) -> None:
    """One ID on both origins, so the sign-in over there explains the pages here; the address shows nothing of it."""
    page = open_page(context, site.at("linked", walk))
    page.locator("#over").click()
    page.wait_for_url("**/there*")
    page.wait_for_function("window.seamline && !location.search.includes('_seam')")
    page.evaluate("seamline.identify('mila')")

    seen = site.stitched(walk, ["page a backfilled", "page there backfilled", "identify there identified"])
    assert 1 == len({one.anonymous_id for one in seen})
    assert not any("_seam" in one.url + one.referrer for one in seen)
    assert page.url.startswith(f"http://localhost:{site.port}/linked/{walk}/there?a=")


def test_nobody_is_handed_over_to_a_page_that_lists_nobody(
    context: BrowserContext, site: TrackedSite, walk: str
) -> None:
    """Each of two domains names the other, or the visitor is a new one; the address is cleaned all the same."""
    page = open_page(context, site.at("linked", walk))
    page.locator("#unrelated").click()
    page.wait_for_url("**/there")

    seen = site.stitched(walk, ["page a anonymous", "page there anonymous"])
    assert 2 == len({one.anonymous_id for one in seen})


@pytest.mark.parametrize(("age_s", "referrer"), [(121, True), (0, False)], ids=["old", "from nowhere"])
def test_a_link_that_anybody_could_have_written_gives_no_id(
    context: BrowserContext, site: TrackedSite, walk: str, age_s: int, referrer: bool
) -> None:
    """An old link, or one that does not come from a domain of ours, names nobody."""
    page = context.new_page()
    given = "ab" * 16
    page.goto(site.at("linked", walk, host="localhost"))
    stamp = page.evaluate(f"Math.floor(Date.now() / 1000 - {age_s}).toString(36)")
    came_from = site.at("linked", walk, host="localhost") if referrer else None
    page.goto(site.at("linked", walk, f"there?_seam={given}.{stamp}"), referer=came_from)

    seen = site.stitched(walk, ["page a anonymous", "page there anonymous"])
    assert given not in {one.anonymous_id for one in seen}
    assert "_seam" not in page.url


def test_a_fresh_link_from_a_domain_of_ours_gives_its_id(context: BrowserContext, site: TrackedSite, walk: str) -> None:
    """The counterpart of the test above: the same link, young and from there, does."""
    page = context.new_page()
    given = "ab" * 16
    page.goto(site.at("linked", walk, host="localhost"))
    stamp = page.evaluate("Math.floor(Date.now() / 1000 - 100).toString(36)")
    came_from = site.at("linked", walk, host="localhost")
    page.goto(site.at("linked", walk, f"there?_seam={given}.{stamp}"), referer=came_from)

    seen = site.stitched(walk, ["page a anonymous", "page there anonymous"])
    assert given == seen[1].anonymous_id
