"""A warehouse port that does what the real one does, until it is told to die; it must not know who uses it."""

from collections.abc import Callable, Mapping
from typing import Any

from pipeline.warehouse.client import Result, Warehouse
from pipeline.warehouse.handles import Handles


class Crash(BaseException):
    """The process is gone: nothing after this runs, nobody catches it."""


class FaultyWarehouse(Warehouse):
    """Passes everything on; `before` and `after` see each call's name and table, and may raise."""

    def __init__(self, real: Warehouse) -> None:
        super().__init__(Handles.__new__(Handles))
        self._real = real
        self.before: Callable[[str], None] = lambda step: None
        self.after: Callable[[str], None] = lambda step: None
        self.steps: list[str] = []

    def insert_rows(self, table: str, ndjson: bytes, **_: Any) -> None:
        self._pass(table, self._real.insert_rows, table, ndjson)

    def apply_links(self, batch: str) -> None:
        self._pass("apply", self._real.apply_links, batch)

    def large_devices(self, batch: str, rows_max: int) -> set[tuple[str, str]]:
        return self._real.large_devices(batch, rows_max)

    def touched_aliases(self, batch: str, users_max: int) -> list[dict[str, Any]]:
        return self._real.touched_aliases(batch, users_max)

    def frozen_aliases(self, batch: str, users_max: int) -> list[tuple[str, str, str]]:
        return self._real.frozen_aliases(batch, users_max)

    def rows(self, sql: str, params: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        return self._real.rows(sql, params)

    def query(self, sql: str, params: Mapping[str, Any] | None = None, **limits: Any) -> Result:
        return self._real.query(sql, params, **limits)

    def command(self, sql: str, params: Mapping[str, Any] | None = None) -> None:
        self._pass(sql, self._real.command, sql, params)

    def _pass(self, step: str, call: Callable[..., Any], *args: Any) -> None:
        self.before(step)
        call(*args)
        self.steps.append(step)
        self.after(step)
