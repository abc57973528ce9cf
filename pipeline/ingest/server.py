"""An HTTP server on uvicorn with the deadlines and bounds that uvicorn lacks; it knows no path.

uvicorn waits for ever for headers, and for the rest of a body that nobody reads. Here every connection that has not
finished sending a request has a time by which it must, and one look every 100 ms at all of them.
"""

import asyncio
import gc
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import uvicorn
from msgspec import Struct
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from pipeline.ingest.cors import cors_headers
from pipeline.limits import DISCARD_BYTES_MAX, HEAD_BYTES_MAX, IDLE_MS_MAX, RETRY_AFTER_S
from pipeline.settings import IngestSettings

BACKLOG = 2_048
GC_ALLOCATIONS = 20_000  # several hundred requests
URL_BYTES_MAX = 65_535  # the parser counts a URL's parts in 16 bits
_CLOSE = (b"connection", b"close")
_HEAD_TOO_LARGE = b"431 Request Header Fields Too Large"


class Bounds(Struct, frozen=True):
    """What one server grants its clients."""

    header_deadline_s: float
    body_deadline_s: float
    connections_max: int


def _protocol(bounds: Bounds) -> type[HttpToolsProtocol]:
    class BoundedProtocol(HttpToolsProtocol):
        """One connection. `due` is when the part of the request that is being received must be there."""

        due: float | None = None
        head_bytes = 0
        body_bytes = 0
        in_head = True

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self.due = self.loop.time() + bounds.header_deadline_s
            if len(self.connections) > bounds.connections_max:
                self.refuse(b"503 Service Unavailable", (b"retry-after", b"%d" % RETRY_AFTER_S))

        def data_received(self, data: bytes) -> None:
            if self.transport.is_closing():
                return
            self.head_bytes += len(data) if self.in_head else 0
            super().data_received(data)
            if self.in_head and self.head_bytes > HEAD_BYTES_MAX:
                self.refuse(_HEAD_TOO_LARGE)

        def on_message_begin(self) -> None:
            super().on_message_begin()
            self.due = self.loop.time() + bounds.header_deadline_s
            self.in_head, self.body_bytes = True, 0

        def on_headers_complete(self) -> None:
            if len(self.url) > URL_BYTES_MAX:
                self.refuse(b"414 URI Too Long")
            elif self.head_bytes > HEAD_BYTES_MAX and _head_bytes(self.headers, self.url) > HEAD_BYTES_MAX:
                self.refuse(_HEAD_TOO_LARGE)
            elif not _unambiguous(self.headers, self.parser.get_http_version(), self.url):
                self.refuse(b"400 Bad Request")
            if self.transport.is_closing():
                raise ValueError("refused")  # the parser stops here
            super().on_headers_complete()
            self.due = self.loop.time() + bounds.body_deadline_s
            self.in_head, self.head_bytes = False, 0

        def on_body(self, body: bytes) -> None:
            super().on_body(body)
            self.body_bytes += len(body)
            if self.body_bytes > DISCARD_BYTES_MAX:
                self.transport.close()

        def on_message_complete(self) -> None:
            super().on_message_complete()
            self.due, self.in_head = None, True

        def send_400_response(self, msg: str) -> None:
            if not self.transport.is_closing():
                super().send_400_response(msg)

        def overdue(self, now: float) -> bool:
            """Whether time is up. A half-sent request behind one that is being answered is given until then."""
            if self.due is None or now < self.due:
                return False
            return not (self.in_head and self.cycle is not None and not self.cycle.response_complete)

        def refuse(self, status: bytes, *extra: tuple[bytes, bytes]) -> None:
            """Answer below the application, unless an answer has begun that this could be taken for; and close."""
            if self.transport.is_closing():
                return
            cycle = self.cycle
            if cycle is None or (cycle.response_complete if self.in_head else not cycle.response_started):
                headers = (*extra, *cors_headers(dict(self.headers or ())), (b"content-length", b"0"), _CLOSE)
                lines = b"".join(b"%b: %b\r\n" % header for header in headers)
                self.transport.write(b"HTTP/1.1 %b\r\n%b\r\n" % (status, lines))
            self.transport.close()

    return BoundedProtocol


def _head_bytes(headers: list[tuple[bytes, bytes]], url: bytes) -> int:
    return len(url) + sum(len(name) + len(value) for name, value in headers)


def _unambiguous(headers: list[tuple[bytes, bytes]], version: str, url: bytes) -> bool:
    """Whether everyone on the way must have read this request alike. What the parser itself refuses is not repeated."""
    hosts = sum(name == b"host" for name, _ in headers)
    encodings = [value.lower() for name, value in headers if name == b"transfer-encoding"]
    return (
        hosts <= 1
        and (hosts == 1 or version != "1.1")
        and encodings in ([], [b"chunked"])
        and not (encodings and version != "1.1")
        and url.startswith(b"/")
    )


class _Server(uvicorn.Server):
    """Closes what is overdue at every tick, and leaves signals to whoever composed the process."""

    async def on_tick(self, counter: int) -> bool:
        now = asyncio.get_running_loop().time()
        for connection in [c for c in self.server_state.connections if c.overdue(now)]:  # type: ignore[union-attr]
            connection.refuse(b"408 Request Timeout")  # type: ignore[union-attr]
        return await super().on_tick(counter)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises OSError with the address in its text."""
    try:
        return socket.create_server(
            (host, port), backlog=BACKLOG, family=socket.AF_INET6 if ":" in host else socket.AF_INET
        )
    except OSError as error:
        raise OSError(error.errno, f"cannot listen on {host}:{port}: {error.strerror}") from None


@asynccontextmanager
async def serving(app: Callable[..., Any], settings: IngestSettings) -> AsyncIterator[int]:
    """Serve the application while the block runs; gives the port. Leaving it drains: nothing new is accepted, open
    requests get `drain_ms` to end. Raises OSError when the address is taken."""
    listener = _listen(settings.host, settings.port)
    bounds = Bounds(settings.header_deadline_ms / 1_000, settings.body_deadline_ms / 1_000, settings.connections_max)
    config = uvicorn.Config(
        app,
        http=_protocol(bounds),
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        log_level="error",
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=IDLE_MS_MAX // 1_000,
        timeout_graceful_shutdown=settings.drain_ms // 1_000 or 1,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]), name="http server")
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        await task


async def serve(app: Callable[..., Any], settings: IngestSettings, stop: asyncio.Event) -> None:
    """Serve until `stop` is set, then drain. What is loaded by now stays out of the garbage collector's way, and it
    looks less often: what a request makes dies with it."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_ALLOCATIONS, 20, 100)
    async with serving(app, settings):
        await stop.wait()
