"""Waiting for a condition with a deadline, so that no test sleeps; it must not know what is waited for."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")
_PAUSE_S = 0.01


async def until(
    condition: Callable[[], T | Awaitable[T]], within_s: float = 5.0, what: str = "", pause_s: float = _PAUSE_S
) -> T:
    """The first truthy answer of `condition` (plain or async). After that AssertionError with the last one."""
    deadline = time.monotonic() + within_s
    while True:
        answer = condition()
        if inspect.isawaitable(answer):
            answer = await answer
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_s} s: {what or condition}; last answer {answer!r}")
        await asyncio.sleep(pause_s)


def wait_until(condition: Callable[[], T], within_s: float = 5.0, what: str = "", pause_s: float = _PAUSE_S) -> T:
    """The same, for code without an event loop."""
    deadline = time.monotonic() + within_s
    while not (answer := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_s} s: {what or condition}; last answer {answer!r}")
        time.sleep(pause_s)
    return answer
