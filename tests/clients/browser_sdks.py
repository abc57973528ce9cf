"""Browser SDKs of Segment and PostHog in Chromium, playing the same story; they know no endpoint but a URL.

Their pages stand at an address that only the browser believes in; what the SDK sends goes to the endpoint for real.
"""

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Page, Response, Route

from tests.clients.analytics import KEY
from tests.clients.trackers import installed_node_clients

SHOP = "http://shop.localhost"
SETTLED_MS = 10_000


class BrowserSdk:
    """`folder` of the package's files, the `script` to load, and in `words` its JavaScript for each part."""

    def __init__(self, folder: str, script: str, words: dict[str, str]) -> None:
        self._folder, self._script, self._words = folder, script, words

    def play(self, browser: Browser, url: str, user: str) -> list[list[str]]:
        """The anonymous IDs on the laptop (before login, after logout) and on the phone (before login)."""
        laptop, phone = (browser.new_context(permissions=["local-network-access"]) for _ in range(2))
        try:
            first = self._open(laptop, url)
            ids = [self._visit(first, user)]
            self._say(first, "logout")
            self._walk(first, "/bye")
            ids[0].append(self._say(first, "anonymous"))
            ids.append(self._visit(self._open(phone, url), user, "/phone", "/basket"))
        finally:
            laptop.close()
            phone.close()
        return ids

    def _visit(self, page: Page, user: str, before: str = "/", after: str = "/account") -> list[str]:
        """A page, the login, a page; the anonymous ID before the login."""
        self._walk(page, before)
        anonymous_id = self._say(page, "anonymous")
        self._say(page, "login", user)
        self._walk(page, after)
        return [anonymous_id]

    def _walk(self, page: Page, path: str) -> None:
        page.evaluate("path => history.pushState({}, '', path)", path)
        self._say(page, "page")

    def _say(self, page: Page, word: str, *arguments: str) -> Any:
        """Run it, and wait until what it sends is answered."""
        if word in ("page", "login"):
            with page.expect_response(lambda r: _carries_hits(r) and r.ok, timeout=SETTLED_MS):
                return page.evaluate(self._words[word], list(arguments))
        return page.evaluate(self._words[word], list(arguments))

    def _open(self, context: BrowserContext, url: str) -> Page:
        files = installed_node_clients() / "node_modules" / self._folder
        context.route(f"{SHOP}/**", lambda route: _serve(route, files))
        page = context.new_page()
        page.goto(f"{SHOP}/start")
        page.add_script_tag(url=f"{SHOP}/files/{self._script}")
        page.evaluate(self._words["start"], [url, KEY])
        return page


def _carries_hits(response: Response) -> bool:
    """A POST, but for PostHog's question about feature flags."""
    return response.request.method == "POST" and "/flags" not in response.url


def _serve(route: Route, files: Path) -> None:
    path = urlsplit(route.request.url).path
    if path.startswith("/files/"):
        route.fulfill(path=files / path.removeprefix("/files/"), content_type="text/javascript")
    else:
        route.fulfill(body="<!doctype html><title>Shop</title><body>", content_type="text/html")


ANALYTICS_NEXT = BrowserSdk(
    "@segment/analytics-next/dist/umd",
    "index.js",
    {
        "start": """async ([url, key]) => {
            const apiHost = new URL(url).host + "/v1";
            const integrations = {"Segment.io": {apiHost, protocol: "http"}};
            window.sdk = await window.AnalyticsNext.AnalyticsBrowser.load({writeKey: key, cdnURL: url}, {integrations});
        }""",
        "page": "() => { window.sdk[0].page(); }",
        "login": "([user]) => { window.sdk[0].identify(user, {plan: 'pro'}); }",
        "logout": "() => window.sdk[0].reset()",
        "anonymous": "() => window.sdk[0].user().anonymousId()",
    },
)
_POSTHOG_OPTIONS = json.dumps(
    {
        "opt_out_useragent_filter": True,
        "request_batching": False,
        "autocapture": False,
        "capture_pageview": False,
        "capture_pageleave": False,
        "disable_session_recording": True,
        "person_profiles": "identified_only",
        "disable_surveys": True,
    }
)
POSTHOG_JS = BrowserSdk(
    "posthog-js/dist",
    "array.full.js",
    {
        "start": f"([url, key]) => {{ window.posthog.init(key, {{...{_POSTHOG_OPTIONS}, api_host: url}}); }}",
        "page": "() => { window.posthog.capture('$pageview'); }",
        "login": "([user]) => { window.posthog.identify(user, {plan: 'pro'}); }",
        "logout": "() => window.posthog.reset()",
        "anonymous": "() => window.posthog.get_distinct_id()",
    },
)
