"""Counts what the guards noticed now and then, beside the sink's work; it must not know what they look for.

The sink goes on whatever comes of it: a count that fails is logged and counted, and the last one stays.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from pipeline.limits import SUSPECTS_EACH_S
from pipeline.questions import QuestionRefused, answer
from pipeline.sink.patience import set_within
from pipeline.suspects import GUARDS, number
from pipeline.warehouse.port import Store

_FIRST_S = 60.0  # a sink that starts has other things to do

_log = logging.getLogger(__name__)


class Suspects:
    """Keeps `numbers`: guard to how many suspects, and under `uncounted` how many counts came to nothing."""

    def __init__(
        self, warehouse: Store, numbers: dict[str, int], first_s: float = _FIRST_S, each_s: float = SUSPECTS_EACH_S
    ) -> None:
        self._warehouse, self._numbers = warehouse, numbers
        self._first_s, self._each_s = first_s, each_s

    async def watch(self, stop: asyncio.Event) -> None:
        """Count again and again until `stop` is set."""
        pause_s = self._first_s
        while not await set_within(stop, pause_s):
            await self.count(stop)
            pause_s = self._each_s

    async def count(self, stop: asyncio.Event | None = None) -> None:
        """Every guard once, unless `stop` is set in between. Raises nothing."""
        for guard in GUARDS:
            if stop is not None and stop.is_set():
                return
            try:
                self._numbers[guard] = await asyncio.to_thread(number, self._ask, guard)
            except Exception as error:  # whatever it is, rows and links go on
                self._numbers["uncounted"] = self._numbers.get("uncounted", 0) + 1
                _log.warning("suspects of %s were not counted: %s", guard, error)

    def _ask(self, sql: str, parameters: Mapping[str, Any]) -> tuple[list[str], list[list[Any]]]:
        reply = answer(self._warehouse, sql, parameters)
        if "error" in reply:
            raise QuestionRefused(str(reply["error"]))
        return list(reply["columns"]), list(reply["rows"])
