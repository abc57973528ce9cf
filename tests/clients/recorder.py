"""A server that answers trackers as their real endpoints do and keeps what they sent; it understands none of it."""

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from pipeline.demo.day import Recorded, own_times
from pipeline.demo.pages import Account, site
from pipeline.times import iso

_GIF = base64.b64decode("R0lGODlhAQABAIAAAAAAAAAAACH5BAEAAAAALAAAAAABAAEAAAICRAEAOw==")
_KEPT_HEADERS = ("content-type", "user-agent", "accept-language")


class _Answer(NamedTuple):
    status: int
    content_type: str = ""
    body: bytes = b""


class Recorder:
    """Listens on loopback while the block runs. `client` and `sent_ms` are noted with what arrives next."""

    def __init__(self, customers: tuple[Account, ...]) -> None:
        self.requests: list[Recorded] = []
        self.client = ""
        self.sent_ms: int | None = None  # None: a request is sent when its last hit happens
        self._pages = site(customers)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="recorder", daemon=True)

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "Recorder":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, method: str, target: str, headers: dict[str, str], body: bytes) -> _Answer:
        """A page of the shop, or a request that is kept."""
        url = urlsplit(target)
        page = self._pages.get(url.path)
        if page is not None:
            return _Answer(200, page.content_type, page.body)
        if not url.path.startswith(("/v1/hits", "/matomo.php", "/webhooks/")):
            return _Answer(404)
        kept = {name: headers[name] for name in _KEPT_HEADERS if name in headers}
        request = Recorded("", self.client, method, url.path, url.query, kept, body.decode())
        at_ms = max(own_times(request)) if self.sent_ms is None else self.sent_ms
        self.requests.append(Recorded(iso(at_ms), self.client, method, url.path, url.query, kept, body.decode()))
        return _tracker_answer(url.path, url.query, body)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _any(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                status, content_type, answer = recorder.answer(self.command, self.path, headers, body)
                self.send_response(status)
                if content_type:
                    self.send_header("content-type", content_type)
                if status != 204:
                    self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_GET = do_POST = _any  # noqa: N815 - the names that http.server calls

            def log_message(self, *_: Any) -> None:
                """A recording is not a log."""

        return Handler


def _tracker_answer(path: str, query: str, body: bytes) -> _Answer:
    if path == "/v1/hits":
        return _Answer(200, "application/json", b'{"accepted":1,"rejected":[]}')
    if path.startswith("/webhooks/"):
        return _Answer(204)
    if b'"requests"' in body:
        answer = {"status": "success", "tracked": len(json.loads(body)["requests"]), "invalid": 0}
        return _Answer(200, "application/json", json.dumps(answer).encode())
    return _Answer(204) if "send_image=0" in f"{query}&{body.decode()}" else _Answer(200, "image/gif", _GIF)
