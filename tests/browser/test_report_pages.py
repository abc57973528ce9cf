"""The report page in a real browser: every page, wide and narrow, light and dark, by keyboard, and without script."""

import re
import time
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from pipeline.limits import DAY_MS
from pipeline.times import iso
from tests.browser.exhausted_pages import exhausted_pages
from tests.browser.reported_site import ReportedSite, reported_site
from tests.clients.trackers import installed_node_clients
from tests.report.web.seeded import FIRST, NEW

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
expect.set_options(timeout=30_000)  # a machine that does other things too
PAGES = (
    *("overview", "persons", "visits", "segments", "journey", "explained", "busy", "sign-in", "empty", "beginning"),
    *("devices", "funnel", "campaigns", "identity", "nobody"),
)
AXE_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
COLOUR_RULES = [
    "color-contrast",
    "link-in-text-block",
]  # all that the other theme can break: the page is the same but for its colours
AXE = "rules => axe.run(document, {runOnly: rules, resultTypes: ['violations']})"
FOCUSED = "document.activeElement.getAttribute('href') ?? document.activeElement.id"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReportedSite]:
    """One for the module: nothing here changes it but new hits of their own."""
    with reported_site(tmp_path_factory.mktemp("reported")) as opened:
        yield opened


class Looked(NamedTuple):
    """A page, where it asked, and what was complained about."""

    page: Page
    hosts: set[str]
    complaints: list[str]


def looked(context: BrowserContext) -> Looked:
    seen = Looked(context.new_page(), set(), [])
    seen.page.set_default_timeout(30_000)
    context.on("request", lambda request: seen.hosts.add(urlsplit(request.url).netloc))
    seen.page.on(
        "console", lambda said: seen.complaints.append(said.text) if said.type in ("error", "warning") else None
    )
    seen.page.on("pageerror", lambda error: seen.complaints.append(str(error)))
    return seen


@pytest.fixture
def look(browser: Browser, site: ReportedSite) -> Iterator[Looked]:
    """A wide, light one. At its end: nothing was asked of another host, nothing was complained about."""
    context = browser.new_context(viewport=WIDE, color_scheme="light", reduced_motion="reduce")  # type: ignore[arg-type]
    seen = looked(context)
    yield seen
    context.close()
    assert {urlsplit(site.root).netloc} == seen.hosts
    assert [] == seen.complaints


def address(site: ReportedSite, name: str) -> str:
    busy = site.up.query("SELECT toString(any(person_id)) FROM actions WHERE user_id = 'u-27640'")[0][0]
    event = site.up.query("SELECT min(event_id) FROM actions WHERE title = 'Size guide'")[0][0]
    return {
        "journey": site.journey,
        "explained": f"{site.journey}?why={event}",
        "busy": f"{site.root}/persons/{busy}?day={iso(time.time_ns() // 1_000_000 - 3 * DAY_MS)[:10]}",
        "whole list": f"{site.root}/persons/{busy}",
        "beginning": f"{site.up.url}/report/{NEW}/overview",
        "nobody": f"{site.root}/persons/00000000-0000-0000-0000-000000000001",
        "funnel": f"{site.root}/funnel?step1=%2Fbikes&step2=%2Fbasket&step3=Order",
        "sign-in": f"{site.up.url}/report/sign-in",
        "empty": f"{site.root}/persons?q=nobody-at-all",
    }.get(name, f"{site.root}/{name}")


def fits_and_is_accessible(page: Page, name: str) -> None:
    axe = (installed_node_clients() / "node_modules" / "axe-core" / "axe.min.js").read_text()
    assert (name, 0) == (name, page.evaluate("document.documentElement.scrollWidth - innerWidth"))
    page.evaluate(axe)
    for scheme, rules in (("light", AXE_RULES), ("dark", COLOUR_RULES)):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        found: dict[str, Any] = page.evaluate(AXE, rules)
        wrong = [(v["id"], v["nodes"][0]["html"][:200]) for v in found["violations"]]
        assert (name, scheme, []) == (name, scheme, wrong)
    page.emulate_media(color_scheme="light")


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["desktop", "phone"])
def test_every_page_fits_and_is_accessible(browser: Browser, site: ReportedSite, size: dict[str, int]) -> None:
    """No sideways scrolling, no request elsewhere, no complaint, nothing found by axe-core; in the dark neither."""
    context = browser.new_context(viewport=size, color_scheme="light", reduced_motion="reduce", bypass_csp=True)  # type: ignore[arg-type]
    seen = looked(context)
    for name in (*PAGES, *(["whole list"] if size is WIDE else [])):
        seen.page.goto(address(site, name))
        fits_and_is_accessible(seen.page, name)
    context.close()
    assert {urlsplit(site.root).netloc} == seen.hosts
    assert [line for line in seen.complaints if "404" not in line and "403" not in line] == []


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["desktop", "phone"])
def test_a_page_with_parts_that_are_not_told_fits_too(
    browser: Browser, site: ReportedSite, size: dict[str, int]
) -> None:
    """Each part says so in its place, with the shorter period; on paper too, without its buttons."""
    context = browser.new_context(viewport=size, color_scheme="light", reduced_motion="reduce", bypass_csp=True)  # type: ignore[arg-type]
    seen = looked(context)
    with exhausted_pages(context, site) as exhausted:
        for name, left in (("overview", 2), ("persons?sort=first", 2), ("visits", 0)):
            exhausted.left = left
            seen.page.goto(f"{site.root}/{name}")
            fits_and_is_accessible(seen.page, name)
            expect(seen.page.get_by_role("status").first).to_contain_text("and was stopped.")
            expect(seen.page.get_by_role("link", name="Show 7 days instead").first).to_be_visible()
        seen.page.emulate_media(media="print")
        expect(seen.page.get_by_role("status").first).to_be_visible()
        expect(seen.page.locator("a:visible", has_text="Show 7 days instead")).to_have_count(0)
    context.close()
    assert [] == seen.complaints


def test_the_journey_draws_what_the_warehouse_knows(look: Looked, site: ReportedSite) -> None:
    """A lane a device, a mark an action, a bracket a claim, and nobody's time beside them."""
    look.page.goto(site.journey)
    (theirs,) = site.up.query("SELECT count(), uniq(device) FROM journey(person = {p:UUID})", {"p": site.person})

    expect(look.page.get_by_role("heading", name="Mara Lindqvist", level=1)).to_be_visible()
    expect(look.page.locator(".lane-name")).to_have_count(theirs[1])
    expect(look.page.locator(".act:not(.nobody)")).to_have_count(theirs[0])
    expect(look.page.locator(".claim-word")).to_have_text(
        ["claimed 8 earlier actions", "claimed 10 earlier actions", "claimed 2 earlier actions"]
    )
    expect(look.page.locator(".axis .nobody-word", has_text="nobody’s")).to_have_text(["2 nobody’s", "3 nobody’s"])
    named = look.page.locator(".axis a.backfilled").first
    expect(named).to_have_accessible_name(re.compile("iOS · Mobile Safari, page Gravel bikes, backfilled$"))
    expect(look.page.locator(".axis *")).not_to_have_count(0)
    assert look.page.locator(".time-scroll .axis *").count() <= 1_500


def test_every_action_explains_itself(look: Looked, site: ReportedSite) -> None:
    """By a click: the rule, the sign-in, and the address to send to somebody; closing gives the focus back."""
    look.page.goto(site.journey)
    row = look.page.locator(".act", has_text="Size guide")
    row.click()
    panel = look.page.locator("#reason")

    expect(panel.get_by_role("heading", level=2)).to_contain_text("Why does this belong to Mara Lindqvist?")
    expect(panel.locator(".verdict")).to_contain_text("u-20417 signed in on this device 1 d 12 h later")
    expect(panel.locator(".rung.decides")).to_contain_text("Does the next sign-in explain it?")
    expect(look.page.locator("#reason-h")).to_be_focused()
    assert "why=" in look.page.url
    look.page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    assert "#" + (row.get_attribute("id") or "") == look.page.evaluate(FOCUSED)


def test_nobodys_actions_explain_themselves_too(look: Looked, site: ReportedSite) -> None:
    """Two people use the tablet, and Seamline does not guess."""
    look.page.goto(site.journey)
    look.page.locator(".act.nobody", has_text="Help centre").click()

    expect(look.page.locator("#reason-h")).to_have_text("Why does this belong to nobody?")
    expect(look.page.locator(".rung.decides")).to_contain_text("between the logins of u-11873")


def test_the_keyboard_goes_everywhere(look: Looked, site: ReportedSite) -> None:
    """The axis is one tab stop; the keys do what the list under `?` says."""
    page = look.page
    page.goto(site.journey)
    order = page.evaluate("[...document.querySelectorAll('.axis a[data-t]')].map(m => m.getAttribute('href'))")
    logins = page.evaluate("[...document.querySelectorAll('.axis a[data-login]')].map(m => m.getAttribute('href'))")

    def pressed(*keys: str) -> Any:
        for key in keys:
            page.keyboard.press(key)
        return page.evaluate(FOCUSED)

    assert 1 == page.locator(".axis a[tabindex='0']").count()
    page.locator(".axis a[tabindex='0']").focus()
    assert order[0] == page.evaluate(FOCUSED)
    assert (order[1], order[2], order[1]) == (pressed("ArrowRight"), pressed("ArrowRight"), pressed("ArrowLeft"))
    assert (order[-1], order[0]) == (pressed("End"), pressed("Home"))
    assert (logins[0], logins[1]) == (pressed("l"), pressed("l"))
    lane = "+document.activeElement.dataset.lane"
    before = page.evaluate(lane)
    pressed("ArrowDown")
    assert before < page.evaluate(lane)
    pressed("Home")
    pressed("]")
    assert "2" == page.evaluate("document.activeElement.dataset.visit")
    assert order[0] == pressed("[")
    pressed("+")
    expect(page.locator(".time-scroll")).to_have_attribute("data-level", "1")
    pressed("0")
    expect(page.locator(".time-scroll")).to_have_attribute("data-level", "0")
    pressed("Enter")
    expect(page.locator("#reason-h")).to_be_focused()
    assert order[0] == pressed("Escape")
    pressed("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    pressed("Escape")
    assert "q" == pressed("/")


def test_zooming_keeps_the_action_and_shows_titles(look: Looked, site: ReportedSite) -> None:
    """Rendered by the server, swapped by the script, and in the address."""
    look.page.goto(site.journey)
    look.page.get_by_role("link", name="Zoom in").click()
    expect(look.page.locator(".time-scroll")).to_have_attribute("data-level", "1")
    look.page.get_by_role("link", name="Zoom in").click()
    expect(look.page.locator(".time-scroll")).to_have_attribute("data-level", "2")

    expect(look.page.locator(".axis .title-word", has_text="Gallery")).to_be_attached()
    assert "zoom=2" in look.page.url


def test_filters_hide_what_they_name(look: Looked, site: ReportedSite) -> None:
    """By attribution and by device."""
    look.page.goto(site.journey)
    look.page.get_by_role("button", name="backfilled").click()
    expect(look.page.locator(".act[data-att=backfilled]:visible")).to_have_count(0)
    look.page.get_by_label("Device", exact=True).select_option(index=3)
    expect(look.page.locator(".visit:visible")).to_have_count(1)


def test_everything_is_there_without_script(browser: Browser, site: ReportedSite) -> None:
    """Pages, zoom, explanation, search: links and forms."""
    context = browser.new_context(viewport=WIDE, java_script_enabled=False)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(f"{site.root}/overview")
    page.locator("#q").fill("u-20417")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Mara Lindqvist", level=1)).to_be_visible()
    page.locator(".act", has_text="Size guide").locator(".why").click()
    expect(page.locator(".verdict")).to_contain_text("Backfilled")
    page.get_by_role("link", name="Zoom in").click()
    expect(page.locator(".time-scroll")).to_have_attribute("data-level", "1")
    page.get_by_role("link", name="Close the explanation").click()
    expect(page.locator(".verdict")).to_have_count(0)
    context.close()


def test_hits_appear_while_somebody_looks(look: Looked, site: ReportedSite) -> None:
    """Within seconds, with a link to the action; Pause stops them."""
    look.page.goto(f"{site.root}/overview")
    device = f"live-{time.time_ns()}"
    site.send([{"type": "page", "title": "Seen live", "anonymous_id": device, "url": "https://shop.velo.example/live"}])
    fresh = look.page.locator(".feed li", has_text="Seen live")
    expect(fresh).to_have_count(1, timeout=20_000)
    look.page.get_by_role("button", name="Pause").click()
    expect(look.page.get_by_role("button", name="Go on")).to_have_attribute("aria-pressed", "true")
    fresh.get_by_role("link").click()
    expect(look.page.locator(".act:target")).to_contain_text("Seen live")


def test_a_beginners_page_notices_the_first_hit(look: Looked, site: ReportedSite) -> None:
    """By itself: what is done has a tick, what is still to come stays on the list."""
    look.page.goto(f"{site.up.url}/report/{FIRST}/overview")
    expect(look.page.get_by_role("heading", name="Your first journey is one line away.")).to_be_visible()
    expect(look.page.locator(".paste pre").first).to_contain_text(f'{site.up.url}/seamline.js" data-key="{FIRST}"')
    site.send([{"type": "page", "title": "First", "anonymous_id": "one", "url": "https://shop.example/"}], FIRST)

    expect(look.page.get_by_role("heading", name="The first journey", exact=True)).to_be_visible()
    expect(look.page.locator(".check li", has_text="(done)")).to_have_count(2)
    expect(look.page.locator(".check li", has_text="First sign-in")).to_contain_text("to come")


def test_a_wrong_segment_says_where(look: Looked, site: ReportedSite) -> None:
    """Under the field, with a caret at the place; the other pages go on with everybody."""
    look.page.goto(f"{site.root}/segments?a=devices+%3E%3D+many")

    expect(look.page.get_by_role("alert")).to_contain_text("^")
    look.page.goto(f"{site.root}/segments?a=devices+%3E%3D+2&b=devices+%3D+1")
    expect(look.page.locator(".vs tbody tr")).not_to_have_count(0)


def test_a_page_can_be_printed(look: Looked, site: ReportedSite) -> None:
    """Lists and plots stay, with what stands behind them; the controls go."""
    look.page.emulate_media(media="print")
    look.page.goto(site.journey)
    expect(look.page.locator(".time-scroll .axis")).to_be_visible()
    expect(look.page.locator(".top")).to_be_hidden()

    look.page.goto(address(site, "funnel"))
    expect(look.page.locator("svg.chart-820")).to_be_visible()
    expect(look.page.locator("button:visible, input:visible, select:visible")).to_have_count(0)
    look.page.goto(f"{site.root}/segments")
    expect(look.page.get_by_role("button", name="Save")).to_be_hidden()


def test_a_segment_gets_a_name_and_loses_it(look: Looked, site: ReportedSite) -> None:
    """From the page's own form: it is a chip on other pages at once; removed, its conditions are kept in the form."""
    page = look.page
    page.goto(f"{site.root}/segments?a=devices+%3E%3D+2")
    page.get_by_label("Name", exact=True).fill("many-devices")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_have_text("Saved as @many-devices.")

    page.goto(f"{site.root}/devices")
    page.get_by_role("link", name="@many-devices").click()
    expect(page.get_by_role("link", name="@many-devices")).to_have_attribute("aria-current", "true")
    page.goto(f"{site.root}/segments")
    page.get_by_role("button", name="Remove @many-devices").click()
    expect(page.get_by_role("status")).to_contain_text("@many-devices is gone")
    expect(page.get_by_label("Conditions", exact=True)).to_have_value("devices >= 2")
    expect(page.locator(".named")).to_have_count(0)


def test_a_page_that_takes_long_says_so(look: Looked, site: ReportedSite) -> None:
    """The numbers step back, then there is a shorter period to ask for; whoever comes back finds the page as it was."""
    page = look.page
    page.goto(f"{site.root}/identity")
    page.evaluate("addEventListener('click', event => event.preventDefault())")  # the next page never comes
    page.get_by_role("link", name="Funnel").click()

    expect(page.locator("#main")).to_have_attribute("aria-busy", "true")
    expect(page.locator(".still")).to_have_text("Still counting 28 days… Show 7 days instead")
    expect(page.locator(".still a")).to_have_attribute("href", re.compile("/funnel.*days=7"))
    page.evaluate("dispatchEvent(new Event('pageshow'))")
    expect(page.locator(".still")).to_have_count(0)
    expect(page.locator("#main")).not_to_have_attribute("aria-busy", "true")


def test_many_actions_keep_their_claims(look: Looked, site: ReportedSite) -> None:
    """A column a day has brackets for what sign-ins claimed over a day and more."""
    look.page.goto(address(site, "busy"))

    expect(look.page.locator(".time-dense .claim")).to_have_count(2)
    expect(look.page.locator(".time-dense .claim-word").first).to_have_text(re.compile(r"^claimed \d+$"))


def test_times_are_the_viewers(browser: Browser, site: ReportedSite) -> None:
    """The script notes the zone once; `datetime` stays UTC."""
    context = browser.new_context(viewport=WIDE, timezone_id="Asia/Tokyo")  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(site.journey)
    expect(page.locator(".foot")).to_contain_text("Times in Asia/Tokyo")
    first = page.locator(".act time").first
    shown, stored = first.text_content() or "", first.get_attribute("datetime") or ""
    assert (int(stored[11:13]) + 9) % 24 == int(shown[:2])
    context.close()
