"""All stages in one process, started and stopped in the order that loses nothing; it must not know how any works."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from functools import partial
from typing import Any

from msgspec import structs

from pipeline.audit.policy import AuditPolicy
from pipeline.identity.policy import Policy
from pipeline.ingest.app import IngestApp
from pipeline.ingest.server import serving
from pipeline.ingest.traced import TracedIngest
from pipeline.limits import MINUTE_MS
from pipeline.log.local import LocalLog
from pipeline.log.local_store import LOG_FILE
from pipeline.log.port import ALIASES, HITS, STITCHED
from pipeline.log.retention import retention_ms
from pipeline.orders import orders
from pipeline.privacy.forget import Holder, load_suppression
from pipeline.privacy.keys import erasure_key
from pipeline.questions import answer, to
from pipeline.report.web.app import ROOT
from pipeline.report.web.opening import report_app
from pipeline.restitching import Restitched, restitch
from pipeline.settings import Settings
from pipeline.sink.sink import Sink
from pipeline.sink.traced import TracedSink
from pipeline.stitch.local import LocalStitch
from pipeline.stitch.traced import TracedLocalStitch
from pipeline.telemetry.tracing import tracing
from pipeline.up.front import Front, Mounts
from pipeline.up.query_socket import Answer, QuerySocket
from pipeline.warehouse.client import Warehouse, open_warehouse
from pipeline.warehouse.migrate import migrate
from pipeline.warehouse.retention import set_retention

_PARTITIONS = 1  # one process stitches: more would only make smaller records
_HOUSEKEEPING_S = 10 * MINUTE_MS / 1_000

Run = Callable[[asyncio.Event], Coroutine[Any, Any, None]]
_log = logging.getLogger(__name__)


class OneWarehouse(Exception):
    """Several shards are for stages of their own: here one process holds everything."""


class StageEnded(Exception):
    """A stage ended by itself; the process must not go on without it."""


class Stages:
    """What runs inside `seamline up`. `url` is where it listens."""

    def __init__(self, log: LocalLog, warehouse: Warehouse, ingest: IngestApp, url: str) -> None:
        self.log = log
        self.ingest = ingest
        self.url = url
        self.epoch = 0  # of the log, for whoever stitches next
        self.warehouse = warehouse
        self.failed: asyncio.Event = asyncio.Event()
        self.sink: Sink | None = None
        self.stitch: LocalStitch | None = None

    def made(self, sink: Sink) -> Sink:
        """The one that stores from now on; a fresh one counts from nought, as after a restart."""
        self.sink = sink
        return sink

    def stitching(self, stitch: LocalStitch) -> LocalStitch:
        """The same of the one that stitches."""
        self.stitch = stitch
        return stitch

    def metrics(self) -> bytes:
        """The Prometheus text of what runs beside ingest."""
        return b"".join(stage.metrics() for stage in (self.stitch, self.sink) if stage)

    async def query(self, sql: str, parameters: Mapping[str, Any]) -> Answer:
        """Ask the warehouse; a refusal is an answer."""
        return await asyncio.to_thread(answer, self.warehouse, sql, parameters)

    async def settled(self) -> bool:
        """Whether everything acknowledged so far is visible."""
        for topic, group in ((HITS, "stitch"), (STITCHED, "sink"), (ALIASES, "sink-aliases")):
            ends = {number: end for number, (_, end) in (await self.log.span(topic)).items() if end}
            if dict(await self.log.committed(topic, group)) != ends:
                return False
        return True


@contextlib.asynccontextmanager
async def stages(settings: Settings, mounts: Mounts | None = None) -> AsyncIterator[Stages]:
    """Run every stage while the block runs.

    Started from the back, so that nothing arrives before it can go on; stopped from the front, so that each stage
    finishes what the one before handed over: 1. the server drains; 2. ingest makes durable what it took; 3. stitch and
    4. sink read to the end; 5. the files close. A kill at any step repeats what was not committed, and loses nothing.
    """
    async with contextlib.AsyncExitStack() as stack:
        traces = stack.enter_context(tracing("up", settings.tracing))
        log = LocalLog((settings.log.folder or settings.data / "log") / LOG_FILE, _PARTITIONS)
        stack.push_async_callback(log.close)
        warehouse = await asyncio.to_thread(_open_warehouse, settings)
        stack.callback(warehouse.close)
        policy = Policy(settings.stitch.lookback_ms, users_per_device_max=settings.stitch.users_per_device_max)
        edge: Callable[..., IngestApp] = partial(TracedIngest, traces) if traces else IngestApp
        ingest = edge(settings.sites, log, settings.ingest)
        key = erasure_key(settings.erasure_key)
        ingest.suppress(await asyncio.to_thread(load_suppression, warehouse, key))
        running = Stages(log, warehouse, ingest, "")
        running.epoch = await asyncio.to_thread(warehouse.register_log, log.log_id, HITS)
        sinking: Callable[..., Sink] = partial(TracedSink, traces) if traces else Sink
        sink = Stage("sink", lambda: running.made(sinking(log, warehouse)).run, running.failed)
        ingest.beside.append(running.metrics)
        folding: Callable[..., LocalStitch] = partial(TracedLocalStitch, traces) if traces else LocalStitch
        stitch = Stage("stitch", lambda: running.stitching(folding(log, policy, running.epoch)).run, running.failed)
        await stack.enter_async_context(sink.running())
        await stack.enter_async_context(stitch.running())
        housekeeping = asyncio.create_task(_expire(log))
        stack.callback(housekeeping.cancel)
        await ingest.start()
        stack.push_async_callback(ingest.stop)
        still = partial(_still, running, stitch, sink)
        holder = Holder(log, warehouse, key, ingest.suppress, still)
        given = orders(log, holder, partial(_restitch, running, policy, still))
        questions = QuerySocket(settings.data, lambda sql, parameters: answer(warehouse, sql, parameters), given)
        await questions.start()
        stack.push_async_callback(questions.stop)
        report = report_app(settings, to(warehouse))
        stack.callback(report.close)
        places: Mounts = {"/": report, ROOT: report, **(mounts or {})}
        front = Front(ingest, places, lambda: "a stage has failed" if running.failed.is_set() else "")
        port = await stack.enter_async_context(serving(front, settings.ingest))
        running.url = f"http://{settings.ingest.host}:{port}"
        yield running


def _open_warehouse(settings: Settings) -> Warehouse:
    if "," in settings.warehouse.url:
        raise OneWarehouse(f"SEAMLINE_WAREHOUSE: expected one for `seamline up`, got {settings.warehouse.url!r}")
    warehouse = open_warehouse(settings.warehouse.url, password=settings.warehouse.password)
    migrate(warehouse)
    set_retention(warehouse, settings.warehouse.retention_days)
    return warehouse


class Stage:
    """A stage that can stand still: `make` gives the `run` of a fresh one."""

    def __init__(self, name: str, make: Callable[[], Run], failed: asyncio.Event) -> None:
        self._name, self._make, self._failed = name, make, failed
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Run it beside whoever called."""
        stop = self._stop = asyncio.Event()
        self._task = asyncio.create_task(self._make()(stop), name=self._name)
        self._task.add_done_callback(lambda _: self._failed.set() if not stop.is_set() else None)

    async def stop(self) -> None:
        """Tell it to stop and wait until it has read everything. Raises StageEnded."""
        self._stop.set()
        try:
            if self._task is not None:
                await self._task
        except Exception as error:
            _log.exception("%s has failed", self._name)
            raise StageEnded(self._name) from error

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run it while the block runs."""
        self.start()
        try:
            yield
        finally:
            await self.stop()


@contextlib.asynccontextmanager
async def _still(running: Stages, stitch: Stage, sink: Stage) -> AsyncIterator[None]:
    """Everything that was acknowledged before is stored, and nothing is at work; ingest goes on filling the log."""
    await running.ingest.flushed()
    await stitch.stop()
    await sink.stop()
    try:
        yield
    finally:
        sink.start()
        stitch.start()


async def _restitch(running: Stages, policy: Policy, still: Callable[[], Any]) -> Restitched:
    """Every row by the policy of this process, while nothing is at work."""
    async with still():
        warehouse = running.warehouse
        running.epoch = await asyncio.to_thread(warehouse.raise_epoch, running.log.log_id, HITS)
        return await asyncio.to_thread(restitch, warehouse, AuditPolicy(policy), running.epoch)


async def _expire(log: LocalLog) -> None:
    while True:
        now_ms = int(time.time() * 1_000)
        for topic, kept_ms in retention_ms().items():
            await log.expire(topic, now_ms - kept_ms)
        await asyncio.sleep(_HOUSEKEEPING_S)


def on_port(settings: Settings, port: int) -> Settings:
    """The same settings on another port."""
    return structs.replace(settings, ingest=structs.replace(settings.ingest, port=port))
