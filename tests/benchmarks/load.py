"""HTTP load from one process: keep-alive connections that send the next request when the last one is answered.

It must not know what the requests say. Bounded by a number of requests, and by a deadline.
"""

import asyncio
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

from msgspec import Struct

_DEADLINE_S = 60


class Figures(Struct):
    """Of one run. Latencies in milliseconds, sorted."""

    seconds: float
    accepted: int
    refused: int
    latencies_ms: list[float]

    def percentile_ms(self, share: float) -> float:
        """The latency that this share of the requests did not exceed."""
        return self.latencies_ms[min(len(self.latencies_ms) - 1, int(len(self.latencies_ms) * share))]


class _Connection(asyncio.Protocol):
    def __init__(self, requests: Iterator[bytes], figures: Figures, done: asyncio.Future[None]) -> None:
        self._requests, self._figures, self._done = requests, figures, done
        self._seen = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]
        self._next()

    def data_received(self, data: bytes) -> None:
        self._seen += data
        head, separator, body = self._seen.partition(b"\r\n\r\n")
        if not separator or len(body) < _content_length(head):
            return
        self._figures.latencies_ms.append((time.perf_counter() - self._sent_s) * 1_000)
        if head.startswith(b"HTTP/1.1 2"):
            self._figures.accepted += 1
        else:
            self._figures.refused += 1
        self._seen = b""
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            self._done.set_result(None)

    def _next(self) -> None:
        request = next(self._requests, None)
        if request is None:
            self._transport.close()
            return
        self._sent_s = time.perf_counter()
        self._transport.write(request)


def _content_length(head: bytes) -> int:
    _, found, rest = head.lower().partition(b"content-length: ")
    return int(rest.split(b"\r\n", 1)[0]) if found else 0


def post(path: str, body: bytes) -> bytes:
    """One request as it goes over the wire."""
    return b"POST %b HTTP/1.1\r\nhost: bench\r\ncontent-length: %d\r\n\r\n%b" % (path.encode(), len(body), body)


async def load(url: str, requests: Iterator[bytes], connections: int) -> Figures:
    """Send them all."""
    figures = Figures(0, 0, 0, [])
    address = urlsplit(url)
    loop = asyncio.get_running_loop()
    dones = [loop.create_future() for _ in range(connections)]
    started = time.perf_counter()
    for done in dones:
        await loop.create_connection(
            lambda done=done: _Connection(requests, figures, done),  # type: ignore[misc]
            address.hostname,
            address.port,
        )
    await asyncio.wait_for(asyncio.gather(*dones), _DEADLINE_S)
    figures.seconds = time.perf_counter() - started
    figures.latencies_ms.sort()
    return figures
