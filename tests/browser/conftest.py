"""A running `seamline demo`, a tracked site and a Chromium for the suite; it must not know what is looked at."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext

from tests.browser.tracked_site import TrackedSite, new_walk, tracked_site
from tests.support.chromium import chromium
from tests.support.deadline import wait_until
from tests.support.deployment import Stage, free_port

SHOWN_WITHIN_S = 60


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the demo listens; its day has been replayed. One for each module: its accounts are three, for all."""
    folder = tmp_path_factory.mktemp("demo")
    url = f"http://127.0.0.1:{free_port()}"
    words = ["demo", "--port", url.rpartition(":")[2], "--data", str(folder / "data")]
    stage = Stage(words, {}, f"{url}/health/ready", folder / "said")
    stage.start()
    wait_until(lambda: "shop on two devices" in stage.said(), SHOWN_WITHIN_S, "the demo's addresses")
    yield url
    stage.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium; a test opens a context of its own. Playwright holds the thread's event loop: not past this module."""
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="session")
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
