"""Puts an operator's word on the log: a running `up`, or Kafka; it must not know what follows from it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from pipeline.log.partition import alias_partition_of
from pipeline.log.port import ALIASES, Append, Log, LogUnavailable
from pipeline.model import ALIAS_SCHEMA, Alias
from pipeline.privacy.forget import Holder, Request, forget
from pipeline.restitching import Restitched
from pipeline.settings import Settings
from pipeline.up.query_socket import NobodyListens, tell

_LONG_SECONDS_MAX = 3_600  # replaced files stay on disk for a minute, and a large log or table takes its time
_NOT_ON_KAFKA = "{} works on `seamline up` alone so far: on Kafka nothing was changed"
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

    return {"alias": alias, "forget": forget_one, "restitch": restitch_all}


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
    """Have a running `up` forget somebody; the certificate. Raises OrderRefused."""
    if settings.log.brokers:
        raise OrderRefused(_NOT_ON_KAFKA.format("forget"))
    return _tell(settings, "forget", request, _LONG_SECONDS_MAX)


def restitch_all(settings: Settings) -> Mapping[str, Any]:
    """Have a running `up` give every row its person anew; what changed. Raises OrderRefused."""
    if settings.log.brokers:
        raise OrderRefused(_NOT_ON_KAFKA.format("restitch"))
    return _tell(settings, "restitch", {}, _LONG_SECONDS_MAX)


def _tell(settings: Settings, order: str, arguments: Any, seconds_max: float = 60) -> Mapping[str, Any]:
    try:
        answer = tell(settings.data, order, msgspec.to_builtins(arguments), seconds_max)
    except (NobodyListens, FileNotFoundError):
        raise OrderRefused(f"no `seamline up` runs on {settings.data}: start it, or name another with --data") from None
    if "error" in answer:
        raise OrderRefused(str(answer["error"]))
    return answer


async def _on_kafka(settings: Settings, work: Callable[[Log], Awaitable[None]]) -> None:
    from pipeline.log.kafka import KafkaLog

    log = KafkaLog(",".join(settings.log.brokers))
    try:
        await work(log)
    except LogUnavailable as error:
        raise OrderRefused(str(error)) from error
    finally:
        await log.close()
