"""Spans by OpenTelemetry's SDK, the only place that imports it; it must not know what they are about.

A span says numbers and names out of settings, never what a hit said, and of an exception its type alone. Contexts are
`traceparent` texts: they come in headers and leave in headers.
"""

import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from pipeline import __version__

Kind = Literal["server", "producer", "consumer"]
Said = Mapping[str, Any]  # texts, numbers, lists of texts

LINKS_MAX = 128  # of one span, and the SDK's own default: a batch may be of thousands of requests
_CLOSE_S = 3.0  # to send what waits when the process ends; a collector that is away must not hold it up
_WELL_FORMED = re.compile("00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")


class Piece:
    """A span under way."""

    def __init__(self, span: Span) -> None:
        self._span = span

    @property
    def traceparent(self) -> str:
        """Its context, for a header."""
        own = self._span.get_span_context()
        return f"00-{own.trace_id:032x}-{own.span_id:016x}-{own.trace_flags:02x}"

    def say(self, said: Said) -> None:
        """More about it."""
        self._span.set_attributes(said)

    def link(self, other: "Piece") -> None:
        """The other belongs to it."""
        if self._span.is_recording():
            self._span.add_link(other._span.get_span_context())

    def fail(self, why: str) -> None:
        """It did not do what it was for."""
        self._span.set_status(Status(StatusCode.ERROR, why))

    def end(self) -> None:
        """Done; the second time nothing happens."""
        if self._span.is_recording():
            self._span.end()


class Traces:
    """What makes spans, by way of the provider until `close`."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("seamline", __version__)

    def begin(self, name: str, kind: Kind, parents: Sequence[str] = (), said: Said | None = None) -> Piece:
        """A span of what the first sampled parent is a part of, linked to the others; to be ended."""
        contexts = [context for parent in dict.fromkeys(parents) if (context := _context(parent)) is not None]
        first = next((context for context in contexts if context.trace_flags.sampled), next(iter(contexts), None))
        others = [context for context in contexts if context is not first and context.trace_flags.sampled]
        within = set_span_in_context(NonRecordingSpan(first), Context()) if first else Context()
        links = [Link(context) for context in others[: LINKS_MAX - 1]]
        span = self._tracer.start_span(name, within, _KINDS[kind], said, links)
        return Piece(span)

    @contextmanager
    def span(self, name: str, kind: Kind, parents: Sequence[str] = (), said: Said | None = None) -> Iterator[Piece]:
        """A span of the block."""
        piece = self.begin(name, kind, parents, said)
        try:
            yield piece
        except BaseException as error:
            piece.fail(type(error).__name__)
            raise
        finally:
            piece.end()

    def close(self) -> None:
        """Send what waits, or give it up after three seconds. Blocks."""
        closing = threading.Thread(target=self._provider.shutdown, name="traces", daemon=True)
        closing.start()
        closing.join(_CLOSE_S)


def exporting(stage: str) -> Traces:
    """Spans to the collector that the environment names, sampled and batched as it says, in a thread of the SDK."""
    provider = TracerProvider(resource=_resource(stage), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Traces(provider)


def _resource(stage: str) -> Resource:
    """As the environment says it; else by our name for the process."""
    ours = Resource({SERVICE_VERSION: __version__})
    found = ours.merge(Resource.create())
    if str(found.attributes[SERVICE_NAME]).startswith("unknown_service"):
        found = found.merge(Resource({SERVICE_NAME: f"seamline-{stage}"}))
    return found


def _context(traceparent: str) -> SpanContext | None:
    """None of anything that W3C would not have written."""
    found = _WELL_FORMED.fullmatch(traceparent)
    if found is None:
        return None
    trace_id, span_id, flags = (int(part, 16) for part in found.groups())
    context = SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(flags))
    return context if context.is_valid else None


_KINDS = {"server": SpanKind.SERVER, "producer": SpanKind.PRODUCER, "consumer": SpanKind.CONSUMER}
