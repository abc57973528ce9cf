"""Each stage as a process of its own, on Kafka and ClickHouse; it must not know how a stage works."""

import asyncio
import logging
import sys
from collections.abc import Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any

from pipeline.identity.policy import Policy
from pipeline.ingest.app import IngestApp
from pipeline.ingest.drain import NoSpool, drain
from pipeline.ingest.server import serve
from pipeline.ingest.spool import SpoolLocked
from pipeline.ingest.traced import TracedIngest
from pipeline.log.file_format import NewerFormat
from pipeline.log.kafka import KafkaLog, create_topics
from pipeline.log.port import HITS, LogUnavailable
from pipeline.privacy.erasures import follow, forgotten
from pipeline.privacy.keys import NoKey
from pipeline.privacy.suppression import Suppression
from pipeline.replaying import CannotMove, move
from pipeline.settings import Settings
from pipeline.sink.sink import Sink
from pipeline.sink.traced import TracedSink
from pipeline.stitch.worker import WorkerSettings, run_worker
from pipeline.telemetry.health import Health
from pipeline.telemetry.logs import write_logs
from pipeline.telemetry.tracing import CannotTrace, tracing
from pipeline.up.run import loop_factory, signalled
from pipeline.warehouse.errors import WarehouseRefused, WarehouseUnavailable
from pipeline.warehouse.migrate import migrate, renew_dictionaries
from pipeline.warehouse.opening import open_store
from pipeline.warehouse.port import Store
from pipeline.warehouse.retention import set_retention

if TYPE_CHECKING:
    from pipeline.telemetry.traces import Traces

_NEEDS_KAFKA = "SEAMLINE_LOG: expected kafka://host:port for a stage of its own; `seamline up` runs them on a local log"
_NEEDS_MIGRATE = "no log epoch yet: run `seamline migrate` once against this Kafka and this ClickHouse"
_NEEDS_REPLAY = "no log epoch of these topics yet: `seamline replay` fills them from those before, and gives them one"
_AWAY = (WarehouseRefused, WarehouseUnavailable, LogUnavailable)
_DISK = (SpoolLocked, NewerFormat)  # what a file on this node says to whoever opens it
_MOVE_MS_MAX = 30_000  # for a request while topics are moved: nobody waits for an answer


def run_migrate(settings: Settings) -> int:
    """Topics, tables and views as this version needs them. Safe to run twice and by two processes."""

    async def work() -> int:
        warehouse = await asyncio.to_thread(_warehouse, settings)
        applied = await asyncio.to_thread(migrate, warehouse)
        await asyncio.to_thread(renew_dictionaries, warehouse)
        kept = settings.warehouse
        await asyncio.to_thread(set_retention, warehouse, kept.retention_days, kept.cold_days)
        created = await _create_topics(settings, warehouse)
        print(f"migrations applied: {len(applied)}; topics created: {', '.join(created) or 'none'}")
        return 0

    return _run(settings, "migrate", work)


async def _create_topics(settings: Settings, warehouse: Store) -> list[str]:
    """A new epoch first, then the topic it is for. A crash between them leaves an epoch unused, which is harmless;
    the other way round, a new log would write under the old epoch and lose to the rows of the log before it. A topic
    that somebody else made, or that an empty warehouse stands behind, has no epoch yet and gets one; not so one that
    is to take over from topics of another prefix: `seamline replay` gives it one when it is complete."""
    log = _log(settings)
    try:
        prefix, in_force = settings.log.prefix, await asyncio.to_thread(warehouse.prefix_in_force, HITS)
        known = await asyncio.to_thread(warehouse.current_epoch, HITS, prefix)
        if in_force in (None, prefix) and (known is None or not await log.exists(HITS)):
            await asyncio.to_thread(warehouse.new_epoch, HITS, prefix)
        return await _made(settings)
    finally:
        await log.close()


async def _made(settings: Settings) -> list[str]:
    log = settings.log
    return await create_topics(log.brokers, log.partitions, security=log.security, prefix=log.prefix)


def run_ingest(settings: Settings) -> int:
    """HTTP to the log until told to stop; then what was taken is made durable."""

    async def work() -> int:
        with tracing("ingest", settings.tracing) as traces:
            log = _log(settings)
            given = (settings.sites, log, settings.ingest)
            app = TracedIngest(traces, *given) if traces else IngestApp(*given)
            await app.start()
            following = asyncio.create_task(follow(log, settings.erasure_key, app.suppress))
            try:
                with signalled() as stop:
                    await serve(app, settings.ingest, stop)
            finally:
                following.cancel()
                await app.stop()
                await log.close()
        return 0

    return _run(settings, "ingest", work)


def run_stitch(settings: Settings) -> int:
    """A member of the stitch group, until told to stop."""
    if not settings.log.brokers:
        return _refuse(_NEEDS_KAFKA)
    write_logs("stitch", settings.log_format, logging.INFO)
    try:
        with tracing("stitch", settings.tracing) as traces:
            return _stitch(settings, traces)
    except CannotTrace as error:
        return _refuse(str(error))


def _stitch(settings: Settings, traces: "Traces | None") -> int:
    try:
        warehouse, prefix = _warehouse(settings), settings.log.prefix
        epoch, in_force = warehouse.current_epoch(HITS, prefix), warehouse.prefix_in_force(HITS)
    except (WarehouseRefused, WarehouseUnavailable) as error:
        return _refuse(str(error))
    if epoch is None:
        return _refuse(_NEEDS_MIGRATE if in_force is None else _NEEDS_REPLAY)
    work = WorkerSettings(
        bootstrap=",".join(settings.log.brokers),
        epoch=epoch,
        policy=Policy(settings.stitch.lookback_ms, users_per_device_max=settings.stitch.users_per_device_max),
        data_dir=settings.data,
        group_instance_id=settings.stitch.instance or None,
        web_host=settings.ingest.host,
        web_port=settings.ingest.port,
        erasure_key=settings.erasure_key,
        security=settings.log.security,
        prefix=prefix,
        followers=None if in_force == prefix else in_force,
    )
    return run_worker(work, traces)


async def _suppression(log: KafkaLog, settings: Settings) -> Suppression:
    return (await forgotten(log, settings.erasure_key)).suppression


def run_sink(settings: Settings) -> int:
    """The log to ClickHouse, until told to stop."""

    async def work() -> int:
        with tracing("sink", settings.tracing) as traces:
            return await sinking(traces)

    async def sinking(traces: "Traces | None") -> int:
        warehouse = await asyncio.to_thread(_warehouse, settings)
        log = _log(settings)
        made: Callable[..., Sink] = partial(TracedSink, traces) if traces else Sink
        sink = made(log, warehouse, forgotten=lambda: _suppression(log, settings))
        health = Health(lambda: True, lambda: not sink.unready(), lambda: sink.figures, sink.metrics)
        await health.start(settings.ingest.host, settings.ingest.port)
        try:
            with signalled() as stop:
                await sink.run(stop)
        finally:
            await health.close()
            await log.close()
            warehouse.close()
        return 0

    return _run(settings, "sink", work)


def run_replay(settings: Settings, source_prefix: str) -> int:
    """What topics of another prefix hold to those of the settings, which are made; then the epoch they are read under.
    Beside running workers of the old ones, and as often as anything comes there."""

    async def work() -> int:
        warehouse = await asyncio.to_thread(_warehouse, settings)
        prefix, in_force = settings.log.prefix, warehouse.prefix_in_force(HITS)
        if why := _cannot_follow(prefix, source_prefix, in_force):
            return _refuse(why)
        await _made(settings)
        source, target = [_log(settings, name, _MOVE_MS_MAX) for name in (source_prefix, prefix)]
        try:
            moved = await move(source, target, prefix, await _suppression(source, settings))
        finally:
            await asyncio.gather(source.close(), target.close())
        known = warehouse.current_epoch(HITS, prefix) if in_force == prefix else None
        epoch = known or warehouse.new_epoch(HITS, prefix)
        print(f"{', '.join(f'{what}: {count}' for what, count in moved.items())}; epoch {epoch}")
        return 0

    return _run(settings, "replay", work)


def run_drain(settings: Settings, patience_ms: int) -> int:
    """A spool that a process of ingest left behind to the log. 0: nothing waits any more."""

    async def work() -> int:
        log = _log(settings)
        try:
            done = await drain(log, settings.ingest, patience_ms)
        except (NoSpool, *_DISK) as error:
            return _refuse(f"SEAMLINE_SPOOL: {error}")
        finally:
            await log.close()
        print(f"drained: {done.records} records; waiting: {done.waiting}; could not be read, kept: {done.damaged}")
        return 1 if done.waiting else 0

    return _run(settings, "drain", work)


def _cannot_follow(prefix: str, source: str, in_force: str | None) -> str:
    """Why topics of `prefix` may not be filled from those of `source`; "" where they may."""
    if prefix == source:
        return f"SEAMLINE_TOPIC_PREFIX: expected the new topics' prefix, got {prefix!r}, which is the old one's"
    if in_force not in (source, prefix):
        return f"--from: expected the prefix whose hits are stitched now, {in_force!r}, got {source!r}"
    return ""


def _log(settings: Settings, prefix: str | None = None, timeout_ms: int = 5_000) -> KafkaLog:
    log = settings.log
    name = log.prefix if prefix is None else prefix
    return KafkaLog(log.brokers, security=log.security, prefix=name, timeout_ms=timeout_ms)


def _warehouse(settings: Settings) -> Store:
    where = settings.warehouse
    return open_store(where.url, password=where.password, cluster=where.cluster)


def _run(settings: Settings, stage: str, work: Callable[[], Coroutine[Any, Any, int]]) -> int:
    if not settings.log.brokers:
        return _refuse(_NEEDS_KAFKA)
    write_logs(stage, settings.log_format)
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            return runner.run(work())
    except (*_AWAY, *_DISK, NoKey, CannotMove, CannotTrace, OSError) as error:
        return _refuse(str(error))


def _refuse(why: str) -> int:
    print(why, file=sys.stderr)
    return 1
