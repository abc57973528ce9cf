"""SQL and orders of other processes, by a socket in the data directory; it must not know who answers or obeys.

The embedded engine belongs to one process, so whoever holds it answers for everybody: one JSON line in, one out.
Who may open the directory may ask; nothing listens on the network.
"""

import asyncio
import json
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from pipeline.limits import QUERY_SECONDS_MAX, REPORTS_AT_ONCE, REPORTS_WAITING_MAX
from pipeline.up.desk import Busy, Desk

NAME = "query.sock"
_LINE_BYTES_MAX = 1 << 20
# Behind everybody who may wait, each for as long as a question may take.
_ASK_SECONDS_MAX = QUERY_SECONDS_MAX * (1 + REPORTS_WAITING_MAX // REPORTS_AT_ONCE) + 5

_log = logging.getLogger(__name__)

Answer = Mapping[str, Any]  # {"columns": [...], "rows": [[...], ...]} or {"error": "...", "too_much": "..."}
Ask = Callable[[str, Mapping[str, Any]], Answer]  # blocking; called on a thread
Orders = Mapping[str, Callable[[Any], Awaitable[Answer]]]  # what may be asked to be done, by name


class NobodyListens(Exception):
    """No running `seamline up` holds this directory."""


class QuerySocket:
    """Answers questions and takes orders while it is open."""

    def __init__(self, data: Path, ask: Ask, orders: Orders | None = None) -> None:
        self._data = data
        self._ask = ask
        self._orders = orders or {}
        self._server: asyncio.Server | None = None
        self._desk = Desk()

    async def start(self) -> None:
        """Listen; a socket left by a killed process is replaced (the log's lock says that nobody else is alive)."""
        (self._data / NAME).unlink(missing_ok=True)
        with _address(self._data) as address:
            self._server = await asyncio.start_unix_server(self._serve, address, limit=_LINE_BYTES_MAX)
        (self._data / NAME).chmod(0o600)

    async def stop(self) -> None:
        """Stop listening and take the socket away."""
        if self._server is not None:
            self._server.close()
            (self._data / NAME).unlink(missing_ok=True)
        self._desk.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            answer = await self._answer(await reader.readline())
            writer.write(orjson.dumps(answer, default=str, option=orjson.OPT_NON_STR_KEYS) + b"\n")
            await writer.drain()
        except (ConnectionError, ValueError):
            return  # the asker left, or sent a line past the limit; there is nobody to tell
        finally:
            writer.close()

    async def _answer(self, line: bytes) -> Answer:
        try:
            question = orjson.loads(line)
            if "order" in question:
                return await self._obey(question["order"], question["arguments"])
            sql, parameters = question["sql"], question["parameters"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return {
                "error": 'expected one line {"sql": "...", "parameters": {...}} or {"order": "...", "arguments": …}'
            }
        try:
            return await self._desk.work(self._ask, sql, parameters)
        except Busy:
            return {"error": f"{REPORTS_WAITING_MAX} questions are waiting already: ask again in a moment"}

    async def _obey(self, order: str, arguments: Any) -> Answer:
        if order not in self._orders:
            return {"error": f"expected an order of {sorted(self._orders)}, got {order!r}"}
        try:
            return await self._orders[order](arguments)
        except Exception as error:  # whoever gave it has to hear what became of it
            _log.exception("order %s", order)
            return {"error": f"{type(error).__name__}: {error}"}


def ask(data: Path, sql: str, parameters: Mapping[str, Any]) -> Answer:
    """Put the question to the process that holds `data`. Raises NobodyListens when there is none."""
    return _exchange(data, {"sql": sql, "parameters": dict(parameters)}, _ASK_SECONDS_MAX)


def tell(data: Path, order: str, arguments: Any, seconds_max: float = _ASK_SECONDS_MAX) -> Answer:
    """Have the process that holds `data` do something. Raises NobodyListens when there is none."""
    return _exchange(data, {"order": order, "arguments": arguments}, seconds_max)


def _exchange(data: Path, question: Mapping[str, Any], seconds_max: float) -> Answer:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(seconds_max)
        try:
            with _address(data) as address:
                connection.connect(address)
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise NobodyListens(str(data)) from error
        connection.sendall(orjson.dumps(question) + b"\n")
        answer: Answer = json.loads(connection.makefile("rb").readline())
        return answer


@contextmanager
def _address(data: Path) -> Iterator[str]:
    """The socket's path, by way of an open directory: a socket address holds 107 bytes, a data directory's may not."""
    folder = os.open(data, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{NAME}" if Path("/proc/self/fd").exists() else str(data / NAME)
    finally:
        os.close(folder)
