"""People at the demo shop in a real browser, each device a profile of its own, under the recorded day's clock."""

from collections.abc import Callable, Sequence

from playwright.sync_api import Browser, BrowserContext, Page

from pipeline.demo.pages import SHOP
from pipeline.limits import SECOND_MS
from tests.clients.steps import HOST, Step, Visitor
from tests.support.deadline import wait_until

_BUTTONS = {"add": "Add to basket", "order": "Place order", "sign_out": "Sign out"}
_PHONE, _DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 800}


class ShopBrowser:
    """Plays steps by clicking. `sent` counts the hits that have arrived: each step is one."""

    name = "Chromium"

    def __init__(self, browser: Browser, sent: Callable[[], int]) -> None:
        self._browser = browser
        self._sent = sent
        self._devices: dict[str, BrowserContext] = {}

    def play(self, visitor: Visitor, steps: Sequence[Step]) -> None:
        """One visit in one tab. The device's storage is kept for the next."""
        page = self._device(visitor).new_page()
        for step in steps:
            before = self._sent()
            page.clock.set_fixed_time(step.at_ms / SECOND_MS)
            _do(page, step)
            wait_until(lambda before=before: self._sent() == before + 1, what=f"{step}")  # type: ignore[misc]
        page.close()

    def _device(self, visitor: Visitor) -> BrowserContext:
        if visitor.anonymous_id not in self._devices:
            self._devices[visitor.anonymous_id] = self._browser.new_context(
                user_agent=visitor.user_agent,
                locale=visitor.language,
                viewport=_PHONE if "Mobile" in visitor.user_agent else _DESKTOP,
            )
        return self._devices[visitor.anonymous_id]


def _do(page: Page, step: Step) -> None:
    if step.kind == "sign_in":
        page.get_by_label(step.title).check()
        page.get_by_role("button", name="Sign in").click()
    elif step.kind == "page" and page.url == "about:blank":
        page.goto(f"http://{HOST}{SHOP.rstrip('/')}{step.path}")
    elif step.kind == "page":
        page.locator(f'a[href="{SHOP.rstrip("/")}{step.path}"]').first.click()
    else:
        page.get_by_role(
            "button", name={"add": "Add to basket", "order": "Place order", "sign_out": "Sign out"}[step.kind]
        ).click()
