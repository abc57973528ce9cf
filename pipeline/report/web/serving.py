"""`seamline report` as a process: what it says, and its exit code; it must not know the pages."""

import asyncio
import sys

from pipeline.ingest.server import serving
from pipeline.questions import QuestionRefused, Questions, questions
from pipeline.report.web.gate import CannotOpen
from pipeline.report.web.healthy import Healthy
from pipeline.report.web.opening import report_app
from pipeline.settings import Settings
from pipeline.telemetry.logs import write_logs
from pipeline.up.run import loop_factory, signalled


def run_report(settings: Settings) -> int:
    """Serve until SIGINT or SIGTERM. 1: it could not start."""
    write_logs("report", settings.log_format)
    try:
        with questions(settings) as ask, asyncio.Runner(loop_factory=loop_factory()) as runner:
            return runner.run(_serve(settings, ask))
    except (CannotOpen, QuestionRefused, OSError) as error:
        print(error, file=sys.stderr)
        return 1


async def _serve(settings: Settings, ask: Questions) -> int:
    app = report_app(settings, ask, alone=True)
    try:
        with signalled() as stop:
            async with serving(Healthy(app, ask), settings.ingest) as port:
                print(f"seamline report is ready on http://{settings.ingest.host}:{port}/", flush=True)
                await stop.wait()
    finally:
        app.close()
    return 0
