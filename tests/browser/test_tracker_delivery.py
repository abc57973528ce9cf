"""What our tracker script sends: all of it, once to the eye, also offline, at the end of a page, and past trouble."""

from typing import Any

import pytest
from playwright.sync_api import BrowserContext

from tests.browser.tracked_site import QUEUED, TrackedSite, hits_of, named, open_page

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

QUEUE_MAX, BATCH_MAX = 200, 20
STRAY_MS = 12_000
BEACONS = """
const real = navigator.sendBeacon.bind(navigator);
navigator.sendBeacon = (url, body) => real(url, body) && (sessionStorage.beacons = body);
"""
NO_COOKIES = "Object.defineProperty(document, 'cookie', { get: () => '', set() {} });"
NO_STORAGE = "Object.defineProperty(window, 'localStorage', { get() { throw new Error('blocked') } });"


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
    in_order = sorted((hit["ts"], hit["properties"]["i"]) for batch in batches for hit in batch)
    assert (45, list(range(45))) == (len({ts for ts, _ in in_order}), [i for _, i in in_order])
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


def test_a_value_that_is_no_json_costs_one_call(context: BrowserContext, site: TrackedSite, walk: str) -> None:
    """The page goes on, and so does the script."""
    page = open_page(context, site.at("native", walk))
    page.evaluate("const round = {}; round.self = round; seamline.track('Round', round)")
    page.evaluate("seamline.track('Read', null, null)")

    site.stitched(walk, ["page a anonymous", "track Read anonymous"], named)


@pytest.mark.parametrize("blocked", [NO_COOKIES, NO_STORAGE], ids=["no cookies", "no localStorage"])
def test_either_storage_is_enough(context: BrowserContext, site: TrackedSite, walk: str, blocked: str) -> None:
    """The visitor is the same on the next page."""
    context.add_init_script(blocked)
    page = open_page(context, site.at("native", walk))
    site.stitched(walk, ["page a anonymous"])
    page.goto(site.at("native", walk, "b"))

    seen = site.stitched(walk, ["page a anonymous", "page b anonymous"])
    assert seen[0].anonymous_id == seen[1].anonymous_id != ""


def test_without_any_storage_each_page_is_seen(context: BrowserContext, site: TrackedSite, walk: str) -> None:
    """By visitors of one page; a sign-in holds until it is left."""
    context.add_init_script(NO_COOKIES + NO_STORAGE)
    page = open_page(context, site.at("native", walk))
    page.evaluate("seamline.identify('mila'); seamline.identify('mila'); seamline.track('Read')")

    site.stitched(walk, ["page a backfilled", "identify a identified", "track a carried"])


def test_a_broken_queue_stops_nothing(context: BrowserContext, site: TrackedSite, walk: str) -> None:
    """Whatever else wrote into the storage."""
    page = open_page(context, site.at("native", walk))
    page.evaluate("localStorage['_seam.q.00000000.0'] = localStorage['_seam.q.x'] = 'broken'")
    page.evaluate("localStorage['_seam.user'] = localStorage['_seam.props'] = '[broken'; seamline.track('Read')")
    page.goto(site.at("native", walk, "b"))

    site.stitched(walk, ["page a anonymous", "track a anonymous", "page b anonymous"])
