"""Whether a worker lives and is ready, and the pages that say so; it must not know why it would not be.

A worker is alive while its event loop answers and, in any stretch of `stalled_ms` in which the log answered, hits were
folded or none were left: consumers of this kind are known to stop without a word, and only a restart helps.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping

import msgspec
from msgspec import Struct

from pipeline.limits import SECOND_MS
from pipeline.telemetry.metrics import CONTENT_TYPE

_REQUEST_S_MAX = 5.0
_REQUEST_BYTES_MAX = 8192

_log = logging.getLogger(__name__)


class Progress:
    """Told now and then how far hits are folded and where they end; knows since when nothing has moved."""

    def __init__(self, stalled_ms: int, now_s: float) -> None:
        self._stalled_s = stalled_ms / SECOND_MS
        self._moved_s = now_s
        self._folded: dict[int, int] | None = None
        self.lag: int | None = None

    def look(self, folded: Mapping[int, int] | None, ends: Mapping[int, int] | None, now_s: float) -> None:
        """`folded`: None while nothing is assigned; `ends`: None when the log does not answer: nobody is to blame."""
        self.lag = None
        if folded is not None and ends is not None:
            self.lag = sum(max(0, ends[number] - position) for number, position in folded.items())
        if ends is None or self.lag == 0 or (folded is not None and dict(folded) != self._folded):
            self._moved_s = now_s
        self._folded = None if folded is None else dict(folded)

    def alive(self, now_s: float) -> bool:
        """Whether something moved recently, or nothing had to."""
        return now_s - self._moved_s < self._stalled_s


class Health:
    """`/health/live` and `/health/ready` on a port of their own: 200 or 503, and a JSON object that says why; and
    `/metrics`."""

    def __init__(
        self,
        live: Callable[[], bool],
        ready: Callable[[], bool],
        report: Callable[[], Struct],
        metrics: Callable[[], bytes],
    ) -> None:
        self._pages = {"/health/live": live, "/health/ready": ready}
        self._report = report
        self._metrics = metrics
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen; the port, which is the one given unless that was 0."""
        self._server = await asyncio.start_server(self._answer, host, port, limit=_REQUEST_BYTES_MAX)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_REQUEST_S_MAX):
                request = await reader.readuntil(b"\r\n\r\n")
                writer.write(self._response(request.split(b"\r\n", 1)[0].decode("latin-1")))
                await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            _log.debug("a health request was left unanswered: %r", error)
        finally:
            writer.close()

    def _response(self, request_line: str) -> bytes:
        method, path = [*request_line.split(" "), "", ""][:2]
        path = path.partition("?")[0]
        if path == "/metrics" and method == "GET":
            return _http("200 OK", self._metrics(), CONTENT_TYPE.decode())
        page = self._pages.get(path)
        if page is None or method not in {"GET", "HEAD"}:
            return _http("404 Not Found", b"{}")
        body = msgspec.json.encode(self._report())
        return _http("200 OK" if page() else "503 Service Unavailable", b"" if method == "HEAD" else body)


def _http(status: str, body: bytes, content_type: str = "application/json") -> bytes:
    lines = (f"HTTP/1.1 {status}", f"Content-Type: {content_type}", f"Content-Length: {len(body)}", "Connection: close")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
