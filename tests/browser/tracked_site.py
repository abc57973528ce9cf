"""A site whose pages carry our tracker script, and what became of its hits; it must not know what is done there."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from string import Template
from typing import Any, NamedTuple
from uuid import uuid4

import yaml
from playwright.sync_api import BrowserContext, Page, Request

from tests.support.deadline import wait_until
from tests.support.deployment import Embedded

VISIT, SIGNUP = "00000000-0000-4000-8000-00000000000a", "00000000-0000-4000-8000-00000000000b"
STITCHED_WITHIN_S = 20
QUEUED = "Object.keys(localStorage).filter((key) => key.startsWith('_seam.q.')).length"
_PAGES = Path(__file__).parent / "pages"
_ACTIONS = (
    "SELECT type, name, path(url), attribution, anonymous_id, user_id, toString(person_id), title, referrer, "
    "toString(properties), toString(traits), revenue, currency, toUnixTimestamp64Milli(ts), url, event_id "
    "FROM actions WHERE position(url, {walk:String}) > 0 ORDER BY ts, received_at, event_id"
)


class Seen(NamedTuple):
    """An action, as far as these tests ask."""

    type: str
    name: str
    path: str  # the last segment
    attribution: str
    anonymous_id: str
    user_id: str
    person_id: str
    title: str
    referrer: str
    properties: Mapping[str, Any]
    traits: Mapping[str, Any]
    revenue: float | None
    currency: str
    ts_ms: int
    url: str
    event_id: str


class TrackedSite(NamedTuple):
    """Pages at `http://127.0.0.1:port/<page>/<walk>/<name>`, where `walk` sets one test's visit apart."""

    port: int
    up: Embedded

    def at(self, page: str, walk: str, name: str = "a", host: str = "127.0.0.1") -> str:
        """The address of one."""
        return f"http://{host}:{self.port}/{page}/{walk}/{name}"

    def actions(self, walk: str) -> list[Seen]:
        """The stitched actions of the visit, in order."""
        return [_seen(row) for row in self.up.query(_ACTIONS, {"walk": walk})]

    def stitched(self, walk: str, expected: Sequence[str], tell: Callable[[Seen], str] | None = None) -> list[Seen]:
        """The actions once they read as `expected`, by default each as `type path attribution`."""
        line = tell or (lambda seen: f"{seen.type} {seen.path} {seen.attribution}")
        found: list[Seen] = []

        def right() -> bool:
            found[:] = self.actions(walk)
            return [line(seen) for seen in found] == list(expected)

        try:
            wait_until(right, STITCHED_WITHIN_S, pause_s=0.1)
        except AssertionError:
            told = [line(seen) for seen in found]
            raise AssertionError(f"expected {list(expected)}, got {told}") from None
        return found


def new_walk() -> str:
    """A path segment that no other test has."""
    return uuid4().hex[:12]


def open_page(context: BrowserContext, url: str) -> Page:
    """A tab in which the script has begun."""
    page = context.new_page()
    page.goto(url)
    return page


def hits_of(request: Request) -> list[dict[str, Any]]:
    """What a request of the script carries."""
    return list(json.loads(request.post_data or "[]"))


def named(seen: Seen) -> str:
    """An action with its name, if it has one."""
    return f"{seen.type} {seen.name or seen.path} {seen.attribution}"


@contextmanager
def tracked_site(folder: Path) -> Iterator[TrackedSite]:
    """A `seamline up` with a site of its own, and a server of pages on loopback."""
    site = {
        "workspace": "shop",
        "site": "web",
        "native": {"page_keys": ["page-key"]},
        "metricswave": {"events": {VISIT: "visit", SIGNUP: {"name": "signup", "required": ["plan"]}}},
    }
    sites = folder / "sites.yaml"
    sites.write_text(yaml.safe_dump({"sites": [site]}))
    up = Embedded(folder, sites)
    up.start()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(up.url))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield TrackedSite(server.server_port, up)
    finally:
        server.shutdown()
        server.server_close()
        up.stop()


def _handler(ingest: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """`/<page>/<walk>/<name>`: the page, whatever its name."""

        def do_GET(self) -> None:
            host, _, port = self.headers["host"].partition(":")
            other = f"http://{'127.0.0.1' if host == 'localhost' else 'localhost'}:{port}"
            page, _, walk = self.path.lstrip("/").partition("/")
            source = _PAGES / f"{page}.html"
            if not source.is_file():
                self.send_error(404)
                return
            values = {"ingest": ingest, "other": other, "walk": walk.partition("/")[0]}
            body = Template(source.read_text()).substitute(values, visit=VISIT, signup=SIGNUP).encode()
            self.send_response(200)
            self.send_header("content-type", "text/html; charset=utf-8")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Tests say what went wrong."""

    return Handler


def _seen(row: Sequence[Any]) -> Seen:
    values = list(row)
    values[2] = str(values[2]).rpartition("/")[2]
    values[9], values[10] = _object(values[9]), _object(values[10])
    return Seen(*values)


def _object(text: str) -> Mapping[str, Any]:
    return dict(json.loads(text)) if text else {}
