"""The server on loopback: deadlines, bounds, drain; its clients are sockets that misbehave on purpose."""

import asyncio
import errno
import gzip
import http.client
import sys
from pathlib import Path

import pytest

from pipeline.ingest.server import serve, serving
from pipeline.limits import BODY_BYTES_MAX, DISCARD_BYTES_MAX, HEAD_BYTES_MAX
from tests.ingest.test_publisher import GatedLog
from tests.support.deadline import until
from tests.support.fake_log import FakeLog
from tests.support.http_server import exchange, hits_in, ingest_settings, raw, running, served

KEY = b"authorization: Bearer page-key\r\n"
POST = b"POST /v1/hits HTTP/1.1\r\nhost: x\r\norigin: https://shop.example\r\n" + KEY
SHORT = {"header_deadline_ms": 300, "body_deadline_ms": 300}


def posted(body: bytes, close: bool = True) -> bytes:
    """A whole request."""
    ending = b"connection: close\r\n" if close else b""
    return POST + ending + b"content-length: %d\r\n\r\n" % len(body) + body


async def test_a_hit_over_a_real_socket(tmp_path: Path) -> None:
    """Its reply as clients see it: no server name, a date, CORS."""
    log = FakeLog()
    async with served(tmp_path, log) as (port, _):
        answer = await exchange(port, posted(b'[{"event_id":"e"}]'))

    assert (200, b'{"accepted":1,"rejected":[]}') == (answer.status, answer.body)
    assert answer.headers["access-control-allow-origin"] == "https://shop.example"
    assert "date" in answer.headers
    assert "server" not in answer.headers
    assert ["e"] == [hit.event_id for hit in hits_in(log)]


async def test_keep_alive_and_pipelining(tmp_path: Path) -> None:
    """Several requests on one connection, even before the first is answered: as many answers, in order."""
    log = FakeLog()
    async with served(tmp_path, log) as (port, _):
        sent = b"".join(posted(b'[{"event_id":"%d"}]' % n, close=n == 4) for n in range(5))
        said = await raw(port, sent)

    assert 5 == said.count(b"HTTP/1.1 200 OK")
    assert {"0", "1", "2", "3", "4"} == {hit.event_id for hit in hits_in(log)}


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"P",
        b"POST /v1/hits HTTP/1.1\r\n",
        POST,
        POST + b"content-length: 2\r\n",
        posted(b"[{}]", close=False) + b"POST /v",
    ],
)
async def test_headers_have_a_deadline(tmp_path: Path, sent: bytes) -> None:
    """Whoever has not finished them in time is told so and let go; also on a second request."""
    async with served(tmp_path, **SHORT) as (port, _):
        said = await raw(port, sent)

    assert b"HTTP/1.1 408 Request Timeout" in said
    assert said.endswith(b"connection: close\r\n\r\n")


@pytest.mark.parametrize("framing", [b"content-length: 10\r\n\r\n[{", b"transfer-encoding: chunked\r\n\r\n2\r\n[{\r\n"])
async def test_a_body_has_a_deadline(tmp_path: Path, framing: bytes) -> None:
    """The same, with CORS, since the headers are known; nothing is stored."""
    log = FakeLog()
    async with served(tmp_path, log, **SHORT) as (port, _):
        answer = await exchange(port, POST + framing)

    assert (408, "https://shop.example") == (answer.status, answer.headers["access-control-allow-origin"])
    assert [] == hits_in(log)


async def test_a_trickle_does_not_renew_the_deadline(tmp_path: Path) -> None:
    """One byte at a time, for ever: the time counts from the start of the request."""
    async with served(tmp_path, **SHORT) as (port, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nx: ")

        async def trickle() -> bool:
            writer.write(b"a")
            return reader.at_eof() or b"408" in reader._buffer

        await until(trickle, 10, "the server gives up")
        writer.close()


async def test_a_body_that_nobody_reads_has_a_deadline_too(tmp_path: Path) -> None:
    """A request that was answered at once may not hold the connection with the rest of its body."""
    async with served(tmp_path, **SHORT) as (port, _):
        said = await raw(port, b"POST /nowhere HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n")

    assert said.startswith(b"HTTP/1.1 404 Not Found")
    assert 1 == said.count(b"HTTP/1.1")


async def test_a_half_request_behind_an_unanswered_one_waits(tmp_path: Path) -> None:
    """A 408 there would be taken for the answer to the first."""
    log = GatedLog()
    log.gate.clear()
    async with served(tmp_path, log, deadline_ms=60_000, **SHORT) as (port, _):
        asked = asyncio.create_task(raw(port, posted(b"[{}]", close=False) + b"POST /v1/h"))
        await until(lambda: log.calls, what="the append is under way")
        assert (await exchange(port, b"GET /half")).status == 408
        assert not asked.done()
        log.gate.set()
        said = await asked

    assert [b"200 OK", b"408 Request Timeout"] == [part.split(b"\r\n")[0] for part in said.split(b"HTTP/1.1 ")[1:]]


async def test_an_answer_under_way_has_no_deadline(tmp_path: Path) -> None:
    """The request is complete: that the log takes its time is not the client's fault."""
    log = GatedLog()
    log.gate.clear()
    async with served(tmp_path, log, deadline_ms=60_000, **SHORT) as (port, _):
        asked = asyncio.create_task(exchange(port, posted(b"[{}]")))
        await until(lambda: log.calls, what="the append is under way")
        assert (await exchange(port, b"GET /half")).status == 408
        assert not asked.done()
        log.gate.set()
        assert 200 == (await asked).status


async def test_too_large_a_body_is_answered_before_it_is_sent(tmp_path: Path) -> None:
    """413 at once; the client that goes on sending still gets to read it."""
    async with served(tmp_path) as (port, _):
        declared = POST + b"content-length: %d\r\n\r\n" % (BODY_BYTES_MAX + 1)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(declared)
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        writer.write(b"x" * (BODY_BYTES_MAX + 1))
        await writer.drain()
        writer.close()
        exact = await exchange(port, posted(b"[{}]".ljust(BODY_BYTES_MAX)))

    assert head.startswith(b"HTTP/1.1 413 ")
    assert b"access-control-allow-origin: https://shop.example" in head
    assert 200 == exact.status


@pytest.mark.parametrize("wish", ["keep-alive", "close"])
async def test_an_ordinary_client_reads_its_413(tmp_path: Path, wish: str) -> None:
    """One that sends everything before it listens, whether or not it wants the connection kept."""
    async with served(tmp_path) as (port, _):

        def post() -> int:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            try:
                connection.request("POST", "/v1/hits", body=b"x" * (3 * BODY_BYTES_MAX), headers={"connection": wish})
                with connection.getresponse() as response:
                    return response.status
            finally:
                connection.close()

        assert 413 == await asyncio.to_thread(post)


async def test_who_asked_for_a_close_gets_it_once_they_have_sent_all(tmp_path: Path) -> None:
    """Not before, or the reset could overtake the answer; and not never."""
    async with served(tmp_path) as (port, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        body = b"x" * (BODY_BYTES_MAX + 1)
        writer.write(POST + b"connection: close\r\ncontent-length: %d\r\n\r\n" % len(body) + body[:1])
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        writer.write(body[1:])
        await asyncio.wait_for(writer.drain(), 10)
        rest = await asyncio.wait_for(reader.read(), 10)
        writer.close()

    assert head.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in head.lower()
    assert rest.endswith(b"}")


async def test_an_endless_body_is_cut_off(tmp_path: Path) -> None:
    """Chunk after chunk: answered past 1 MiB, and past 8 MiB nobody listens any more."""
    async with served(tmp_path) as (port, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(POST + b"transfer-encoding: chunked\r\n\r\n")
        chunk = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
        sent = 0
        try:
            async with asyncio.timeout(20):
                while sent < 40 * DISCARD_BYTES_MAX:
                    writer.write(chunk)
                    await writer.drain()
                    sent += 65_536
        except (ConnectionResetError, BrokenPipeError):
            pass
        finally:
            writer.close()

    assert DISCARD_BYTES_MAX <= sent < 8 * DISCARD_BYTES_MAX
    assert reader._buffer.startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"a" * (2 * HEAD_BYTES_MAX),
        b"GET / HTTP/1.1\r\nhost: x\r\nx: " + b"a" * (2 * HEAD_BYTES_MAX),
        b"GET / HTTP/1.1\r\nhost: x\r\n" + b"x: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n" * 3_400,
    ],
)
async def test_headers_are_bounded(tmp_path: Path, head: bytes) -> None:
    """A URL, one header, or many: 431 without waiting for their end."""
    async with served(tmp_path, header_deadline_ms=60_000) as (port, _):
        said = await raw(port, head)

    assert said.startswith(b"HTTP/1.1 431 Request Header Fields Too Large")


async def test_a_whole_event_fits_into_a_url(tmp_path: Path) -> None:
    """A beacon carries everything in its query: 65,535 bytes of URL, and one more is 414."""
    start = b"/matomo.php?idsite=1&rec=1&rand=1&action_name="
    fill = 65_535 - len(start)
    async with served(tmp_path) as (port, _):
        asked = b"POST " + start + b"%b HTTP/1.1\r\nhost: x\r\norigin: https://a\r\nconnection: close\r\n\r\n"
        at_limit, beyond = [await exchange(port, asked % (b"a" * size)) for size in (fill, fill + 1)]

    assert (200, 414) == (at_limit.status, beyond.status)
    assert beyond.headers["access-control-allow-origin"] == "https://a"


async def test_connections_are_bounded(tmp_path: Path) -> None:
    """The one too many is told to come again; when another leaves, there is room."""
    async with served(tmp_path, connections_max=3) as (port, _):
        idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        refused = await exchange(port, posted(b"[{}]"))
        idle[0][1].close()

        assert (503, "30") == (refused.status, refused.headers["retry-after"])

        async def welcome() -> bool:
            return (await exchange(port, posted(b"[{}]"))).status == 200

        await until(welcome, 10, "there is room")
        for _, writer in idle[1:]:
            writer.close()


async def test_leaving_drains(tmp_path: Path) -> None:
    """Open requests get their answers, idle connections are closed, nothing new is accepted."""
    log = GatedLog()
    log.gate.clear()
    async with running(tmp_path, log, deadline_ms=60_000) as app:
        stop = asyncio.Event()
        settings = ingest_settings(tmp_path)
        ports: list[int] = []

        async def run() -> None:
            async with serving(app, settings) as port:
                ports.append(port)
                await stop.wait()

        server = asyncio.create_task(run())
        await until(lambda: ports, what="the server listens")
        idle, writer = await asyncio.open_connection("127.0.0.1", ports[0])
        asked = asyncio.create_task(exchange(ports[0], posted(b"[{}]", close=False)))
        await until(lambda: log.calls, what="the append is under way")
        stop.set()

        async def refused() -> bool:
            try:
                _, late = await asyncio.open_connection("127.0.0.1", ports[0])
            except OSError:
                return True
            late.close()
            return False

        await until(refused, 10, "nothing new is accepted")
        assert b"" == await asyncio.wait_for(idle.read(), 10)
        writer.close()
        assert not server.done()
        log.gate.set()
        assert 200 == (await asked).status
        await server
    assert 1 == len(hits_in(log))


async def test_a_drain_is_bounded(tmp_path: Path) -> None:
    """A request that does not end in time does not keep the process."""
    log = GatedLog()
    log.gate.clear()
    async with running(tmp_path, log, deadline_ms=60_000, drain_ms=1_000) as app:
        async with serving(app, ingest_settings(tmp_path, drain_ms=1_000)) as port:
            asked = asyncio.create_task(exchange(port, posted(b"[{}]")))
            await until(lambda: log.calls, what="the append is under way")
        log.gate.set()
        await asyncio.wait({asked})


async def test_serve_ends_when_told(tmp_path: Path) -> None:
    """The form that a process uses."""
    stop = asyncio.Event()
    async with running(tmp_path) as app:
        task = asyncio.create_task(serve(app, ingest_settings(tmp_path), stop))
        stop.set()
        await asyncio.wait_for(task, 20)


async def test_an_address_in_use_is_named(tmp_path: Path) -> None:
    """An error before anything is served."""
    async with served(tmp_path / "a") as (port, app):
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{port}") as error:
            async with serving(app, ingest_settings(tmp_path / "b", port=port)):
                pass

    assert error.value.errno == errno.EADDRINUSE


async def test_no_request_line_is_ever_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Good requests, bad ones, broken ones: URLs and bodies hold personal values."""
    caplog.set_level(0)
    async with served(tmp_path) as (port, _):
        await exchange(
            port, b"GET /matomo.php?idsite=1&rec=1&uid=canary HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
        )
        await exchange(port, b"GET /canary HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        await exchange(port, b"canary\r\n\r\n")
        await exchange(port, posted(b'{"user_id":"canary"'))
        await exchange(port, posted(gzip.compress(b"canary")[:-4]))
        await exchange(
            port, b"GET /canary HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade, close\r\n\r\n"
        )

    said = capfd.readouterr()
    assert "canary" not in caplog.text + said.out + said.err


async def test_too_many_bodies_at_once_are_turned_away(tmp_path: Path) -> None:
    """Memory for bodies that come in pieces is one for all: 503 and when to come again; then there is room."""
    body = b"[{}]".ljust(900_000)
    async with served(tmp_path) as (port, app):
        left, app._room.left = app._room.left, 100_000
        refused = await exchange(port, posted(body))
        app._room.left = left
        taken = await exchange(port, posted(body))

    assert (503, "30", 200) == (refused.status, refused.headers["retry-after"], taken.status)
    assert left == app._room.left


_NODE = """
import asyncio, sys
from pathlib import Path
from pipeline.ingest.app import IngestApp
from pipeline.ingest.server import serving
from tests.support.fake_log import FakeLog
from tests.support.http_server import ingest_settings
from tests.protocols.build import sites

async def main():
    log = FakeLog()
    log.away = True
    settings = ingest_settings(Path(sys.argv[1]))
    app = IngestApp(sites(), log, settings)
    await app.start()
    async with serving(app, settings) as port:
        print(port, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_a_killed_node_keeps_every_hit_it_answered_for(tmp_path: Path) -> None:
    """SIGKILL under load with the log away: the next process drains all that got a 2xx into the log, in order."""
    node = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _NODE, str(tmp_path), stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    assert node.stdout is not None
    port = int(await asyncio.wait_for(node.stdout.readline(), 60))
    answered: list[str] = []

    async def send(worker: int) -> None:
        for n in range(10_000):
            try:
                answer = await exchange(
                    port, posted(b'[{"event_id":"%d-%05d","anonymous_id":"d%d"}]' % (worker, n, worker))
                )
            except OSError:
                return
            if answer.status != 200:
                return
            answered.append(f"{worker}-{n:05d}")

    senders = [asyncio.create_task(send(worker)) for worker in range(4)]
    await until(lambda: len(answered) > 60, 60, "hits are answered")
    node.kill()
    await node.wait()
    await asyncio.gather(*senders)
    log = FakeLog()
    async with running(tmp_path, log) as app:
        await until(lambda: app._backlog.empty, 30, "the spool drains")

    kept = [hit.event_id for hit in hits_in(log)]
    assert set(answered) <= set(kept)
    for worker in range(4):
        mine = [event_id for event_id in kept if event_id.startswith(f"{worker}-")]
        assert mine == sorted(mine)
