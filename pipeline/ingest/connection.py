"""One HTTP connection: uvicorn's, with deadlines, bounds, and no request that two readers could read differently.

uvicorn waits for ever for headers, and for the rest of a body that nobody reads. Here every connection that has not
finished sending a request has a time by which it must; the server looks at all of them every 100 ms.
"""

import asyncio
import re
from typing import Any, ClassVar
from urllib.parse import unquote

from msgspec import Struct
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from pipeline.ingest.cors import cors_headers
from pipeline.ingest.exchange import Exchange
from pipeline.limits import DISCARD_BYTES_MAX, HEAD_BYTES_MAX, RETRY_AFTER_S

URL_BYTES_MAX = 65_535  # the parser counts a URL's parts in 16 bits
_UPGRADE = re.compile(rb"\r\nupgrade:", re.IGNORECASE)
_ASGI: Any = {"version": "3.0", "spec_version": "2.3"}
_CLOSE = (b"connection", b"close")
_HEAD_TOO_LARGE = b"431 Request Header Fields Too Large"


class Bounds(Struct, frozen=True):
    """What one server grants its clients."""

    header_deadline_s: float
    body_deadline_s: float
    connections_max: int


class BoundedProtocol(HttpToolsProtocol):
    """One connection. `due` is when the part of the request that is being received must be there."""

    bounds: ClassVar[Bounds]

    due: float | None = None
    head_bytes = 0
    body_bytes = 0
    in_head = True
    cycle: Exchange

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The clock starts before the first byte; the connection too many is told to come again."""
        super().connection_made(transport)
        self.due = self.loop.time() + self.bounds.header_deadline_s
        if len(self.connections) > self.bounds.connections_max:
            self.refuse(b"503 Service Unavailable", (b"retry-after", b"%d" % RETRY_AFTER_S))

    def data_received(self, data: bytes) -> None:
        """Counts what belongs to a head, since the parser would collect one without end."""
        if self.transport.is_closing():
            return
        if self.in_head:
            self.head_bytes += len(data)
            if b"pgrade" in data:
                data = _without_upgrade(data)
        super().data_received(data)
        if self.in_head and self.head_bytes > HEAD_BYTES_MAX:
            self.refuse(_HEAD_TOO_LARGE)

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        self.url, self.headers, self.expect_100_continue = b"", [], False
        self.scope = {"headers": self.headers}  # type: ignore[typeddict-item]
        self.due = self.loop.time() + self.bounds.header_deadline_s
        self.in_head, self.body_bytes = True, 0

    def on_headers_complete(self) -> None:
        """The last moment at which a request can be refused before the application sees it."""
        version = self.parser.get_http_version()
        if len(self.url) > URL_BYTES_MAX:
            self.refuse(b"414 URI Too Long")
        elif self.head_bytes > HEAD_BYTES_MAX and _head_bytes(self.headers, self.url) > HEAD_BYTES_MAX:
            self.refuse(_HEAD_TOO_LARGE)
        elif not _unambiguous(self.headers, version, self.url):
            self.refuse(b"400 Bad Request")
        if self.transport.is_closing():
            raise ValueError("refused")  # the parser stops here
        self._begin(version)
        self.due = self.loop.time() + self.bounds.body_deadline_s
        self.in_head, self.head_bytes = False, 0

    def _begin(self, version: str) -> None:
        """Hand the request to the application, or queue it behind the one being answered: what uvicorn does here, less
        what is not used."""
        path, _, query = self.url.partition(b"?")
        scope: Any = {
            "type": "http",
            "asgi": _ASGI,
            "http_version": version,
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "root_path": "",
            "method": self.parser.get_method().decode("ascii"),
            "path": unquote(path.decode("ascii")) if b"%" in path else path.decode("ascii"),
            "raw_path": path,
            "query_string": query,
            "headers": self.headers,
        }
        self.scope = scope
        self.headers = []  # a trailer may not add what the headers did not say: a key, a length
        before = self.cycle
        self.cycle = Exchange(
            scope,
            self.transport,
            self.flow,
            self.logger,
            self.access_logger,
            False,
            self.server_state.default_headers,
            asyncio.Event(),
            self.expect_100_continue,
            version != "1.0" and self.parser.should_keep_alive(),
            self.on_response_complete,
        )
        if before is None or before.response_complete:
            self._start_asgi_task(self.cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def on_body(self, body: bytes) -> None:
        """What is refused is still read for a while, so that the client comes to read why."""
        super().on_body(body)
        self.body_bytes += len(body)
        if self.body_bytes > DISCARD_BYTES_MAX:
            self.transport.close()

    def on_message_complete(self) -> None:
        """From here on the client owes nothing; if it was answered before with a close, this is the time for it."""
        super().on_message_complete()
        self.due, self.in_head = None, True
        if self.cycle.lingering and self.cycle.response_complete:
            self.transport.close()

    def _unsupported_upgrade_warning(self) -> None:
        self.refuse(b"400 Bad Request")

    def send_400_response(self, msg: str) -> None:
        """The parser's refusal, unless there has been one already."""
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
            headers = (
                *extra,
                *cors_headers(dict(self.scope["headers"]) if self.scope else {}),
                (b"content-length", b"0"),
                _CLOSE,
            )
            lines = b"".join(b"%b: %b\r\n" % header for header in headers)
            self.transport.write(b"HTTP/1.1 %b\r\n%b\r\n" % (status, lines))
        self.transport.close()


def bounded(bounds: Bounds) -> type[BoundedProtocol]:
    """The class of a server's connections."""
    return type("Connection", (BoundedProtocol,), {"bounds": bounds})


def _head_bytes(headers: list[tuple[bytes, bytes]], url: bytes) -> int:
    return len(url) + sum(len(name) + len(value) for name, value in headers)


def _unambiguous(headers: list[tuple[bytes, bytes]], version: str, url: bytes) -> bool:
    """Whether everyone on the way must have read this request alike. What the parser itself refuses is not repeated."""
    hosts = encodings = 0
    for name, value in headers:
        if name == b"host":
            hosts += 1
        elif name == b"transfer-encoding":
            encodings += 1
            if value.lower() != b"chunked":
                return False
    old = version == "1.0"  # may leave out the host, and knows no chunks
    framed = (old or version == "1.1") and hosts <= 1 and hosts + old >= 1 and encodings <= 1 - old
    return framed and url.startswith(b"/") and b"#" not in url


def _without_upgrade(data: bytes) -> bytes:
    """The same request without the offer to speak another protocol, which Java's client makes with every request.

    The parser would stop at it and lose the body. The name is overwritten in the head only, by one as long.
    """
    head, blank, rest = data.partition(b"\r\n\r\n")
    return _UPGRADE.sub(b"\r\nignored:", head) + blank + rest
