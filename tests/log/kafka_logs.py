"""Logs on a broker that are closed when the test ends, however it ends."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from pipeline.log.kafka import KafkaLog
from pipeline.log.port import Append, LogUnavailable
from tests.support.kafka_broker import KafkaBroker
from tests.support.tansu_broker import TansuBroker

SESSION_MS = 6_000  # Tansu waits half of it at every join; on Kafka it is how soon a lost member is noticed
NewLog = Callable[..., KafkaLog]


@asynccontextmanager
async def logs_of(broker: KafkaBroker | TansuBroker) -> AsyncIterator[NewLog]:
    """`new(**settings)` makes a KafkaLog."""
    made: list[KafkaLog] = []

    def new(**settings: Any) -> KafkaLog:
        made.append(KafkaLog(broker.bootstrap, **{"session_ms": SESSION_MS, **settings}))
        return made[-1]

    try:
        yield new
    finally:
        for log in made:
            await log.close()


async def accepted(log: KafkaLog, record: Append) -> bool:
    """Whether it was acknowledged; what was not may be there all the same."""
    try:
        return bool(await log.append([record]))
    except LogUnavailable:
        return False
