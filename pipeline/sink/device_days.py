"""Adds up what devices did on the days that have changed, beside the sink's work; it must not know what reports ask.

Every insert into `action_log` leaves a part in `device_days_due` that says which days of which devices it touched. One
round, in this order; a crash at any point leaves the parts where they are, and the next round does them again:

1. the parts are read that have been there for a while (again: the same, and more);
2. the days they name are added up from their rows (again: the same sums; those of more rows have a higher version, or
   the same and come later, and replace the others);
3. parts that were added up some time ago are dropped (again: they are gone). Until then a report counts their days from
   the rows, which is the same; so one that read the sums before they were replaced still looks at the rows.

What comes while a round is at work has a part of its own. Two sinks may do the same at once.
The sink goes on whatever comes of it: a round that fails is logged and counted, and reports count rows meanwhile.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from msgspec import Struct

from pipeline.limits import (
    DAYS_AT_ONCE,
    DAYS_BY_MONTH_MIN,
    DAYS_EACH_S,
    DAYS_KEPT_S,
    DAYS_REST,
    DAYS_SETTLE_S,
    ROWS_AT_ONCE,
)
from pipeline.sink.figures import Figures
from pipeline.sink.patience import set_within
from pipeline.warehouse.client import Warehouse
from pipeline.warehouse.errors import WarehouseRefused
from pipeline.warehouse.port import Store
from pipeline.warehouse.texts import sql_text

_NAMED = "SELECT workspace, device, day FROM device_days_due WHERE _part IN {parts:Array(String)}"
_DAYS = f"(workspace, device, day) IN ({_NAMED})"
_MONTH = "toYYYYMM(day) = {month:UInt32} AND device_key % {shares:UInt32} = {share:UInt32}"
_ROWS = "SELECT count() FROM action_log WHERE toYYYYMM(day) = {month:UInt32}"

_log = logging.getLogger(__name__)


class Due(Struct, frozen=True):
    """A part: how many days of devices it names, the months (yyyymm) they are of, and the months it names whole."""

    part: str
    days: int
    touched: list[int]
    months: list[int]


class DeviceDays:
    """Keeps `figures.days_due` and `figures.days_failed`."""

    def __init__(
        self,
        store: Store,
        figures: Figures,
        *,
        each_s: float = DAYS_EACH_S,
        settle_s: int = DAYS_SETTLE_S,
        kept_s: float = DAYS_KEPT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._figures, self._each_s, self._clock = figures, each_s, clock
        self._shards = [_Shard(shard, settle_s, kept_s, clock) for shard in store.shards]

    async def watch(self, stop: asyncio.Event) -> None:
        """Round after round until `stop` is set."""
        pause_s = self._each_s
        while not await set_within(stop, pause_s):
            began_s = self._clock()
            try:
                await asyncio.to_thread(self.round, stop.is_set)
            except Exception as error:  # whatever it is, rows and links go on
                self._figures.days_failed += 1
                _log.warning("days of devices were not added up: %s", error)
            pause_s = max(self._each_s, (self._clock() - began_s) * DAYS_REST)

    def round(self, stopping: Callable[[], bool] = lambda: False) -> None:
        """Add up what is due, on each shard, unless `stopping` in between. Blocks; raises what the warehouse raises."""
        for shard in self._shards:
            shard.look()
        for shard in self._shards:
            for _ in shard.added_up():
                self._figures.days_due = sum(one.days_due for one in self._shards)
                if stopping():
                    return
            shard.drop()
        self._figures.days_due = sum(one.days_due for one in self._shards)


class _Shard:
    """The days of one shard, which are those of its devices. `days_due`: how many wait."""

    def __init__(self, warehouse: Warehouse, settle_s: int, kept_s: float, clock: Callable[[], float]) -> None:
        self.days_due = 0
        self._warehouse, self._settle_s, self._kept_s, self._clock = warehouse, settle_s, kept_s, clock
        self._due: list[Due] = []
        self._done: dict[str, float] = {}  # part to when it was added up

    def look(self) -> None:
        """Step 1."""
        rows = self._warehouse.rows(sql_text("device_days/due"), {"settle_s": self._settle_s})
        self._due = [Due(**row) for row in rows]
        self.days_due = _days(self._fresh())

    def added_up(self) -> Iterator[None]:
        """Step 2, with a pause before each statement, in which it may end."""
        for parts in _portions(self._fresh()):
            for statement, values in self._statements(parts):
                yield
                self._warehouse.command(statement, values)
            self._done |= dict.fromkeys((part.part for part in parts), self._clock())
            self.days_due -= _days(parts)

    def drop(self) -> None:
        """Step 3. Another sink may have been faster."""
        there = {part.part for part in self._due}
        long_ago_s = self._clock() - self._kept_s
        for part, done_s in list(self._done.items()):
            if part in there and done_s <= long_ago_s:
                with suppress(WarehouseRefused):
                    self._warehouse.command(f"ALTER TABLE device_days_due DROP PART '{part}'")
            if part not in there:
                del self._done[part]

    def _fresh(self) -> list[Due]:
        return [part for part in self._due if part.part not in self._done]

    def _statements(self, parts: Sequence[Due]) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Step 2: whole months in shares of a size, then the days; so many days are done by their months."""
        sql = sql_text("device_days/add_up")
        many = _days(parts) > DAYS_BY_MONTH_MIN
        for month in sorted({month for part in parts for month in (part.touched if many else part.months)}):
            rows = int(self._warehouse.query(_ROWS, {"month": month}, readonly=False).rows[0][0])
            shares = rows // ROWS_AT_ONCE + 1
            for share in range(shares):
                yield sql.replace("$which", _MONTH), {"month": month, "shares": shares, "share": share}
        if _days(parts) and not many:
            yield sql.replace("$which", _DAYS), {"parts": [part.part for part in parts]}


def _days(parts: Sequence[Due]) -> int:
    return sum(part.days for part in parts)


def _portions(due: Sequence[Due]) -> Iterator[list[Due]]:
    """Parts together as long as they are not too many days for one statement; or all of them, if they are by far."""
    portion: list[Due] = []
    days_max = DAYS_AT_ONCE if _days(due) <= DAYS_BY_MONTH_MIN else _days(due)
    for part in due:
        if portion and _days(portion) + part.days > days_max:
            yield portion
            portion = []
        portion.append(part)
    if portion:
        yield portion
