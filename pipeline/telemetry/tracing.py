"""Whether spans are made, and what may be said against it; nothing that makes them is imported unless they are.

OpenTelemetry's own variables decide, and all but these few are read by its SDK alone.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from msgspec import Struct, structs

from pipeline.log.port import Append, Record

if TYPE_CHECKING:
    from pipeline.telemetry.traces import Traces

TRACEPARENT = "traceparent"  # a header of requests and of records: whose part the rest is, as W3C writes it
ENDPOINT, PROTOCOL = "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_PROTOCOL"
_OF_TRACES = {ENDPOINT: "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", PROTOCOL: "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"}
_SPOKEN = "http/protobuf"


def traceparents(records: Iterable[Record]) -> list[str]:
    """Of those that have one."""
    return [parent for record in records if (parent := record.headers.get(TRACEPARENT))]


def marked(records: Iterable[Append], traceparent: str) -> list[Append]:
    """The same records, as part of a trace."""
    return [structs.replace(record, headers={**record.headers, TRACEPARENT: traceparent}) for record in records]


class CannotTrace(Exception):
    """Spans were asked for and cannot be made: what to install or to set."""


class TraceSettings(Struct, frozen=True):
    """Where spans go, "" for nowhere; and how they are to be sent, "" where nobody said it."""

    endpoint: str = ""
    protocol: str = ""


def trace_settings(given: Mapping[str, str]) -> TraceSettings:
    """What the environment says."""
    if given.get("OTEL_SDK_DISABLED", "").lower() == "true" or given.get("OTEL_TRACES_EXPORTER", "otlp") != "otlp":
        return TraceSettings()
    endpoint, protocol = (given.get(of_traces) or given.get(name, "") for name, of_traces in _OF_TRACES.items())
    return TraceSettings(endpoint, protocol)


@contextmanager
def tracing(stage: str, settings: TraceSettings) -> "Iterator[Traces | None]":
    """What makes spans while the block runs; None where nobody asked. Raises CannotTrace."""
    traces = _opened(stage, settings)
    try:
        yield traces
    finally:
        if traces is not None:
            traces.close()


def _opened(stage: str, settings: TraceSettings) -> "Traces | None":
    if not settings.endpoint:
        return None
    if not settings.endpoint.startswith(("http://", "https://")):
        raise CannotTrace(f"{ENDPOINT}: expected http://host:port or https://host:port, got {settings.endpoint!r}")
    if settings.protocol not in ("", _SPOKEN):
        raise CannotTrace(f"{PROTOCOL}: expected {_SPOKEN}, got {settings.protocol!r}")
    try:
        from pipeline.telemetry.traces import exporting
    except ImportError as error:
        why = f"{ENDPOINT} is set, and what makes spans is not installed: pip install 'seamline[otel]'"
        raise CannotTrace(why) from error
    return exporting(stage)
