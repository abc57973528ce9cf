"""The pages of a running site, out of this process, when most of what they ask takes too much; it must not know any."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, Route
from starlette.testclient import TestClient

from pipeline.questions import Questions, TookTooMuch, questions
from pipeline.report.web.opening import report_app
from pipeline.settings import load_settings
from tests.browser.reported_site import ReportedSite


class Exhausted:
    """Answers as many questions as are `left`; whatever is asked after them took too long, or too much memory."""

    def __init__(self, ask: Questions) -> None:
        self._ask = ask
        self.left = 0

    def __call__(self, sql: str, parameters: Mapping[str, Any]) -> tuple[list[str], list[list[Any]]]:
        self.left -= 1
        if self.left < 0:
            raise TookTooMuch("stopped", "MEMORY_LIMIT_EXCEEDED" if self.left % 2 else "TIMEOUT_EXCEEDED")
        return self._ask(sql, parameters)


@contextmanager
def exhausted_pages(context: BrowserContext, site: ReportedSite) -> Iterator[Exhausted]:
    """Whatever the context asks the site for is answered by pages of our own, on the site's own warehouse."""
    settings = load_settings(site.up.environ)
    with questions(settings) as ask:
        exhausted = Exhausted(ask)
        app = report_app(settings, exhausted)
        client = TestClient(app, "http://localhost", client=("127.0.0.1", 4711))

        def answer(route: Route) -> None:
            parts = urlsplit(route.request.url)
            reply = client.get(f"{parts.path}?{parts.query}")
            route.fulfill(status=reply.status_code, headers=dict(reply.headers), body=reply.content)

        context.route("**/*", answer)
        yield exhausted
        app.close()
