"""Debian's Chromium, without anything that reaches beyond loopback; it must not know what it looks at."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, sync_playwright

_FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-features=HttpsUpgrades")


@contextmanager
def chromium(*flags: str) -> Iterator[Browser]:
    """A browser for as long as the block lasts. Skips where there is none."""
    path = shutil.which("chromium")
    if path is None:
        reason = "chromium not found: install Debian's package `chromium`"
        if os.environ.get("SEAMLINE_TEST_REQUIRE") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*_FLAGS, *flags])
        yield browser
        browser.close()
