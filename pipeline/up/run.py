"""`seamline up` as a process: signals, what it says, and its exit code; it must not know the stages."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import Iterator

from pipeline.ingest.server import rest_collector
from pipeline.ingest.spool import SpoolLocked
from pipeline.log.file_format import NewerFormat
from pipeline.log.local import LogInUse
from pipeline.privacy.keys import NoKey
from pipeline.report.web.gate import CannotOpen
from pipeline.settings import Settings
from pipeline.telemetry.logs import write_logs
from pipeline.telemetry.tracing import CannotTrace
from pipeline.up.stages import OneWarehouse, StageEnded, stages


def run_up(settings: Settings) -> int:
    """Run until SIGINT or SIGTERM, then drain. 0: everything taken is stored. 1: it could not start or go on."""
    write_logs("up", settings.log_format)
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            return runner.run(_up(settings))
    except (LogInUse, SpoolLocked, NewerFormat, NoKey, CannotOpen, CannotTrace, OneWarehouse, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    except StageEnded as error:
        print(f"{error} has failed; see the log above", file=sys.stderr)
        return 1


async def _up(settings: Settings) -> int:
    with signalled() as stop:
        async with stages(settings) as running:
            rest_collector()
            print(f"seamline is ready on {running.url}, data in {settings.data}", flush=True)
            await either(stop, running.failed)
            print("stopping: finishing what was taken", flush=True)
    return 1 if running.failed.is_set() else 0


async def either(*events: asyncio.Event) -> None:
    """Wait until one of the events is set."""
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


@contextlib.contextmanager
def signalled() -> Iterator[asyncio.Event]:
    """An event that SIGINT and SIGTERM set; after the block the signals mean what they meant before."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM)
    for number in numbers:
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


def loop_factory() -> "type[asyncio.AbstractEventLoop] | None":
    """uvloop where it is installed; None: whatever asyncio prefers."""
    try:
        import uvloop
    except ImportError:
        return None
    loop: type[asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return loop
