"""A hundred payloads in every field a tracker can send, and in every address: the report page runs none of them."""

import time
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from playwright.sync_api import Browser

from pipeline.identity.ids import user_person
from tests.browser.reported_site import ReportedSite
from tests.report.web.seeded import SHOP, sites
from tests.support.deployment import Embedded

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]
_RUNS = ("window.pwned=1", "top['pwned']=1", "Function('window.pwned=1')()", "setTimeout('window.pwned=1')")
_SHELLS = (
    "<script>{}</script>",
    "</script><script>{}</script>",
    "<img src=x onerror={}>",
    '"><img src=x onerror={}>',
    "'><svg onload={}>",
    "<svg><script>{}</script></svg>",
    '" onfocus={} autofocus x="',
    "' onmouseover={} '",
    "</title><script>{}</script>",
    "</textarea><script>{}</script>",
    "</style><script>{}</script>",
    "<iframe srcdoc='<script>parent.pwned=1</script>'>{}",
    "<a href=javascript:{}>x</a>",
    "javascript:{}",
    "data:text/html,<script>{}</script>",
    "{{{{ {} }}}}",
    "{{% if {} %}}x{{% endif %}}",
    "<math><mi xlink:href=javascript:{}>",
    "<details open ontoggle={}>",
    "<base href=//evil.example>{}",
    "<form action=//evil.example><input autofocus onfocus={}>",
    "<meta http-equiv=refresh content='0;url=javascript:{}'>",
    "]]><script>{}</script>",
    "--><script>{}</script>",
    "\u2028<script>{}</script>\u202e",
)
PAYLOADS = tuple(shell.format(run) for shell in _SHELLS for run in _RUNS)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReportedSite]:
    """One person who did everything, and a hundred whose very IDs are payloads."""
    folder = tmp_path_factory.mktemp("hostile")
    up = Embedded(folder, sites(folder))
    up.start()
    try:
        site = ReportedSite(up, f"{up.url}/report/{SHOP}", user_person(SHOP, "victim"))
        items = list(_items(time.time_ns() // 1_000_000 - 5 * 3_600_000))
        site.send(items)
        site.settle(len(items))
        _name_segments(site)
        yield site
    finally:
        up.stop_stage("up")


def _items(start_ms: int) -> Iterator[dict[str, Any]]:
    for number, text in enumerate(PAYLOADS):
        address = f"https://x.example/{text}?utm_source={quote(text)}&utm_campaign={quote(text)}"
        shown = {
            "type": "track", "name": text, "title": text, "url": address, "referrer": f"https://y.example/{text}",
            "event_id": f"{text}#{number}"[:200], "properties": {text: text}, "language": "en",
        }  # fmt: skip
        yield {
            **shown,
            "revenue": 5.0,
            "currency": "EUR",
            "anonymous_id": "one",
            "ts": start_ms + number * 60_000,
            "user_id": "victim",
            "traits": {f"k{text}": text},
        }
        page = {**shown, "type": "page", "name": "", "event_id": f"p{number}"}
        yield {
            **page,
            "anonymous_id": text[:200],
            "user_id": f"{text[:180]}{number}",
            "ts": start_ms + number * 60_000 + 1_000,
        }


def _name_segments(site: ReportedSite) -> None:
    """Segments that say payloads: every page shows those that have a name."""
    for number, text in enumerate(PAYLOADS[::17]):
        said = text.replace("\\", "").replace('"', "'")
        form = {"do": "save", "name": f"payload-{number}", "segment": f'name = "{said}"'}
        reply = httpx.post(f"{site.root}/segments", data=form, headers={"origin": site.up.url})
        assert 303 == reply.status_code


def test_there_are_a_hundred() -> None:
    """Each another one."""
    assert 100 == len(set(PAYLOADS))


def test_no_payload_runs(browser: Browser, hostile: ReportedSite) -> None:
    """Not on any page, in any explanation, in a tip or a live row; the policy has nothing to refuse either."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
    page = context.new_page()
    page.set_default_timeout(30_000)
    troubles: list[str] = []
    page.on("dialog", lambda dialog: (troubles.append(f"dialog {dialog.message}"), dialog.dismiss()))
    page.on("console", lambda said: troubles.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on(
        "framenavigated", lambda frame: troubles.append(frame.url) if not frame.url.startswith(hostile.up.url) else None
    )

    for path in _addresses(hostile):
        page.goto(f"{hostile.root}/{path}")
        assert (path, None) == (path, page.evaluate("window.pwned ?? null"))
        assert (path, 0) == (path, page.locator("iframe, base, main script, [onerror], [onload], [onfocus]").count())
    page.goto(f"{hostile.root}/persons/{hostile.person}")
    for number in range(0, 100, 25):
        row = page.locator(".act").nth(number)
        row.locator("xpath=ancestor::details").evaluate("node => { node.open = true }")
        row.click()
        page.locator(f"#reason:has-text('{number}')").wait_for()
    page.locator(".axis a[data-t]").first.hover(force=True)
    assert page.evaluate("window.pwned ?? null") is None
    context.close()

    assert [] == [text for text in troubles if "status of 40" not in text]


def _addresses(site: ReportedSite) -> Sequence[str]:
    others = site.up.query(
        "SELECT toString(person_id) FROM persons WHERE workspace = 'velo' ORDER BY person_id LIMIT 3"
    )
    said = [quote(text, safe="") for text in PAYLOADS[:100:13]]
    return [
        "overview", "persons", "visits", "segments", f"persons/{site.person}", f"persons/{site.person}?zoom=2",
        "devices", "campaigns", "identity", "funnel",
        *(f"persons/{row[0]}" for row in others),
        *(f"persons?q={text}&segment={text}" for text in said),
        *(f"segments?a={text}&b={text}" for text in said[:5]),
        *(f"persons/{site.person}?why={text}&day={text}&zoom={text}" for text in said[:5]),
        *(f"{text}" for text in said[:3]),
        *(f"funnel?step1={text}&step2=%22{text}%22&within={text}&segment={text}" for text in said[5:7]),
        *(f"funnel?step1={text}&step2=%2F{text}&segment={text}" for text in said[5:7]),
        *(f"campaigns?goal={text}&level={text}&by={text}&segment={text}" for text in said[6:8]),
        *(f"devices?goal={text}&unit={text}&segment=%40{text}" for text in said[6:8]),
        *(f"segments?saved={text}&dropped={text}&keep={text}" for text in said[6:8]),
    ]  # fmt: skip
