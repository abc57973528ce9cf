"""Each stage as a process of its own, on Kafka and ClickHouse; it must not know how a stage works."""

import asyncio
import logging
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from pipeline.identity.policy import Policy
from pipeline.ingest.app import IngestApp
from pipeline.ingest.server import serve
from pipeline.log.kafka import KafkaLog, create_topics
from pipeline.log.port import HITS, LogUnavailable
from pipeline.privacy.erasures import follow, forgotten
from pipeline.privacy.keys import NoKey
from pipeline.privacy.suppression import Suppression
from pipeline.settings import Settings
from pipeline.sink.sink import Sink
from pipeline.stitch.worker import WorkerSettings, run_worker
from pipeline.telemetry.health import Health
from pipeline.telemetry.logs import write_logs
from pipeline.up.run import loop_factory, signalled
from pipeline.warehouse.client import Warehouse, open_warehouse
from pipeline.warehouse.errors import WarehouseRefused, WarehouseUnavailable
from pipeline.warehouse.migrate import migrate, renew_dictionaries
from pipeline.warehouse.retention import set_retention

_NEEDS_KAFKA = "SEAMLINE_LOG: expected kafka://host:port for a stage of its own; `seamline up` runs them on a local log"
_NEEDS_MIGRATE = "no log epoch yet: run `seamline migrate` once against this Kafka and this ClickHouse"


def run_migrate(settings: Settings) -> int:
    """Topics, tables and views as this version needs them. Safe to run twice and by two processes."""

    async def work() -> int:
        warehouse = await asyncio.to_thread(_warehouse, settings)
        applied = await asyncio.to_thread(migrate, warehouse)
        await asyncio.to_thread(renew_dictionaries, warehouse)
        await asyncio.to_thread(set_retention, warehouse, settings.warehouse.retention_days)
        created = await _create_topics(settings, warehouse)
        print(f"migrations applied: {len(applied)}; topics created: {', '.join(created) or 'none'}")
        return 0

    return _run(settings, "migrate", work)


async def _create_topics(settings: Settings, warehouse: Warehouse) -> list[str]:
    """A new epoch first, then the topic it is for. A crash between them leaves an epoch unused, which is harmless;
    the other way round, a new log would write under the old epoch and lose to the rows of the log before it. A topic
    that somebody else made, or that an empty warehouse stands behind, has no epoch yet and gets one."""
    log = _log(settings)
    try:
        if not await log.exists(HITS) or await asyncio.to_thread(warehouse.current_epoch, HITS) is None:
            await asyncio.to_thread(warehouse.new_epoch, HITS)
        return await create_topics(settings.log.brokers, settings.log.partitions, security=settings.log.security)
    finally:
        await log.close()


def run_ingest(settings: Settings) -> int:
    """HTTP to the log until told to stop; then what was taken is made durable."""

    async def work() -> int:
        log = _log(settings)
        app = IngestApp(settings.sites, log, settings.ingest)
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
        epoch = _warehouse(settings).current_epoch(HITS)
    except (WarehouseRefused, WarehouseUnavailable) as error:
        return _refuse(str(error))
    if epoch is None:
        return _refuse(_NEEDS_MIGRATE)
    return run_worker(
        WorkerSettings(
            bootstrap=",".join(settings.log.brokers),
            epoch=epoch,
            policy=Policy(settings.stitch.lookback_ms, users_per_device_max=settings.stitch.users_per_device_max),
            data_dir=settings.data,
            group_instance_id=settings.stitch.instance or None,
            web_host=settings.ingest.host,
            web_port=settings.ingest.port,
            erasure_key=settings.erasure_key,
            security=settings.log.security,
        )
    )


async def _suppression(log: KafkaLog, settings: Settings) -> Suppression:
    return (await forgotten(log, settings.erasure_key)).suppression


def run_sink(settings: Settings) -> int:
    """The log to ClickHouse, until told to stop."""

    async def work() -> int:
        warehouse = await asyncio.to_thread(_warehouse, settings)
        log = _log(settings)
        sink = Sink(log, warehouse, forgotten=lambda: _suppression(log, settings))
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


def _log(settings: Settings) -> KafkaLog:
    return KafkaLog(settings.log.brokers, security=settings.log.security)


def _warehouse(settings: Settings) -> Warehouse:
    return open_warehouse(settings.warehouse.url, password=settings.warehouse.password)


def _run(settings: Settings, stage: str, work: Callable[[], Coroutine[Any, Any, int]]) -> int:
    if not settings.log.brokers:
        return _refuse(_NEEDS_KAFKA)
    write_logs(stage, settings.log_format)
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            return runner.run(work())
    except (WarehouseRefused, WarehouseUnavailable, LogUnavailable, NoKey, OSError) as error:
        return _refuse(str(error))


def _refuse(why: str) -> int:
    print(why, file=sys.stderr)
    return 1
