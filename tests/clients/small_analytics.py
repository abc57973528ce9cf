"""Clients of Snowplow, Umami and Plausible, each playing steps in its own words; it knows no endpoint but a URL."""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import umami
from playwright.sync_api import Page
from snowplow_tracker import Emitter, PageView, Subject, Tracker

from tests.clients.steps import HOST, Step, Visitor
from tests.clients.trackers import installed_node_clients, run_node
from tests.support.chromium import chromium

APP_ID = DOMAIN = "demo"
WEBSITE = "00000000-0000-4000-8000-000000000001"


def _told(steps: Sequence[Step]) -> list[Step]:
    """None of these has a word for signing out: the user is left out from then on."""
    return [step for step in steps if step.kind != "sign_out"]


class SnowplowPython:
    """snowplow-tracker: batches by POST, or a GET each."""

    def __init__(self, method: str = "post") -> None:
        self._method = method

    def play(self, url: str, visitor: Visitor, steps: Sequence[Step]) -> None:
        failures: list[Any] = []
        where = urlsplit(url)
        emitter = Emitter(
            str(where.hostname),
            protocol="http",
            port=where.port,
            method=self._method,
            on_failure=lambda _, events: failures.extend(events),
        )
        tracker = Tracker("shop", emitter, app_id=APP_ID)
        for step in _told(steps):
            subject = Subject().set_platform("web").set_domain_user_id(visitor.anonymous_id)
            subject.set_useragent(visitor.user_agent).set_lang(visitor.language)
            if step.user_id:
                subject.set_user_id(step.user_id)
            tracker.track(PageView(step.url, step.title, event_subject=subject, true_timestamp=step.at_ms))
        tracker.flush()
        assert failures == []


class SnowplowNode:
    """@snowplow/node-tracker: the same."""

    def __init__(self, get: bool = False) -> None:
        self._get = get

    def play(self, url: str, visitor: Visitor, steps: Sequence[Step]) -> None:
        device = {"id": visitor.anonymous_id, "userAgent": visitor.user_agent, "language": visitor.language}
        said = [{"url": s.url, "title": s.title, "userId": s.user_id, "atMs": s.at_ms} for s in _told(steps)]
        run_node("snowplow.js", {"url": url, "appId": APP_ID, "device": device, "get": self._get, "steps": said})


class UmamiPython:
    """umami-analytics: a page view each, at once; the user is said with each. It keeps no device."""

    def play(self, url: str, visitor: Visitor, steps: Sequence[Step]) -> list[dict[str, Any]]:
        """The replies."""
        umami.set_url_base(url)
        words = {"hostname": HOST, "website_id": WEBSITE, "ua": visitor.user_agent, "language": visitor.language}
        return [
            umami.new_page_view(step.title, step.path, distinct_id=step.user_id or None, **words)
            for step in _told(steps)
        ]


class UmamiNode:
    """@umami/node: the sign-in is its `identify`, which names no page."""

    def play(self, url: str, visitor: Visitor, steps: Sequence[Step]) -> list[dict[str, Any]]:
        """The replies."""
        said = [
            {"path": s.path, "title": s.title, "userId": s.user_id, "signsIn": s.kind == "sign_in"}
            for s in _told(steps)
        ]
        told = {"url": url, "website": WEBSITE, "host": HOST, "userAgent": visitor.user_agent, "steps": said}
        return [json.loads(line) for line in run_node("umami.js", told).splitlines()]


class PlausibleBrowser:
    """@plausible-analytics/tracker in Chromium: our convention says who it is, by its own `customProperties`."""

    def play(self, url: str, visitor: Visitor, steps: Sequence[Step]) -> None:
        script = installed_node_clients() / "node_modules" / "@plausible-analytics" / "tracker" / "plausible.js"
        with _page_server(script) as address, chromium() as browser:
            page = browser.new_page(user_agent=visitor.user_agent, locale=visitor.language)
            page.goto(f"http://{address}/")
            page.evaluate(_INIT, {"endpoint": f"{url}/api/event", "domain": DOMAIN})
            for step in _told(steps):
                assert _say(page, visitor, step) == 202


_PAGE = (
    b'<!doctype html><script type="module">import * as tracker from "/plausible.js"; window.tracker = tracker</script>'
)
_INIT = """({endpoint, domain}) => {
  window.who = {};
  tracker.init({endpoint, domain, autoCapturePageviews: false, captureOnLocalhost: true,
    customProperties: () => window.who});
}"""
_SAY = """({who, url}) => new Promise((done) => {
  window.who = who;
  tracker.track("pageview", {url, callback: (answer) => done(answer.status ?? String(answer.error))});
})"""


def _say(page: Page, visitor: Visitor, step: Step) -> Any:
    """The reply's status."""
    who = {"anonymous_id": visitor.anonymous_id} | ({"user_id": step.user_id} if step.user_id else {})
    return page.evaluate(_SAY, {"who": who, "url": step.url})


@contextmanager
def _page_server(script: Path) -> Iterator[str]:
    """Serves an empty page and the script that it loads, on loopback; host and port."""
    files = {"/": (b"text/html", _PAGE), "/plausible.js": (b"text/javascript", script.read_bytes())}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            kind, body = files.get(self.path, (b"text/plain", b""))
            self.send_response(200 if body else 404)
            self.send_header("content-type", kind.decode())
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
