"""Ingest with a span a request and a span a batch; it must not know what makes spans, and is not used without it.

A request ends when its batch is durable, so it links to the span of the batch; the batch is a part of the trace of its
first request, and its records carry it on. Neither says a path, a query or anything of a hit: a path may be a key.
"""

from collections.abc import Sequence
from contextlib import suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from pipeline.ingest.app import IngestApp, Scope, Send
from pipeline.ingest.body import Receive
from pipeline.ingest.publisher import Publisher
from pipeline.log.port import HITS, Append
from pipeline.model import Alias, Hit
from pipeline.protocols.registry import protocol_at
from pipeline.protocols.request import Outcome, Protocol, Reply
from pipeline.telemetry.logs import REQUEST_ID
from pipeline.telemetry.tracing import TRACEPARENT, marked

if TYPE_CHECKING:
    from pipeline.telemetry.traces import Piece, Traces

_REQUEST: ContextVar["Piece | None"] = ContextVar("span of the request", default=None)
_HEADER = TRACEPARENT.encode()
_SHED = (429, 503)


class TracedPublisher(Publisher):
    """`traces` has to be set before `start`."""

    traces: "Traces"

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._requests: list[Piece] = []  # of the batch that is being filled

    async def publish(self, hits: Sequence[Hit], aliases: Sequence[Alias] = ()) -> str:
        """The same, and the batch knows the request."""
        request = _REQUEST.get()
        if request is not None:
            self._requests.append(request)
        fate = await super().publish(hits, aliases)
        if fate and request is not None:
            with suppress(ValueError):
                self._requests.remove(request)  # turned away before it came into a batch
        return fate

    async def _fate(self, records: list[Append]) -> str:
        requests, self._requests = self._requests, []
        spooled = self._counts.events["spooled_records"]
        said = {
            "messaging.destination.name": HITS,
            "seamline.requests": len(requests),
            "seamline.records": len(records),
        }
        with self.traces.span("publish", "producer", [request.traceparent for request in requests], said) as batch:
            for request in requests:
                request.link(batch)
            fate = await super()._fate(marked(records, batch.traceparent))
            where = "log" if spooled == self._counts.events["spooled_records"] else "spool"
            batch.say({"seamline.outcome": fate or where})
            if fate:
                batch.fail(fate)
        return fate


class TracedIngest(IngestApp):
    """An IngestApp whose requests to trackers' paths are spans. Health, metrics, scripts and preflights are not."""

    _publishing = TracedPublisher

    def __init__(self, traces: "Traces", *given: Any) -> None:
        super().__init__(*given)
        self._traces = traces
        assert isinstance(self._publisher, TracedPublisher), "as `_publishing` says"
        self._publisher.traces = traces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, and its span; a part of the sender's trace where a trusted proxy says of which."""
        protocol = protocol_at(scope["path"])
        method = scope["method"]
        if protocol is None or method == "OPTIONS":
            await super().__call__(scope, receive, send)
            return
        said = {"http.request.method": method, "seamline.protocol": protocol.name, "seamline.outcome": "gone"}
        with self._traces.span(f"{method} {protocol.name}", "server", self._parents(scope), said) as request:
            _REQUEST.set(request)

            async def watched(message: Any) -> None:
                if message["type"] == "http.response.start":
                    _say_status(request, message["status"])
                await send(message)

            await super().__call__(scope, receive, watched)

    async def _publish(self, protocol: Protocol, outcome: Outcome) -> Reply:
        request = _REQUEST.get()
        if request is not None:
            sites = ",".join(sorted({hit.site_id for hit in outcome.hits}))
            numbers = {"seamline.hits": len(outcome.hits), "seamline.aliases": len(outcome.aliases)}
            request.say({"seamline.site": sites, "seamline.request_id": REQUEST_ID.get(), **numbers})
        return await super()._publish(protocol, outcome)

    def _parents(self, scope: Scope) -> list[str]:
        """Whoever may not name the client may not fill our traces either."""
        client = scope.get("client")
        if not client or not self._proxies.trusts(client[0]):
            return []
        return [value.decode("latin-1") for name, value in scope["headers"] if name == _HEADER][:1]


def _say_status(request: "Piece", status: int) -> None:
    outcome = "accepted" if status < 400 else "shed" if status in _SHED else "refused" if status < 500 else "fault"
    request.say({"http.response.status_code": status, "seamline.outcome": outcome})
    if status >= 500:
        request.fail(outcome)
