"""Puts an operator's word on the log: a running `up`, or Kafka; it must not know what follows from it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.identity.policy import Policy
from pipeline.log.marks import Crossing, NotPassed
from pipeline.log.partition import alias_partition_of
from pipeline.log.port import ALIASES, DEAD_LETTERS, STITCHED, Append, Log, LogUnavailable
from pipeline.model import ALIAS_SCHEMA, Alias, Mark
from pipeline.privacy.forget import Holder, Request, forget
from pipeline.privacy.keys import NoKey, erasure_key
from pipeline.report.saved import Saved
from pipeline.restitching import NotYet, Restitched, restitch_in_cluster
from pipeline.settings import Settings
from pipeline.sink.sink import ALIAS_GROUP, DEAD_GROUP
from pipeline.sink.sink import GROUP as SINK_GROUP
from pipeline.up.query_socket import NobodyListens, tell

if TYPE_CHECKING:
    from pipeline.warehouse.port import Store

_LONG_SECONDS_MAX = 3_600  # replaced files stay on disk for a minute, and a large log or table takes its time
_CROSSING_SECONDS_MAX = 600  # stitch and sink work off what waits first
Order = Callable[[Any], Awaitable[dict[str, Any]]]


class OrderRefused(Exception):
    """Nobody is there to take it, or they said no: in words for people."""


def orders(log: Log, holder: Holder, restitch: Callable[[], Awaitable[Restitched]]) -> dict[str, Order]:
    """What a running `up` does for others, by name."""
    one_at_a_time = asyncio.Lock()

    async def alias(arguments: Any) -> dict[str, Any]:
        await append(log, msgspec.convert(arguments, Alias))
        return {}

    async def forget_one(arguments: Any) -> dict[str, Any]:
        async with one_at_a_time:
            certificate = await forget(holder, msgspec.convert(arguments, Request))
        return dict(msgspec.to_builtins(certificate))

    async def restitch_all(_: Any) -> dict[str, Any]:
        async with one_at_a_time:
            return dict(msgspec.to_builtins(await restitch()))

    async def segment(arguments: Any) -> dict[str, Any]:
        row = msgspec.json.encode(msgspec.convert(arguments, Saved))
        await asyncio.to_thread(holder.warehouse.insert_rows, "segments", row)
        return {}

    return {"alias": alias, "forget": forget_one, "restitch": restitch_all, "segment": segment}


async def append(log: Log, statement: Alias) -> None:
    """The statement, durable when this returns."""
    partition = alias_partition_of(statement.workspace, await log.partitions(ALIASES))
    headers = {"schema": ALIAS_SCHEMA, "count": "1"}
    await log.append([Append(ALIASES, partition, msgspec.json.encode(statement), headers)])


def state(settings: Settings, statement: Alias) -> None:
    """Put the statement on the log. Raises OrderRefused."""
    if settings.log.brokers:
        asyncio.run(_on_kafka(settings, lambda log: append(log, statement)))
        return
    _tell(settings, "alias", statement)


def forget_them(settings: Settings, request: Request) -> Mapping[str, Any]:
    """Forget somebody, by a running `up` or with the workers of a cluster; the certificate. Raises OrderRefused."""
    if not settings.log.brokers:
        return _tell(settings, "forget", request, _LONG_SECONDS_MAX)
    from pipeline.privacy.cluster import Cluster, OtherKey, StillFound, forget_in_cluster

    async def work(log: Log, warehouse: "Store") -> Any:
        try:
            key = erasure_key(settings.erasure_key, make=False)
            cluster = Cluster(log, warehouse, key, settings.stitch.lookback_ms, partial(_cross, log))
            return await forget_in_cluster(cluster, request)
        except (NoKey, OtherKey) as error:
            raise OrderRefused(f"SEAMLINE_ERASURE_KEY_FILE: {error}") from error
        except StillFound as error:
            raise OrderRefused(str(error)) from error

    return dict(msgspec.to_builtins(_in_cluster(settings, work)))


def restitch_all(settings: Settings) -> Mapping[str, Any]:
    """Give every row its person anew, by a running `up` or beside the workers of a cluster; what changed. Raises
    OrderRefused."""
    if not settings.log.brokers:
        return _tell(settings, "restitch", {}, _LONG_SECONDS_MAX)

    async def work(log: Log, warehouse: "Store") -> Any:
        policy = Policy(settings.stitch.lookback_ms, users_per_device_max=settings.stitch.users_per_device_max)
        return await restitch_in_cluster(warehouse, policy, partial(_cross, log), settings.log.prefix)

    return dict(msgspec.to_builtins(_in_cluster(settings, work)))


def keep_segment(settings: Settings, named: Saved) -> None:
    """Have a segment and its name stored. Raises OrderRefused."""
    if settings.warehouse.url.startswith("chdb:"):
        _tell(settings, "segment", named)
        return
    with _warehouse(settings) as warehouse:
        warehouse.insert_rows("segments", msgspec.json.encode(named))


async def _cross(log: Log, mark: Mark) -> list[Mark]:
    """Draw the mark and wait until every stage is past it."""
    groups = {STITCHED: SINK_GROUP, ALIASES: ALIAS_GROUP, DEAD_LETTERS: DEAD_GROUP}
    return await Crossing(log, mark, groups, _CROSSING_SECONDS_MAX).passed()


def _in_cluster(settings: Settings, work: Callable[[Log, Any], Awaitable[Any]]) -> Any:
    with _warehouse(settings) as warehouse:
        try:
            return asyncio.run(_on_kafka(settings, lambda log: work(log, warehouse)))
        except (NotPassed, NotYet) as error:
            raise OrderRefused(str(error)) from error


@contextmanager
def _warehouse(settings: Settings) -> Iterator["Store"]:
    """The server's, for as long as the block lasts; what it refuses is the order's refusal."""
    from pipeline.warehouse.errors import WarehouseRefused, WarehouseUnavailable
    from pipeline.warehouse.opening import open_store

    where = settings.warehouse
    warehouse = open_store(where.url, password=where.password, cluster=where.cluster)
    try:
        yield warehouse
    except (WarehouseRefused, WarehouseUnavailable) as error:
        raise OrderRefused(str(error)) from error
    finally:
        warehouse.close()


def _tell(settings: Settings, order: str, arguments: Any, seconds_max: float = 60) -> Mapping[str, Any]:
    try:
        answer = tell(settings.data, order, msgspec.to_builtins(arguments), seconds_max)
    except (NobodyListens, FileNotFoundError):
        raise OrderRefused(f"no `seamline up` runs on {settings.data}: start it, or name another with --data") from None
    if "error" in answer:
        raise OrderRefused(str(answer["error"]))
    return answer


async def _on_kafka(settings: Settings, work: Callable[[Log], Awaitable[Any]]) -> Any:
    from pipeline.log.kafka import KafkaLog

    log = KafkaLog(settings.log.brokers, security=settings.log.security, prefix=settings.log.prefix)
    try:
        return await work(log)
    except LogUnavailable as error:
        raise OrderRefused(str(error)) from error
    finally:
        await log.close()
