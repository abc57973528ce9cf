"""Debian's Chromium, without anything that reaches beyond loopback; it must not know what it looks at."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

from tests.support.lacking import lacking

_FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-features=HttpsUpgrades")


@contextmanager
def chromium(*flags: str) -> Iterator[Browser]:
    """A browser for as long as the block lasts. Skips where there is none."""
    path = shutil.which("chromium")
    if path is None:
        reason = "chromium not found: install Debian's package `chromium`"
        lacking(reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*_FLAGS, *flags])
        yield browser
        browser.close()
