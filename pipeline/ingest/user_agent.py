"""User agent -> device type, browser, OS, bot, by Matomo's device database; remembered, because a look is slow.

A first look at a user agent takes 3 ms of the event loop; with the catalogue of apps and phone models it would take
12 to 40 ms. So apps and models are left out, answers are remembered, and looks are limited in number a second.
"""

import re
import time
from collections.abc import Callable
from typing import Any

from device_detector.device_detector import DeviceDetector
from device_detector.parser import Browser, Library

from pipeline.protocols.request import Agent

REMEMBERED_MAX = 8_192  # twice this many at most, about 300 bytes each
LOOKS_A_SECOND = 25  # 3 ms each: at most 8 % of the loop, whatever strangers send
LOOKS_BURST = 100
AGENT_CHARS_MAX = 512
UNKNOWN = Agent()
_TYPICAL = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1 Version/18.5 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 15; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "curl/8.14.1",
)

_TABLETS = ("iPadOS",)
_TV = re.compile(r"\b(?:\w{0,16}TV|AFT\w{1,8}|BRAVIA|Roku)\b")
_BY_FAMILY = {
    "iOS": "smartphone",
    "Windows Mobile": "smartphone",
    "Gaming Console": "console",
    **dict.fromkeys(("Windows", "Mac", "GNU/Linux", "Chrome OS", "BSD", "Unix"), "desktop"),
}


class _Detector(DeviceDetector):  # type: ignore[misc]
    """Browsers, HTTP libraries, operating systems and bots; neither apps nor phone models."""

    CLIENT_PARSERS = (Browser, Library)
    DEVICE_PARSERS = ()


def look(text: str) -> Agent:
    """What the database says. Slow."""
    found: dict[str, Any] = _Detector(text, check_cache=False).parse().all_details
    system = found.get("os", {})
    return Agent(
        device_type=_device_type(text, system.get("name") or "", system.get("family") or ""),
        browser=found.get("client", {}).get("name") or "",
        os=system.get("name") or "",
        bot=bool(found.get("bot")),
    )


def _device_type(text: str, name: str, family: str) -> str:
    """From the operating system, and from what browsers agree to write: Android phones say Mobile, tablets do not."""
    if name in _TABLETS:
        return "tablet"
    if _TV.search(text):
        return "tv"
    if family in _BY_FAMILY:
        return _BY_FAMILY[family]
    if "Mobile" in text:
        return "smartphone"
    return "tablet" if family == "Android" else ""


class UserAgents:
    """The memory in front of `look`: two generations, so that forgetting costs nothing."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, remembered_max: int = REMEMBERED_MAX) -> None:
        self._remembered_max = remembered_max
        self._young: dict[str, Agent] = {"": UNKNOWN}
        self._old: dict[str, Agent] = {}
        self._clock = clock
        self._looks_left = float(LOOKS_BURST)
        self._refilled_at = clock()
        self.skipped = 0  # user agents left unknown because there were too many new ones
        self.failed = 0  # user agents on which the library broke

    @property
    def remembered(self) -> int:
        """How many user agents are in memory."""
        return len(self._young) + len(self._old)

    def warm_up(self) -> None:
        """Load the database and compile what every look needs: one or two seconds, once."""
        for text in _TYPICAL:
            self(text)

    def __call__(self, text: str) -> Agent:
        """What the user agent says, or `UNKNOWN` when too many new ones came in this second."""
        agent = self._young.get(text)
        return agent if agent is not None else self._recall(text[:AGENT_CHARS_MAX])

    def _recall(self, text: str) -> Agent:
        agent = self._young.get(text) or self._old.get(text)
        if agent is None:
            if not self._may_look():
                self.skipped += 1
                return UNKNOWN
            agent = self._look(text)
        if len(self._young) >= self._remembered_max:
            self._old, self._young = self._young, {"": UNKNOWN}
        self._young[text] = agent
        return agent

    def _look(self, text: str) -> Agent:
        try:
            return look(text)
        except Exception:  # a stranger's text against thousands of patterns: whatever it breaks, it is an unknown agent
            self.failed += 1
            return UNKNOWN

    def _may_look(self) -> bool:
        now = self._clock()
        self._looks_left = min(LOOKS_BURST, self._looks_left + (now - self._refilled_at) * LOOKS_A_SECOND)
        self._refilled_at = now
        if self._looks_left < 1:
            return False
        self._looks_left -= 1
        return True
