"""An HTTP server on uvicorn, with bounded connections and no hand on signals; it knows no path."""

import asyncio
import gc
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import uvicorn

from pipeline.ingest.connection import Bounds, bounded
from pipeline.limits import IDLE_MS_MAX
from pipeline.settings import IngestSettings

BACKLOG = 2_048
GC_ALLOCATIONS = 20_000  # several hundred requests


class _Server(uvicorn.Server):
    """Closes what is overdue at every tick, and leaves signals to whoever composed the process."""

    async def on_tick(self, counter: int) -> bool:
        now = asyncio.get_running_loop().time()
        for connection in [c for c in self.server_state.connections if c.overdue(now)]:  # type: ignore[union-attr]
            connection.refuse(b"408 Request Timeout")  # type: ignore[union-attr]
        return await super().on_tick(counter)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises OSError with the address in its text."""
    try:
        return socket.create_server(
            (host, port), backlog=BACKLOG, family=socket.AF_INET6 if ":" in host else socket.AF_INET
        )
    except OSError as error:
        raise OSError(error.errno, f"cannot listen on {host}:{port}: {error.strerror}") from None


@asynccontextmanager
async def serving(app: Callable[..., Any], settings: IngestSettings) -> AsyncIterator[int]:
    """Serve the application while the block runs; gives the port. Leaving it drains: nothing new is accepted, open
    requests get `drain_ms` to end. Raises OSError when the address is taken."""
    listener = _listen(settings.host, settings.port)
    bounds = Bounds(settings.header_deadline_ms / 1_000, settings.body_deadline_ms / 1_000, settings.connections_max)
    config = uvicorn.Config(
        app,
        http=bounded(bounds),
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        log_level="error",
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=IDLE_MS_MAX // 1_000,
        timeout_graceful_shutdown=settings.drain_ms // 1_000 or 1,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]), name="http server")
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        await task


async def serve(app: Callable[..., Any], settings: IngestSettings, stop: asyncio.Event) -> None:
    """Serve until `stop` is set, then drain."""
    rest_collector()
    async with serving(app, settings):
        await stop.wait()


def rest_collector() -> None:
    """Keep what is loaded by now out of the garbage collector's way, and let it look less often: what a request makes
    dies with it. For the life of the process."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_ALLOCATIONS, 20, 100)
