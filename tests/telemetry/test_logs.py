"""What the log says when anything fails: where and why, which request, and never whom it was about."""

import asyncio
import gc
import io
import json
import logging
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline.ingest.publisher import Publisher
from pipeline.limits import LARGE_BODY_BYTES
from pipeline.log.local import LocalLog
from pipeline.log.port import HITS, Append, LogUnavailable
from pipeline.protocols import native
from pipeline.sink.patience import Patience, Stopped
from pipeline.stitch import partition as partition_module
from pipeline.stitch import worker
from pipeline.stitch.local import LocalStitch
from pipeline.telemetry.lag import GroupLags
from pipeline.telemetry.logs import REQUEST_ID, Lines, _uncaught, request_id
from pipeline.up.query_socket import QuerySocket, tell
from pipeline.up.stages import Stage, StageEnded
from pipeline.warehouse.errors import WarehouseRefused, WarehouseUnavailable
from tests.stitch.memory_log import MemoryLog
from tests.stitch.worker_parts import POLICY, Parts
from tests.support.deadline import until
from tests.support.fake_log import FakeLog
from tests.support.http_server import call, post_hits, running, served

# Of one visitor: whatever of these stands in a log is somebody's.
USER, DEVICE, MAIL, IP = "canary-user", "canary-device", "canary@example.com", "198.51.100.77"
URL = "https://shop.example/reset?token=canary-token"
MARKS = ("canary", IP)
HIT = {"type": "page", "event_id": "canary-event", "user_id": USER, "anonymous_id": DEVICE, "url": URL}
HIT |= {"properties": {"mail": MAIL, "ip": IP}}
BODY = json.dumps([HIT]).encode()
BUG = f"{USER} {DEVICE} {MAIL} {URL} {IP}"


class Written:
    """What would stand on stderr, in both forms."""

    def __init__(self) -> None:
        self.handlers = [logging.StreamHandler(io.StringIO()) for _ in range(2)]
        for handler, as_json in zip(self.handlers, (True, False), strict=True):
            handler.setFormatter(Lines("test", as_json=as_json))

    @property
    def lines(self) -> list[dict[str, Any]]:
        """As a machine reads it: an object a line."""
        return [json.loads(line) for line in self.handlers[0].stream.getvalue().splitlines()]

    @property
    def all(self) -> str:
        return "".join(handler.stream.getvalue() for handler in self.handlers)

    def says(self, *words: str) -> bool:
        """Whether all the words stand there, so that the search for marks is not one in nothing."""
        return all(word in self.all for word in words)


@pytest.fixture
def written() -> Iterator[Written]:
    """Everything that any logger says at any level from here on; at the end no mark is in it."""
    found, root = Written(), logging.getLogger()
    level = root.level
    root.setLevel(logging.INFO)
    for handler in found.handlers:
        root.addHandler(handler)
    yield found
    for handler in found.handlers:
        root.removeHandler(handler)
    root.setLevel(level)
    assert found.lines, "nothing was said at all"
    assert [mark for mark in MARKS if mark in found.all] == []


def breaks(*_: Any, **__: Any) -> Any:
    """A bug whose exception quotes all of the hit."""
    try:
        raise KeyError(BUG)
    except KeyError as cause:
        raise ValueError(f"no {BUG}") from cause


async def breaks_later(*_: Any, **__: Any) -> Any:
    return breaks()


@pytest.mark.parametrize("padding", [0, LARGE_BODY_BYTES])
async def test_a_bug_in_a_protocol(
    tmp_path: Path, written: Written, monkeypatch: pytest.MonkeyPatch, padding: int
) -> None:
    """Told by its place, with the request's own ID, in the loop and beside it."""
    monkeypatch.setattr(native, "_take", breaks)
    sent = "0123456789abcdef"
    async with running(tmp_path) as app:
        answer = await post_hits(app, BODY + b" " * padding, **{"x-request-id": sent})

    assert (500, sent) == (answer.status, answer.headers["x-request-id"])
    assert [line["request_id"] for line in written.lines] == [sent]
    assert written.says("native", "ValueError", "test_logs.py")


async def test_a_log_that_breaks_and_a_disk_that_refuses(
    tmp_path: Path, written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While appending, while spooling, and where nobody foresaw it."""
    log = FakeLog()
    monkeypatch.setattr(log, "append", breaks_later)
    async with running(tmp_path, log) as app:
        spool = app._backlog._spool
        assert spool is not None
        monkeypatch.setattr(spool, "put", lambda _: spool._db.execute(f"INSERT INTO nowhere VALUES ('{BUG}')"))
        assert 503 == (await post_hits(app, BODY)).status
        monkeypatch.setattr(Publisher, "_store", breaks_later)
        assert 503 == (await post_hits(app, BODY)).status

    assert written.says("ValueError while appending", "spool: SQLITE_ERROR", "publisher: ValueError")


async def test_a_server_whose_application_raises(tmp_path: Path, written: Written) -> None:
    """uvicorn prints tracebacks; ours has places only."""
    async with served(tmp_path) as (port, app):
        app._elsewhere = breaks  # type: ignore[method-assign]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET /nothing?user={USER} HTTP/1.1\r\nhost: x\r\nx-user: {MAIL}\r\n\r\n".encode())
        assert b" 500 " in await reader.readline()
        writer.close()

    assert written.says("Exception in ASGI application", "ValueError", "from KeyError")


@pytest.mark.parametrize("given", [None, b"", b"canary-user", b"a" * 15, b"0" * 65, b"198.51.100.77", b"\xff" * 20])
def test_a_request_has_an_id_of_ours_unless_its_own_is_one(given: bytes | None) -> None:
    """What could be somebody's name or address is none, and two requests never share one of ours."""
    assert request_id(b"9B2C3D4E-0000-4000-8000-00000000000a") == "9B2C3D4E-0000-4000-8000-00000000000a"
    assert len({request_id(given) for _ in range(100)}) == 100
    assert "canary" not in request_id(given)


async def test_every_reply_has_the_id(tmp_path: Path) -> None:
    """Good, refused, not found, and a preflight's."""
    async with running(tmp_path) as app:
        answers = [
            await post_hits(app, BODY),
            await post_hits(app, b"nope"),
            await call(app, "GET", "/nowhere"),
            await call(app, "OPTIONS", "/v1/hits", headers={"origin": "https://shop.example"}),
            await call(app, "GET", "/health/live"),
        ]

    assert [200, 400, 404, 204, 200] == [answer.status for answer in answers]
    assert len({answer.headers["x-request-id"] for answer in answers}) == len(answers)


async def test_the_id_is_on_the_wire_of_a_kept_connection(tmp_path: Path) -> None:
    """Each answer with its own, head and body whole."""
    async with served(tmp_path) as (port, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        heads = []
        for _ in range(3):
            writer.write(b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n")
            heads.append(await reader.readuntil(b"\r\n\r\n"))
            assert b"ok\n" == await reader.readexactly(3)
        writer.close()

    assert all(head.startswith(b"HTTP/1.1 200") and head.count(b"x-request-id: ") == 1 for head in heads)
    assert len(set(heads)) == 3


async def test_a_record_that_brings_out_a_bug_in_the_embedded_stitch(
    tmp_path: Path, written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its offset and the kind of error; its bytes are in dead letters, where they can be erased."""
    monkeypatch.setattr(partition_module, "stitch", breaks)
    log = LocalLog(tmp_path / "log.db")
    await log.append(_records())
    stop = asyncio.Event()
    stitch = LocalStitch(log, POLICY, epoch=1)
    running_ = asyncio.create_task(stitch.run(stop))
    await until(lambda: b"seamline_stitch_poisoned_records_total 2.0" in stitch.metrics(), 10)
    stop.set()
    await running_
    await log.close()

    assert written.says("offset 1 could not be stitched", "ValueError")


async def test_the_same_in_a_worker_and_a_worker_that_ends(
    tmp_path: Path, written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last words of a process are for people who mend it."""
    monkeypatch.setattr(partition_module, "stitch", breaks)
    log = MemoryLog(1)
    await log.append(_records())
    parts = Parts(log, tmp_path)
    await parts.stitch_all()
    parts.cache.close()
    ended = asyncio.ensure_future(breaks_later())
    await asyncio.wait([ended])
    assert worker.CRASHED == worker._verdict(ended)

    assert written.says("partition 0, offset 1 could not be stitched", "should be started again", "from KeyError")


@pytest.mark.parametrize(
    ("error", "kept"),
    [
        (WarehouseRefused(f"Table x does not exist: '{BUG}'"), "Table x does not exist"),
        (WarehouseUnavailable(f'Cannot read: "{BUG}"'), "Cannot read"),
        (LogUnavailable("Kafka: no answer"), "Kafka: no answer"),
    ],
)
async def test_a_sink_that_waits_says_for_what(written: Written, error: Exception, kept: str) -> None:
    """ClickHouse quotes rows in its messages: what it quotes is cut."""
    patience = Patience()
    patience.stop.set()

    async def attempt() -> None:
        raise error

    with pytest.raises(Stopped):
        await patience.insist(attempt)

    assert kept in patience.trouble
    assert "canary" not in patience.trouble
    assert written.says("nothing gets through", kept)


async def test_a_stage_an_order_and_a_look_that_fail(
    tmp_path: Path, written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What runs beside the hits."""
    stage = Stage("stitch", lambda: breaks_later, asyncio.Event())
    stage.start()
    with pytest.raises(StageEnded):
        await stage.stop()
    socket = QuerySocket(tmp_path, breaks, {"forget": breaks_later})
    await socket.start()
    assert "error" in await asyncio.to_thread(tell, tmp_path, "forget", {"user": USER})
    await socket.stop()
    log = FakeLog()
    monkeypatch.setattr(log, "span", breaks_later)
    watching = asyncio.create_task(GroupLags(log, {HITS: "stitch"}, look_s=60).watch())
    await until(lambda: written.says("the lag of hits is not known"), 5)
    watching.cancel()

    assert written.says("stitch has failed", "order forget", "ValueError")


async def test_what_python_itself_would_print(written: Written) -> None:
    """A task that nobody waited for, a callback that raises, and the end of the process."""
    loop = asyncio.get_running_loop()
    task = asyncio.create_task(breaks_later(USER), name=USER)
    await asyncio.wait([task])
    del task
    gc.collect()
    done = loop.create_future()
    loop.call_soon(_fail_then(done), MAIL)
    await done
    try:
        breaks()
    except ValueError as error:
        _uncaught(ValueError, error, error.__traceback__)

    assert written.says("Task exception was never retrieved", "Exception in callback", "the process ends")


def _fail_then(done: "asyncio.Future[None]") -> Callable[[str], None]:
    def fail(_: str) -> None:
        done.set_result(None)
        breaks()

    return fail


def test_what_a_library_says(written: Written) -> None:
    """Exceptions among the arguments, however they are asked for; text that is no format; line breaks."""
    log = logging.getLogger("somebody.elses")
    log.error("failed: %s", KeyError(BUG))
    log.error("failed: %r", ValueError(BUG))
    log.error("Crashed reason=%(reason)r", {"reason": UnicodeError(BUG)})
    log.error(RuntimeError(BUG))
    log.error("two\nlines")
    log.error("the disk: %s", OSError(28, "No space left on device", f"/tmp/{USER}"))
    log.error("the disk: %s", sqlite3.OperationalError(BUG))

    assert [line["message"] for line in written.lines] == [
        "failed: KeyError",
        "failed: ValueError",
        "Crashed reason=UnicodeError",
        "RuntimeError",
        "two lines",
        "the disk: OSError: No space left on device",
        "the disk: OperationalError",
    ]


def test_a_message_that_does_not_fit_its_arguments_is_told_all_the_same() -> None:
    """Without the arguments; the library's mistake must not cost the line."""
    record = logging.LogRecord("somebody.elses", logging.ERROR, __file__, 1, "100%", (USER,), None)

    assert json.loads(Lines("test", as_json=True).format(record))["message"] == "100%"


def test_a_line_is_one_object_or_one_sentence(written: Written) -> None:
    """With when, how bad, who, what and, inside of a request, which."""
    token = REQUEST_ID.set("0123456789abcdef")
    logging.getLogger("pipeline.ingest.app").warning("%d of %s", 3, "hits")
    REQUEST_ID.reset(token)
    (line,) = written.lines
    text = written.handlers[1].stream.getvalue()

    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "warning",
        "stage": "test",
        "logger": "pipeline.ingest.app",
        "message": "3 of hits",
        "request_id": "0123456789abcdef",
    }
    assert text.endswith("Z WARNING pipeline.ingest.app: 3 of hits [request 0123456789abcdef]\n") or "WARNING" in text


def _records() -> Sequence[Append]:
    """A line that is none, and one that the core breaks on."""
    good = {
        "workspace": "shop", "site_id": "www", "event_id": "canary-event", "ts": "2026-11-20T09:00:00.000Z",
        "received_at": "2026-11-20T09:00:00.000Z", "device": f"d:{DEVICE}", "day": "2026-11-20",
        "anonymous_id": DEVICE, "user_id": USER, "url": URL,
    }  # fmt: skip
    bad = f'{{"workspace":"shop","user_id":"{USER}","ts":"{MAIL}"'.encode()
    return [
        Append(HITS, 0, value, {"schema": schema, "count": "1"})
        for value, schema in ((bad, "hit/9"), (msgspec.json.encode(good), "hit/1"))
    ]
