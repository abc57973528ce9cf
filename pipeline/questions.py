"""Puts SQL to whoever holds the warehouse: a running `up`, this process, a server; it must not know what SQL says."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from pipeline.log.local_store import LOG_FILE, in_use
from pipeline.settings import Settings
from pipeline.up.query_socket import Answer, NobodyListens, ask

_STARTING_S = 15.0
_LOOK_AGAIN_S = 0.1


class QuestionRefused(Exception):
    """The warehouse's own words: bad SQL, a limit, or nobody there."""


class TookTooMuch(QuestionRefused):
    """Stopped at the limits of a question: time, memory or rows. Less of it can be answered. `code`: ClickHouse's."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class Questions(Protocol):
    """One SQL text and its parameters in; columns and rows out. Raises QuestionRefused."""

    def __call__(self, sql: str, parameters: Mapping[str, Any]) -> tuple[list[str], list[list[Any]]]:
        """Ask."""


@contextmanager
def questions(settings: Settings) -> Iterator[Questions]:
    """Whoever can answer for these settings, for as long as the block lasts."""
    if not settings.warehouse.url.startswith("chdb:"):
        with _opened(settings) as opened:
            yield opened
        return
    if _somebody_answers(settings):
        yield lambda sql, parameters: _unpacked(ask(settings.data, sql, parameters))
    else:
        with _opened(settings) as opened:
            yield opened


def _somebody_answers(settings: Settings) -> bool:
    """Whether a running `up` does; one that is starting or stopping holds its log, and is waited for."""
    log = (settings.log.folder or settings.data / "log") / LOG_FILE
    deadline_s = time.monotonic() + _STARTING_S
    while True:
        try:
            ask(settings.data, "SELECT 1", {})
            return True
        except (NobodyListens, FileNotFoundError):
            if time.monotonic() > deadline_s or not in_use(log):
                return False
        time.sleep(_LOOK_AGAIN_S)


@contextmanager
def _opened(settings: Settings) -> Iterator[Questions]:
    from pipeline.warehouse.opening import open_store  # slow to import, and a running `up` answers without it

    try:
        where = settings.warehouse
        warehouse = open_store(where.url, password=where.password, cluster=where.cluster)
    except ValueError as error:
        raise QuestionRefused(str(error)) from error
    try:
        yield to(warehouse)
    finally:
        warehouse.close()


def to(warehouse: Any) -> Questions:
    """Questions to a warehouse that this process has opened already."""
    return lambda sql, parameters: _unpacked(answer(warehouse, sql, parameters))


def answer(warehouse: Any, sql: str, parameters: Mapping[str, Any]) -> Answer:
    """The warehouse's answer as data, its refusal included."""
    from pipeline.warehouse.errors import WarehouseRefused, WarehouseUnavailable

    try:
        result = warehouse.query(sql, parameters)
    except (WarehouseRefused, WarehouseUnavailable) as error:
        return {"error": str(error), "too_much": error.too_much}
    return {"columns": list(result.columns), "rows": [list(row) for row in result.rows]}


def _unpacked(reply: Answer) -> tuple[list[str], list[list[Any]]]:
    if reply.get("too_much"):
        raise TookTooMuch(str(reply["error"]), str(reply["too_much"]))
    if "error" in reply:
        raise QuestionRefused(str(reply["error"]))
    return list(reply["columns"]), list(reply["rows"])
