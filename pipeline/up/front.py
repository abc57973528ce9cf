"""One ASGI callable for everything that listens in `seamline up`; it must not know what the paths mean."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from pipeline.ingest.app import IngestApp

Asgi = Callable[[Any, Any, Any], Awaitable[None]]
Mounts = Mapping[str, Asgi]  # "/demo" -> what answers there and below; "/" is the first page alone


class Front:
    """Mounted applications by the first segment of the path, readiness of the whole, and ingest for the rest."""

    def __init__(self, ingest: IngestApp, mounts: Mounts, failure: Callable[[], str]) -> None:
        self._ingest = ingest
        self._mounts = mounts
        self._failure = failure

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """One request."""
        path: str = scope["path"]
        mounted = self._mounts.get("/" + path[1:].partition("/")[0])
        if mounted is not None:
            await mounted(scope, receive, send)
        elif path == "/health/ready" and (failure := self._failure()):
            await send({"type": "http.response.start", "status": 503, "headers": []})
            await send({"type": "http.response.body", "body": failure.encode() + b"\n"})
        else:
            await self._ingest(scope, receive, send)
