"""`seamline report` as a process: what it says, and its exit code; it must not know the pages."""

import asyncio
import logging
import sys
from typing import Any

from pipeline.ingest.server import serving
from pipeline.questions import QuestionRefused, Questions, questions
from pipeline.report.web.gate import CannotOpen
from pipeline.report.web.opening import report_app
from pipeline.settings import Settings
from pipeline.up.run import loop_factory, signalled


def run_report(settings: Settings) -> int:
    """Serve until SIGINT or SIGTERM. 1: it could not start."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        with questions(settings) as ask, asyncio.Runner(loop_factory=loop_factory()) as runner:
            return runner.run(_serve(settings, ask))
    except (CannotOpen, QuestionRefused, OSError) as error:
        print(error, file=sys.stderr)
        return 1


async def _serve(settings: Settings, ask: Questions) -> int:
    app = report_app(settings, ask)
    try:
        with signalled() as stop:
            async with serving(_Alone(app), settings.ingest) as port:
                print(f"seamline report is ready on http://{settings.ingest.host}:{port}/", flush=True)
                await stop.wait()
    finally:
        app.close()
    return 0


class _Alone:
    """The page, and readiness, where there is no ingest beside it."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/health/ready":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"ready\n"})
        else:
            await self._app(scope, receive, send)
