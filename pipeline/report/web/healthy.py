"""`/health/live` and `/health/ready` of a report page that stands alone; it must not know any page.

It is alive while its event loop answers: ClickHouse being away is no reason to start it again. It is ready while the
warehouse answers, and whoever asks in between hears what the last look found.
"""

import asyncio
import logging
import time
from typing import Any

import msgspec

from pipeline.questions import QuestionRefused, Questions
from pipeline.up.query_socket import NobodyListens

_LOOK_S = 5.0  # an answer stands for so long: probes of many nodes ask the warehouse once
_WAIT_S = 3.0  # a warehouse that takes longer is not ready
_PAGES = ("/health/live", "/health/ready")
_log = logging.getLogger(__name__)


class State(msgspec.Struct):
    """What the health pages say. `warehouse`: whether it answered."""

    warehouse: bool


class Healthy:
    """An ASGI application with two more pages in front, for which nobody has to sign in: they say yes or no."""

    def __init__(self, app: Any, ask: Questions, look_s: float = _LOOK_S) -> None:
        self._app = app
        self._ask = ask
        self._look_s = look_s
        self._looked_s = -look_s
        self._answers = False
        self._looking: asyncio.Task[bool] | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """One request."""
        if scope["path"] not in _PAGES or scope["method"] not in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        live = scope["path"] == _PAGES[0]
        ready = await self._ready() if not live else self._answers
        body = msgspec.json.encode(State(ready)) if scope["method"] == "GET" else b""
        headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": 200 if live or ready else 503, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _ready(self) -> bool:
        """One look at a time, however many ask; one that takes too long is a no, and goes on."""
        if self._looking is None and time.monotonic() - self._looked_s >= self._look_s:
            self._looking = asyncio.create_task(self._look())
        looking = self._looking
        if looking is not None:
            done, _ = await asyncio.wait({looking}, timeout=_WAIT_S)
            self._answers = bool(done) and looking.result()
            if done and self._looking is looking:
                self._looking, self._looked_s = None, time.monotonic()
        return self._answers

    async def _look(self) -> bool:
        try:
            await asyncio.to_thread(self._ask, "SELECT 1", {})
        except (QuestionRefused, NobodyListens, OSError) as error:
            _log.warning("not ready: the warehouse does not answer: %s", error)
            return False
        return True
