"""Puts an operator's word on the log: a running `up`, or Kafka; it must not know what follows from it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from pipeline.log.partition import alias_partition_of
from pipeline.log.port import ALIASES, Append, Log, LogUnavailable
from pipeline.model import ALIAS_SCHEMA, Alias
from pipeline.settings import Settings
from pipeline.up.query_socket import NobodyListens, tell

Order = Callable[[Any], Awaitable[dict[str, Any]]]


class OrderRefused(Exception):
    """Nobody is there to take it, or they said no: in words for people."""


def orders(log: Log) -> dict[str, Order]:
    """What the holder of a log does for others, by name."""

    async def alias(arguments: Any) -> dict[str, Any]:
        await append(log, msgspec.convert(arguments, Alias))
        return {}

    return {"alias": alias}


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
    try:
        answer = tell(settings.data, "alias", msgspec.to_builtins(statement))
    except (NobodyListens, FileNotFoundError):
        raise OrderRefused(f"no `seamline up` runs on {settings.data}: start it, or name another with --data") from None
    if "error" in answer:
        raise OrderRefused(str(answer["error"]))


async def _on_kafka(settings: Settings, work: Callable[[Log], Awaitable[None]]) -> None:
    from pipeline.log.kafka import KafkaLog

    log = KafkaLog(",".join(settings.log.brokers))
    try:
        await work(log)
    except LogUnavailable as error:
        raise OrderRefused(str(error)) from error
    finally:
        await log.close()
