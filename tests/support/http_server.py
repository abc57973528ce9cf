"""Ingest as its clients meet it, on a log that tests control: in-process calls, or a real server on loopback."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, structs

from pipeline.ingest.app import IngestApp
from pipeline.ingest.server import serving
from pipeline.log.port import HITS, Append, Log
from pipeline.model import Hit
from pipeline.settings import IngestSettings, load_settings
from pipeline.sites import Sites
from tests.protocols.build import NOW_MS, sites
from tests.support.fake_log import FakeLog


class Answer(Struct):
    """What a client got."""

    status: int
    headers: dict[str, str]
    body: bytes


def ingest_settings(folder: Path, **changes: Any) -> IngestSettings:
    """Defaults in a folder of the test's own, on any free port."""
    made = load_settings({"SEAMLINE_DATA": str(folder), "SEAMLINE_PORT": "0"}).ingest
    return structs.replace(made, linger_ms_min=1, linger_ms_max=1, **changes)


@asynccontextmanager
async def running(
    folder: Path, log: Log | None = None, where: Sites | None = None, deadline_ms: int = 500, **changes: Any
) -> AsyncIterator[IngestApp]:
    """An application between start and stop, at a moment that stands still."""
    app = IngestApp(
        where or sites(),
        log or FakeLog(),
        ingest_settings(folder, **changes),
        lambda: NOW_MS,
        append_deadline_ms=deadline_ms,
    )
    await app.start()
    try:
        yield app
    finally:
        await app.stop()


@asynccontextmanager
async def served(
    folder: Path, log: Log | None = None, deadline_ms: int = 500, **changes: Any
) -> AsyncIterator[tuple[int, IngestApp]]:
    """The same behind the real server: (port, application)."""
    settings = ingest_settings(folder, **changes)
    async with running(folder, log, deadline_ms=deadline_ms, **changes) as app, serving(app, settings) as port:
        yield port, app


async def call(
    app: IngestApp,
    method: str,
    path: str,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    query: str = "",
    client: tuple[str, int] = ("203.0.113.77", 4711),
) -> Answer:
    """One request without a socket: what the server would hand over, and what it would be handed back."""
    sent = {"host": "seamline.example"} | ({"content-length": str(len(body))} if body else {}) | dict(headers or {})
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in sent.items()],
        "client": client,
    }
    parts: list[Any] = []
    chunks = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive() -> Any:
        return next(chunks, {"type": "http.disconnect"})

    async def send(message: Any) -> None:
        parts.append(message)

    await app(scope, receive, send)
    start = parts[0] if parts else {"status": 0, "headers": []}
    told = {name.decode(): value.decode("latin-1") for name, value in start["headers"]}
    return Answer(start["status"], told, b"".join(part.get("body", b"") for part in parts[1:]))


async def post_hits(app: IngestApp, body: bytes, **headers: str) -> Answer:
    """`POST /v1/hits` with the page key."""
    return await call(app, "POST", "/v1/hits", body, {"authorization": "Bearer page-key"} | headers)


def hits_in(log: FakeLog, partition: int | None = None) -> list[Hit]:
    """Every hit in the log, or in one partition, decoded and checked as its readers do, in order within a partition."""
    kept = [
        kept for (topic, number), kept in sorted(log.records.items()) if topic == HITS and partition in (None, number)
    ]
    records = [record for each in kept for record in each]
    return [hit for record in records for hit in decoded(record.value, record.headers)]


def decoded(value: bytes, headers: Mapping[str, str]) -> list[Hit]:
    """The hits of a record, whose headers must be true."""
    lines = value.split(b"\n")
    assert {"schema": "hit/1", "count": str(len(lines))} == dict(headers)
    return [msgspec.json.decode(line, type=Hit) for line in lines]


def records(*texts: str, partition: int = 0) -> list[Append]:
    """Records to be, told apart by their value."""
    return [Append(HITS, partition, text.encode(), {"schema": "hit/1", "count": "1"}) for text in texts]


async def raw(port: int, sent: bytes, within_s: float = 10.0, then: bytes = b"") -> bytes:
    """Everything the server says to these very bytes until it closes (or `within_s` has passed: then TimeoutError)."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(within_s):
            writer.write(sent)
            await writer.drain()
            if then:
                writer.write(then)
            return await _until_closed(reader)
    finally:
        writer.close()


async def _until_closed(reader: asyncio.StreamReader) -> bytes:
    said = b""
    while True:
        try:
            chunk = await reader.read(65_536)
        except ConnectionResetError:
            return said
        if not chunk:
            return said
        said += chunk


async def exchange(port: int, sent: bytes) -> Answer:
    """One request on a connection of its own; `connection: close` must be among its headers or the server's."""
    said = await raw(port, sent)
    head, _, body = said.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return Answer(int(status.split(" ")[1]) if status else 0, headers, body)
