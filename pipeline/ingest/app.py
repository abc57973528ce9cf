"""The ASGI application: a request to its protocol, its hits to the log, and only then the reply; it knows no format."""

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from traceback import walk_tb
from typing import Any, ClassVar

import orjson
from msgspec import structs

from pipeline.ingest.addresses import Proxies, is_private
from pipeline.ingest.backlog import Backlog
from pipeline.ingest.body import BodyFault, Receive, Room, inflate, read_body
from pipeline.ingest.cors import cors_headers, preflight_headers
from pipeline.ingest.counts import Counts
from pipeline.ingest.exchange import REQUEST_ID_HEADER
from pipeline.ingest.metrics import ingest_text
from pipeline.ingest.publisher import Publisher
from pipeline.ingest.rates import AddressRates, Rates
from pipeline.ingest.renames import Renames
from pipeline.ingest.script.serving import script_reply
from pipeline.ingest.user_agent import UserAgents
from pipeline.limits import (
    APPEND_DEADLINE_MS,
    DECOMPRESSED_BYTES_MAX,
    EVENT_BYTES_MAX,
    LARGE_BODY_BYTES,
    RETRY_AFTER_S,
    SECOND_MS,
)
from pipeline.log.port import Log
from pipeline.model import Alias, Hit
from pipeline.privacy.suppression import Suppression
from pipeline.protocols.event_ids import uuid7
from pipeline.protocols.registry import protocol_at
from pipeline.protocols.request import JSON_TYPE, Outcome, Protocol, Reply, Request
from pipeline.settings import IngestSettings
from pipeline.sites import Sites
from pipeline.telemetry.logs import REQUEST_ID, request_id
from pipeline.telemetry.metrics import CONTENT_TYPE
from pipeline.times import iso

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Scope = MutableMapping[str, Any]

_log = logging.getLogger(__name__)
LARGE = BodyFault(413, "read beside the event loop")
_LOOK_AGAIN_S = 0.05  # while the spool is drained
_RETRY = (b"retry-after", b"%d" % RETRY_AFTER_S)


def _wall_clock_ms() -> int:
    return time.time_ns() // 1_000_000


def _refusal(status: int, reason: str, *headers: tuple[bytes, bytes]) -> Reply:
    return Reply(status, orjson.dumps({"error": reason}), (*JSON_TYPE, *headers))


class IngestApp:
    """An ASGI callable between `start` and `stop`; `counts` and `unready` are for whoever reports on it."""

    _publishing: ClassVar[type[Publisher]] = Publisher

    def __init__(
        self,
        sites: Sites,
        log: Log,
        settings: IngestSettings,
        now_ms: Callable[[], int] = _wall_clock_ms,
        append_deadline_ms: int = APPEND_DEADLINE_MS,
    ) -> None:
        self.counts = Counts()
        self._suppression = Suppression()
        self._renames = Renames()
        self._rates = Rates(settings.site_hits_per_second_max)
        self._addresses = AddressRates(settings.address_hits_per_second_max)
        self._sites, self._settings, self._now_ms = sites, settings, now_ms
        self._proxies = Proxies(settings.trusted_proxies)
        self._agents = UserAgents()
        self._backlog = Backlog(settings.spool, settings.spool_bytes_max, self._write, self.counts)
        linger_ms = (settings.linger_ms_min, settings.linger_ms_max)
        self._publisher = self._publishing(log, self._backlog, self.counts, linger_ms, append_deadline_ms)
        self._room = Room()
        self._one_large = asyncio.Semaphore(1)
        self._serving = False
        self.beside: list[Callable[[], bytes]] = []  # metrics of what runs in the same process

    async def _write(self, records: Any) -> bool:
        return await self._publisher.write(records)

    async def start(self) -> None:
        """Take the spool, ask the log, load the user agents. Raises SpoolLocked; a log that is away is waited for."""
        await self._backlog.open()
        try:
            await self._publisher.start()
            await asyncio.to_thread(self._agents.warm_up)
        except BaseException:
            await self.stop()
            raise
        self._serving = True

    async def stop(self) -> None:
        """Refuse what comes, make durable what came, close. The server has drained its requests before."""
        self._serving = False
        await self._publisher.stop()
        await self._backlog.close()

    def suppress(self, suppression: Suppression) -> None:
        """Whom to forget from now on, whenever they come."""
        self._suppression = suppression

    async def flushed(self) -> None:
        """Return once everything that was taken before the call is in the log, whatever comes meanwhile."""
        while await self._publisher.publish([]) or not self._backlog.empty:  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_AGAIN_S)

    def unready(self) -> str:
        """Why no traffic should come here now, or ""."""
        return self._backlog.refusing if self._serving else "not serving"

    def _how_ready(self) -> str:
        """Hits are taken, and where they go."""
        if self._publisher.reached and self._backlog.empty:
            return "ok"
        return f"ok: hits go to the spool, {self._backlog.records} records wait for the log"

    def metrics(self) -> bytes:
        """The Prometheus text of ingest, and of what runs beside it."""
        own = ingest_text(self.counts, self._now())
        return b"".join([own, *(metrics() for metrics in self.beside)])

    def _now(self) -> dict[str, float]:
        oldest_ms = self._backlog.oldest_ms
        return {
            "spool_records": self._backlog.records,
            "spool_bytes": self._backlog.bytes,
            "spool_age_seconds": max(0, self._now_ms() - oldest_ms) / SECOND_MS if oldest_ms else 0,
            "spool_damaged": self._backlog.damaged,
            "waiting_bytes": self._publisher.waiting_bytes,
            "agents_skipped": self._agents.skipped,
            "agents_failed": self._agents.failed,
            "addresses_forgotten": self._addresses.forgotten,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        began_s = time.perf_counter()
        assert scope["type"] == "http", "the server speaks HTTP only, and start() and stop() are the lifespan"
        headers: dict[bytes, bytes] = dict(scope["headers"])
        request = request_id(headers.get(REQUEST_ID_HEADER))
        REQUEST_ID.set(request)
        protocol = protocol_at(scope["path"])
        if protocol is None:
            reply: Reply | None = self._elsewhere(scope, headers)
        elif scope["method"] == "OPTIONS":
            await _respond(send, request, Reply(204), preflight_headers(headers, protocol.methods))
            return
        elif scope["method"] not in protocol.methods:
            reply = _refusal(405, "method not allowed", (b"allow", ", ".join(protocol.methods).encode()))
        else:
            reply = await self._ingest(protocol, scope, headers, receive)
        if reply is not None:
            self.counts.replies[protocol.name if protocol else "", reply.status] += 1
            if protocol is not None:
                self.counts.reply_seconds.observe(time.perf_counter() - began_s)
            await _respond(send, request, reply, cors_headers(headers))

    def _elsewhere(self, scope: Scope, headers: Mapping[bytes, bytes]) -> Reply:
        """The paths that are no tracker's. Metrics are for the neighbourhood, not for the Internet."""
        path = scope["path"]
        if path == "/health/live":
            return Reply(200, b"ok\n")
        if path == "/health/ready":
            why = self.unready()
            return Reply(503 if why else 200, f"{why or self._how_ready()}\n".encode())
        client = scope.get("client")
        if path == "/metrics" and client and is_private(client[0]) and b"x-forwarded-for" not in headers:
            return Reply(200, self.metrics(), ((b"content-type", CONTENT_TYPE),))
        return script_reply(path, scope["method"], headers) or _refusal(404, "nothing here")

    async def _ingest(
        self, protocol: Protocol, scope: Scope, headers: Mapping[bytes, bytes], receive: Receive
    ) -> Reply | None:
        """Numbered: 1 the body, 2 what it means, 3 durable, 4 the reply. A crash before 4 is an unanswered request:
        the client sends it again, and the same content is the same hit."""
        if self._addresses.on and (wait_s := self._addresses.wait_s(self._client(scope))):
            self.counts.events["address_limited"] += 1
            return _refusal(429, "more hits a second than an address may send", (b"retry-after", b"%d" % wait_s))
        if len(scope["query_string"]) > EVENT_BYTES_MAX:
            return _refusal(414, f"query longer than {EVENT_BYTES_MAX} bytes")
        body = await read_body(receive, headers, protocol.body_bytes_max, self._room)
        if isinstance(body, BodyFault):
            return self._body_fault(protocol, body)
        request = self._request(scope, headers, body)
        outcome = self._read(protocol, request, LARGE_BODY_BYTES) if len(body) <= LARGE_BODY_BYTES else LARGE
        if outcome is LARGE:
            async with self._one_large:
                outcome = await asyncio.to_thread(self._read, protocol, request, DECOMPRESSED_BYTES_MAX)
        if isinstance(outcome, BodyFault):
            return self._body_fault(protocol, outcome)
        if outcome is None:
            return _refusal(500, "a fault of ours, counted and logged")
        if self._addresses.on:
            self._addresses.take(request.ip, len(outcome.hits) - 1)
        self.counts.add(protocol.name, outcome.counts)
        self.counts.read += len(outcome.hits)
        self.counts.in_flight += len(outcome.hits)
        try:
            return await self._publish(protocol, outcome)
        finally:
            self.counts.in_flight -= len(outcome.hits)

    async def _publish(self, protocol: Protocol, outcome: Outcome) -> Reply:
        """Steps 3 and 4. However it ends, each hit of the outcome has been counted as one thing or another."""
        wait_s = self._rates.wait_s(hit.site_id for hit in outcome.hits)
        if wait_s:
            self.counts.add_hits(protocol.name, outcome.hits, "shed", "rate")
            return _refusal(429, "more hits a second than this site may send", (b"retry-after", b"%d" % wait_s))
        request = REQUEST_ID.get()
        for hit in outcome.hits:
            hit.request_id = request  # a dead letter of it is then found from a log line, ours or a proxy's
        hits, aliases = self._kept(protocol, outcome)
        renames = self._renames.of(hits)
        if hits or aliases:
            fate = await self._publisher.publish(hits, [*aliases, *renames])
            if fate:
                self.counts.add_hits(protocol.name, hits, "shed", fate)
                return _refusal(503, f"try again: {fate}", _RETRY)
            self._renames.stated(renames)
            self.counts.add_hits(protocol.name, hits, "accepted")
        return outcome.reply

    def _kept(self, protocol: Protocol, outcome: Outcome) -> tuple[Sequence[Hit], Sequence[Alias]]:
        """Without those who were forgotten. Their sender is not told: the answer would say who was."""
        if self._suppression.nobody:
            return outcome.hits, outcome.aliases
        left = [(hit, self._suppression.hit(hit)) for hit in outcome.hits]
        self.counts.add_hits(protocol.name, [hit for hit, kept in left if kept is None], "refused", "erased")
        return [kept for _, kept in left if kept is not None], self._suppression.aliases(outcome.aliases)

    def _body_fault(self, protocol: Protocol, fault: BodyFault) -> Reply | None:
        self.counts.events[f"body_{fault.status or 'gone'}"] += 1
        if not fault.status:
            return None
        return _refusal(fault.status, fault.reason, *((_RETRY,) if fault.status == 503 else ()))

    def _client(self, scope: Scope) -> str:
        client = scope.get("client")
        return self._proxies.client(client[0], scope["headers"]) if client else ""

    def _request(self, scope: Scope, headers: Mapping[bytes, bytes], body: bytes) -> Request:
        now_ms = self._now_ms()
        return Request(
            method=scope["method"],
            path=scope["path"],
            query=scope["query_string"],
            headers=headers,
            body=body,
            ip=self._client(scope),
            now_ms=now_ms,
            received_at=iso(now_ms),
            new_id=lambda: uuid7(now_ms, os.urandom(10)),
            agent_of=self._agents,
        )

    def _read(self, protocol: Protocol, request: Request, bytes_max: int) -> Outcome | BodyFault | None:
        """The protocol's answer to the inflated body; LARGE if `bytes_max` was too little and more is allowed.

        None if the protocol broke, which is a bug: logged by place, never with values.
        """
        body = inflate(request.body, request.headers, bytes_max)
        if isinstance(body, BodyFault):
            return LARGE if body.status == 413 and bytes_max < DECOMPRESSED_BYTES_MAX else body
        try:
            return protocol.handle(
                structs.replace(request, body=body) if body is not request.body else request, self._sites
            )
        except Exception as error:
            self.counts.events["protocol_faults"] += 1
            _log.error("%s: %s at %s", protocol.name, type(error).__name__, _place(error))
            return None


def _place(error: Exception) -> str:
    """File and line of where it was raised."""
    *_, (frame, line) = walk_tb(error.__traceback__)
    return f"{frame.f_code.co_filename}:{line}"


async def _respond(send: Send, request: str, reply: Reply, extra: tuple[tuple[bytes, bytes], ...]) -> None:
    headers = [(REQUEST_ID_HEADER, request.encode()), *reply.headers, *extra]
    if reply.status not in (204, 304):
        headers.append((b"content-length", b"%d" % len(reply.body)))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})
