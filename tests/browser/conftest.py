"""A running `seamline demo` and a Chromium, shared by the suite; it must not know what is looked at."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.support.chromium import chromium
from tests.support.deadline import wait_until
from tests.support.deployment import Stage, free_port

SHOWN_WITHIN_S = 60


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the demo listens; its day has been replayed."""
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
