"""One request and its answer, head and body in a single write; it must not know what is asked or who is asking.

uvicorn writes an answer's head and its body apart: two calls into the kernel, which together cost a fifth of a small
request. Whatever is not one head and one whole body is left to uvicorn.
"""

from functools import lru_cache
from typing import Any

from uvicorn.protocols.http.httptools_impl import HEADER_RE, HEADER_VALUE_RE, STATUS_LINE, RequestResponseCycle

Pairs = tuple[tuple[bytes, bytes], ...]
REQUEST_ID_HEADER = b"x-request-id"  # the first header of whoever sets it, and of characters that end no header
HEADS_REMEMBERED = 512  # a few shapes a second: the date is one of the headers


@lru_cache(maxsize=HEADS_REMEMBERED)
def _head(status: int, headers: Pairs) -> bytes:
    """The answer up to its request ID. Raises RuntimeError where a header could end early and begin another."""
    for name, value in headers:
        if HEADER_RE.search(name) or HEADER_VALUE_RE.search(value):
            raise RuntimeError("invalid HTTP header")
    return STATUS_LINE[status] + b"".join(b"%b: %b\r\n" % pair for pair in headers)


class Exchange(RequestResponseCycle):
    """uvicorn's cycle, but an answer's head waits for its body."""

    _start: Any = None  # the head, until its body comes
    lingering = False  # answered with a close, and the client still sends

    async def send(self, message: Any) -> None:
        """Keep a head; write it with a whole body that follows; leave everything else as it was."""
        if message["type"] == "http.response.start" and not self.response_started:
            self._start = message
        elif self._start is None:
            await super().send(message)
        elif self._plain(message) and not self.flow.write_paused:
            self._write(self._start["status"], tuple(self._start["headers"]), message["body"])
        else:
            await self._whole(message)

    async def _whole(self, message: Any) -> None:
        """By uvicorn, which closes as soon as the answer is complete. A client that still sends would meet a reset
        instead of the answer, so the connection is left open until it has sent all."""
        start, self._start = self._start, None
        body_comes = self.more_body and not self.waiting_for_100_continue
        await super().send(start)
        if body_comes and not self.keep_alive:
            self.keep_alive = self.lingering = True
        await super().send(message)

    def _plain(self, message: Any) -> bool:
        """Whether the answer needs none of HTTP's finer points: an open connection, a whole body, its length told."""
        headers, body = self._start["headers"], message["body"]
        whole = not body if self._start["status"] == 204 else (headers[-1:] == [(b"content-length", b"%d" % len(body))])
        return (
            whole
            and self.keep_alive
            and not message.get("more_body")
            and self.scope["method"] != "HEAD"
            and not any(name == b"connection" for name, _ in headers)
        )

    def _write(self, status: int, headers: Pairs, body: bytes) -> None:
        if self.disconnected:
            return
        own = b"\r\n"
        if headers and headers[0][0] == REQUEST_ID_HEADER:  # another one each time: it would fill the memory of heads
            own, headers = b"%b: %b\r\n\r\n" % headers[0], headers[1:]
        self.transport.write(_head(status, (*self.default_headers, *headers)) + own + body)
        self._start, self.waiting_for_100_continue = None, False
        self.response_started = self.response_complete = True
        self.message_event.set()
        self.on_response()
