"""`seamline demo`: `seamline up` with a shop, a day of traffic, and what became of it; it must not know how."""

import asyncio
import contextlib
import errno
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.demo.day import moved, own_times, read_day
from pipeline.demo.findings import NoAnswer, find, told
from pipeline.demo.line import Line
from pipeline.demo.pages import ROOT
from pipeline.demo.replay import ReplayRefused, replay
from pipeline.demo.shop import DemoShop
from pipeline.log.file_format import NewerFormat
from pipeline.log.local import LogInUse
from pipeline.report.web.gate import CannotOpen
from pipeline.settings import PREFIX, Settings, load_settings
from pipeline.telemetry.logs import write_logs
from pipeline.telemetry.tracing import CannotTrace
from pipeline.up.run import either, signalled
from pipeline.up.stages import StageEnded, Stages, stages

ENDED_MS_AGO = 5_000  # the day's last hit: a Matomo server ignores times ahead of its own
SETTLED_WITHIN_S = 60
_LOOK_EVERY_S = 0.05
_CANNOT_START = (LogInUse, NewerFormat, CannotOpen, CannotTrace)
_QUESTION = "SELECT * FROM persons ORDER BY devices DESC LIMIT 5"


async def run_demo(settings: Settings, exit_after: bool, keep: bool) -> int:
    """Start, replay, print, and stay up until SIGINT or SIGTERM, or with `exit_after` end at once; the exit code.

    Everything is kept under `settings.data` if `keep`, else in a fresh directory that is removed at the end. A
    directory that already holds actions is shown as it is: replayed once more, the day would be another day.
    """
    write_logs("demo", settings.log_format)
    try:
        with _data(settings, keep) as data, signalled() as stop:
            async with _started(_embedded(settings, data)) as running:
                ended = asyncio.create_task(either(stop, running.failed))
                shown = asyncio.create_task(_show(running, data))
                await asyncio.wait((shown, ended), return_when=asyncio.FIRST_COMPLETED)
                if shown.done():
                    shown.result()
                if not exit_after:
                    await ended
                    _say("", "stopping")
                for task in (shown, ended):
                    task.cancel()
    except (*_CANNOT_START, OSError, ReplayRefused, NoAnswer, StageEnded, NotSettled) as error:
        print(error, file=sys.stderr)
        return 1
    return 1 if running.failed.is_set() else 0


class NotSettled(Exception):
    """What was sent did not become visible in time."""


@contextlib.contextmanager
def _data(settings: Settings, keep: bool) -> Iterator[Path]:
    if keep:
        yield settings.data
        return
    with tempfile.TemporaryDirectory(prefix="seamline-demo-") as folder:
        yield Path(folder)


def _embedded(settings: Settings, data: Path) -> Settings:
    """Everything in that directory and by default, but for where to listen: a demo leaves no trace elsewhere."""
    host, port = settings.ingest.host, settings.ingest.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        _say(f"port {port} is taken: listening on another")
        port = 0
    return load_settings({}, {PREFIX + "DATA": str(data), PREFIX + "HOST": host, PREFIX + "PORT": str(port)})


@contextlib.asynccontextmanager
async def _started(settings: Settings) -> AsyncIterator[Stages]:
    """The stages with the shop beside them. The shop's questions go to the stages, which know their answer later."""
    asked: list[Stages] = []

    async def ask(sql: str, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        return await asked[0].query(sql, parameters)

    _say("starting every stage in one process")
    async with stages(settings, {ROOT.rstrip("/"): DemoShop(ask)}) as running:
        asked.append(running)
        yield running


async def _show(running: Stages, data: Path) -> None:
    (held,) = (await running.query("SELECT count() FROM actions", {}))["rows"][0]
    if held:
        _say(f"{data} already holds {held:,} actions: the recorded day is not replayed into it again")
    else:
        await _replay(running)
    _say("", *told(await find(running.query)), "", *_addresses(running.url, data))


async def _replay(running: Stages) -> None:
    """Numbered: 1 send the day, moved to now; 2 wait until all of it can be read."""
    day = moved(read_day(), time.time_ns() // 1_000_000 - ENDED_MS_AGO)
    hits = sum(len(own_times(request)) for request in day)
    line = Line(sys.stdout)
    began = time.monotonic()
    clients = len({request.client for request in day})
    line.say(f"replaying a recorded day: {len(day)} requests of {clients} real tracker clients")
    await asyncio.to_thread(replay, running.url, day, lambda sent: line.show(f"{sent} of {hits} hits sent"))
    while not await running.settled():
        line.show("stitching")
        if time.monotonic() > began + SETTLED_WITHIN_S:
            raise NotSettled(f"what was sent is not visible after {SETTLED_WITHIN_S} s")
        await asyncio.sleep(_LOOK_EVERY_S)
    line.say(f"{hits} hits sent, stitched and stored in {time.monotonic() - began:.1f} s")


def _addresses(url: str, data: Path) -> Iterator[str]:
    called = sys.argv[0] if Path(sys.argv[0]).name == "seamline" else "seamline"
    hit = '{"type": "page", "title": "A page of mine", "anonymous_id": "my-laptop"}'
    yield f"journeys in pictures {url}/"
    yield f"shop on two devices  {url}{ROOT}"
    yield f"send a hit           curl '{url}/v1/hits?key=demo' -d '{hit}'"
    yield f"a Matomo tracker     {url}/matomo.php, site 1"
    yield f"ask                  {called} query '{_QUESTION}' --data {data}"
    yield f"one journey          {called} journey u-1007 --data {data}"


def _say(*lines: str) -> None:
    print(*lines, sep="\n", flush=True)
