"""What a user agent says; how much looking costs is bounded whatever strangers send."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.ingest.user_agent import LOOKS_A_SECOND, LOOKS_BURST, UNKNOWN, UserAgents, look
from pipeline.protocols.request import Agent

_WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
_SAFARI = "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1"


class Clock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
            Agent("desktop", "Firefox", "GNU/Linux"),
        ),
        (
            f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_WEBKIT} Chrome/126.0.0.0 Safari/537.36",
            Agent("desktop", "Chrome", "Windows"),
        ),
        (
            f"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) {_SAFARI}",
            Agent("smartphone", "Mobile Safari", "iOS"),
        ),
        (f"Mozilla/5.0 (iPad; CPU OS 16_1 like Mac OS X) {_SAFARI}", Agent("tablet", "Mobile Safari", "iPadOS")),
        (
            f"Mozilla/5.0 (Linux; Android 14; K) {_WEBKIT} Chrome/125.0.0.0 Mobile Safari/537.36",
            Agent("smartphone", "Chrome Mobile", "Android"),
        ),
        (
            f"Mozilla/5.0 (Linux; Android 14; SM-X910) {_WEBKIT} Chrome/125.0.0.0 Safari/537.36",
            Agent("tablet", "Chrome", "Android"),
        ),
        (
            f"Mozilla/5.0 (SMART-TV; Linux; Tizen 6.0) {_WEBKIT} 76.0.3809.146/6.0 TV Safari/537.36",
            Agent("tv", "Safari", "Tizen"),
        ),
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", Agent(bot=True)),
        ("curl/8.14.1", Agent(browser="curl")),
        ("nothing anyone knows", Agent()),
    ],
)
def test_a_user_agent_is_recognised(text: str, expected: Agent) -> None:
    """Device type, browser, operating system, bot."""
    assert expected == look(text)


def test_an_answer_is_remembered() -> None:
    """The second look costs nothing: the same object comes back; long texts are told apart by 512 characters."""
    agents = UserAgents(Clock())
    long = "curl/8.14.1 " + "x" * 600

    assert agents("curl/8.14.1") is agents("curl/8.14.1")
    assert agents(long) is agents(long + "y")
    assert agents("") is UNKNOWN


def test_looks_are_limited_in_number() -> None:
    """A burst, then so many a second; the rest stays unknown, is counted, and is looked at another time."""
    clock = Clock()
    agents = UserAgents(clock)
    for n in range(LOOKS_BURST):
        agents(f"x{n}")

    assert (UNKNOWN, 1) == (agents("curl/8"), agents.skipped)
    clock.now += 1.0 / LOOKS_A_SECOND
    assert agents("curl/8").browser == "curl"
    assert (UNKNOWN, 2) == (agents("curl/9"), agents.skipped)


def test_memory_is_bounded_and_keeps_what_is_used() -> None:
    """Two generations; what was asked for in the younger survives."""
    clock = Clock()
    agents = UserAgents(clock, remembered_max=50)
    kept = agents("curl/8")
    for n in range(300):
        clock.now += 1.0
        agents(f"({n}")
        assert agents("curl/8") is kept
        assert agents.remembered <= 2 * 50


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=80) | st.sampled_from(["\ud800", "\0", "(" * 500, "%" * 100, "A" * 512]))
def test_no_text_breaks_it(text: str) -> None:
    """An agent, known or not."""
    assert isinstance(UserAgents(Clock())(text), Agent)
