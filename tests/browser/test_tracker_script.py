"""Our tracker script in a real browser: pages, sign-ins, and visitors from another domain; looked at as actions."""

import pytest
from playwright.sync_api import BrowserContext

from tests.browser.tracked_site import Seen, TrackedSite, named, open_page

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]


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
