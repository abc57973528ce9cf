"""Answers readers beside the event loop, a few at once; it must not know what is asked or who asks."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from pipeline.limits import REPORTS_AT_ONCE, REPORTS_WAITING_MAX

Made = TypeVar("Made")


class Busy(Exception):
    """So many are waiting that another answer would come too late."""


class Desk:
    """Threads of its own: what waits here never stands before what ingest wants done."""

    def __init__(self, at_once: int = REPORTS_AT_ONCE, waiting_max: int = REPORTS_WAITING_MAX) -> None:
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="report")
        self._room = at_once + waiting_max
        self._taken = 0

    async def work(self, make: Callable[..., Made], *arguments: Any) -> Made:
        """What `make` returns, made on one of the threads. Raises Busy."""
        if self._taken >= self._room:
            raise Busy
        self._taken += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, make, *arguments)
        finally:
            self._taken -= 1

    def close(self) -> None:
        """Drop what waits; what has begun ends by the warehouse's own limit."""
        self._threads.shutdown(wait=False, cancel_futures=True)
