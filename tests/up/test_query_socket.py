"""Questions over the socket: answered, refused with a reason, and possible from any path length."""

import asyncio
import itertools
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from pipeline.limits import REPORTS_AT_ONCE, REPORTS_WAITING_MAX
from pipeline.up.query_socket import NAME, NobodyListens, QuerySocket, ask, tell


def _echo(sql: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {"columns": ["sql", "parameters"], "rows": [[sql, dict(parameters)]]}


async def test_an_answer_comes_back_as_it_was_given(tmp_path: Path) -> None:
    """Text of any kind, parameters included."""
    server = QuerySocket(tmp_path, _echo)
    await server.start()
    actual = await asyncio.to_thread(ask, tmp_path, "SELECT '\n\"ü'", {"a": "b\nc"})
    await server.stop()

    assert {"columns": ["sql", "parameters"], "rows": [["SELECT '\n\"ü'", {"a": "b\nc"}]]} == actual


async def test_a_data_directory_may_have_a_long_path(tmp_path: Path) -> None:
    """A socket address ends after 107 bytes; a directory's path does not."""
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    deep.mkdir(parents=True)
    server = QuerySocket(deep, _echo)
    await server.start()
    actual = await asyncio.to_thread(ask, deep, "SELECT 1", {})
    await server.stop()

    assert [["SELECT 1", {}]] == actual["rows"]


async def test_only_the_owner_may_ask(tmp_path: Path) -> None:
    """The socket is as private as the data."""
    server = QuerySocket(tmp_path, _echo)
    await server.start()
    mode = (tmp_path / NAME).stat().st_mode & 0o777
    await server.stop()

    assert 0o600 == mode


async def test_a_socket_left_by_a_killed_process_is_replaced(tmp_path: Path) -> None:
    """Starting after kill -9 needs no cleaning up."""
    first = QuerySocket(tmp_path, _echo)
    await first.start()
    second = QuerySocket(tmp_path, _echo)
    await second.start()
    actual = await asyncio.to_thread(ask, tmp_path, "SELECT 2", {})
    await second.stop()
    await first.stop()

    assert [["SELECT 2", {}]] == actual["rows"]


def test_nobody_there_is_said_so(tmp_path: Path) -> None:
    """No socket, no answer, and no traceback for the user: an exception with a name."""
    with pytest.raises(NobodyListens):
        ask(tmp_path, "SELECT 1", {})


async def test_an_order_is_carried_out_and_what_became_of_it_is_said(tmp_path: Path) -> None:
    """Done; failed, with the reason; or not known here, with what is."""
    done = []

    async def do(arguments: Any) -> dict[str, Any]:
        done.append(arguments)
        if arguments == "bad":
            raise ValueError("not this")
        return {"done": True}

    server = QuerySocket(tmp_path, _echo, {"do": do})
    await server.start()
    answers = [await asyncio.to_thread(tell, tmp_path, *order) for order in (("do", "it"), ("do", "bad"), ("undo", 1))]
    await server.stop()

    assert ["it", "bad"] == done
    assert [
        {"done": True},
        {"error": "ValueError: not this"},
        {"error": "expected an order of ['do'], got 'undo'"},
    ] == answers


async def test_few_questions_are_worked_on_at_once(tmp_path: Path) -> None:
    """The others wait their turn, and whoever would wait too long is told at once; nobody else's threads are taken."""
    at_work, most, let_go = 0, 0, threading.Event()
    lock = threading.Lock()

    def slowly(sql: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        nonlocal at_work, most
        with lock:
            at_work += 1
            most = max(most, at_work)
        let_go.wait(30)
        with lock:
            at_work -= 1
        return {"columns": [], "rows": []}

    server = QuerySocket(tmp_path, slowly)
    await server.start()
    askers = ThreadPoolExecutor(50)
    answers = [asyncio.wrap_future(askers.submit(ask, tmp_path, "SELECT 1", {})) for _ in range(50)]
    refused = [await answer for answer in itertools.islice(asyncio.as_completed(answers), 16)]
    let_go.set()
    told = [await answer for answer in answers]
    await server.stop()
    askers.shutdown()

    room = REPORTS_AT_ONCE + REPORTS_WAITING_MAX
    assert (REPORTS_AT_ONCE, room) == (most, sum("rows" in answer for answer in told))
    assert all("questions are waiting" in answer["error"] for answer in refused)
