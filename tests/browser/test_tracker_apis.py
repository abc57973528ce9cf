"""The three APIs of our tracker script: its own before load, Contentsquare's commands, MetricsWave's snippet."""

import hashlib

import pytest
from playwright.sync_api import BrowserContext

from tests.browser.tracked_site import SIGNUP, TrackedSite, named, open_page

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

MILA = "mila@shop.example"


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
