"""Trying again until it works or somebody wants to stop; it must not know what is tried."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from pipeline.log.port import LogUnavailable
from pipeline.telemetry.logs import told
from pipeline.warehouse.errors import RowsRefused, WarehouseRefused, WarehouseUnavailable

RETRY_S_FIRST = 0.1
RETRY_S_MAX = 10.0

T = TypeVar("T")
_log = logging.getLogger(__name__)


class Stopped(Exception):
    """Told to stop while the log or the warehouse was away: what was taken is not committed."""


class Patience:
    """`trouble` is why nothing gets through just now, or ""; `retries` counts."""

    def __init__(self) -> None:
        self.stop = asyncio.Event()
        self.trouble = ""
        self.retries = 0

    async def insist(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """The result of the first attempt that works, with growing pauses in between; at most ten seconds.

        A refusal that is no row's fault (a missing table, a missing grant) is for somebody to mend: nothing is
        dropped meanwhile. Raises RowsRefused, and Stopped when an attempt fails after the wish to stop.
        """
        pause_s = RETRY_S_FIRST
        while True:
            try:
                result = await attempt()
            except RowsRefused:
                self.trouble = ""
                raise
            except (WarehouseUnavailable, WarehouseRefused, LogUnavailable) as error:
                await self._wait(error, pause_s)
                pause_s = min(pause_s * 2, RETRY_S_MAX)
            else:
                self.trouble = ""
                return result

    async def in_thread(self, call: Callable[..., T], *args: object) -> T:
        """`insist` on a blocking call."""
        return await self.insist(lambda: asyncio.to_thread(call, *args))

    async def _wait(self, error: Exception, seconds: float) -> None:
        self.retries += 1
        if self.trouble != told(error):
            self.trouble = told(error)
            _log.warning("nothing gets through, trying again: %s", self.trouble)
        if self.stop.is_set():
            raise Stopped(self.trouble)
        try:
            await asyncio.wait_for(self.stop.wait(), seconds)
        except TimeoutError:
            return


async def set_within(stop: asyncio.Event, seconds: float) -> bool:
    """Whether it is set by then; returns as soon as it is."""
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return False
    return True
