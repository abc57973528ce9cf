"""Ingest alone: acknowledged requests a second, one hit each and a hundred each, durable in the local log or Kafka."""

import asyncio
import multiprocessing
import socket
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import uvicorn
import uvloop

from pipeline.ingest.app import IngestApp
from pipeline.ingest.server import rest_collector, serving
from pipeline.log.kafka import KafkaLog
from pipeline.log.local import LocalLog
from pipeline.log.port import Log
from pipeline.settings import load_settings
from tests.benchmarks.load import Figures, load, post
from tests.benchmarks.traffic import native

SINGLES, BATCHED, PER_REQUEST = 60_000, 150_000, 100
CONNECTIONS = 128


def measure(per_request: int, kafka: str = "") -> Figures:
    """The server in a process of its own, the load in this one."""
    with tempfile.TemporaryDirectory() as folder:
        return _measure(per_request, _serve, folder, kafka)


def measure_empty() -> Figures:
    """The yardstick: uvicorn as it comes, and an application that answers 204 to everything, under the same load."""
    return _measure(1, _serve_nothing)


def _measure(per_request: int, serve: Callable[..., None], *arguments: str) -> Figures:
    start_ms = int(time.time() * 1_000) - 3_600_000
    number = SINGLES if per_request == 1 else BATCHED
    requests = [post("/v1/hits?key=demo", body) for body in native(number, start_ms, per_request)]
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(*arguments, theirs))
    server.start()
    try:
        url = ours.recv()
        figures = uvloop.run(load(url, iter(requests), CONNECTIONS))
        ours.send("stop")
        server.join(30)
    finally:
        server.kill()
    return figures


def _serve_nothing(pipe: Connection) -> None:
    uvloop.run(_serving_nothing(pipe))


async def _serving_nothing(pipe: Connection) -> None:
    listener = socket.create_server(("127.0.0.1", 0), backlog=2_048)
    config = uvicorn.Config(_nothing, ws="none", lifespan="off", access_log=False, log_level="error")
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    pipe.send(f"http://127.0.0.1:{listener.getsockname()[1]}")
    await asyncio.to_thread(pipe.recv)
    server.should_exit = True
    await task


async def _nothing(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def _serve(folder: str, kafka: str, pipe: Connection) -> None:
    uvloop.run(_serving(Path(folder), kafka, pipe))


async def _serving(folder: Path, kafka: str, pipe: Connection) -> None:
    settings = load_settings({}, {"SEAMLINE_DATA": str(folder), "SEAMLINE_PORT": "0"})
    log: Log = KafkaLog(kafka) if kafka else LocalLog(folder / "log.db")
    app = IngestApp(settings.sites, log, settings.ingest)
    await app.start()
    rest_collector()
    async with serving(app, settings.ingest) as port:
        pipe.send(f"http://127.0.0.1:{port}")
        await asyncio.to_thread(pipe.recv)
    await app.stop()
    await log.close()
