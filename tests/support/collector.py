"""A collector of spans on loopback that speaks OTLP over HTTP; it must not know who sends."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from msgspec import Struct
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Span(Struct, frozen=True):
    """What a backend would show of one."""

    service: str
    name: str
    trace: str
    id: str
    parent: str
    links: tuple[str, ...]  # IDs of the spans
    said: dict[str, Any]
    failed: str


class Collector:
    """`spans`: in order of arrival; `bytes`: all that was sent, bodies and headers."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.bytes = b""
        self.url = ""

    def named(self, name: str) -> list[Span]:
        """Those of that name."""
        return [span for span in self.spans if span.name == name]

    def take(self, body: bytes, headers: str) -> None:
        """One request of an exporter."""
        self.bytes += body + headers.encode()
        for part in ExportTraceServiceRequest.FromString(body).resource_spans:
            (service,) = [a.value.string_value for a in part.resource.attributes if a.key == "service.name"]
            self.spans += [_span(service, span) for scope in part.scope_spans for span in scope.spans]


@contextmanager
def collecting() -> Iterator[Collector]:
    """One that listens while the block runs."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            collector.take(self.rfile.read(int(self.headers["content-length"])), str(self.headers))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing is printed."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    listening = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    listening.start()
    collector.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield collector
    finally:
        server.shutdown()
        listening.join()
        server.server_close()


def _span(service: str, span: Any) -> Span:
    values = {attribute.key: attribute.value for attribute in span.attributes}
    return Span(
        service=service,
        name=span.name,
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        links=tuple(link.span_id.hex() for link in span.links),
        said={key: _value(value) for key, value in values.items()},
        failed=span.status.message,
    )


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    return [_value(one) for one in value.array_value.values] if kind == "array_value" else getattr(value, kind)
