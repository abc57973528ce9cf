"""How every Kafka client of ours connects, waits and fails; it must not know what is sent or read."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Protocol, TypeVar

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import ConsumerStoppedError, KafkaError
from msgspec import Struct

from pipeline.log.kafka_security import NONE, Security, TlsFile
from pipeline.log.port import LogUnavailable

_log = logging.getLogger(__name__)
T = TypeVar("T")
_RETRY_S = 0.1


class KafkaConnection(Struct, frozen=True, kw_only=True):
    """Where Kafka is, how long a call may take, and who we are there.

    One request may take half of that: aiokafka then gives up by itself and closes what it opened. Cancelled in the
    middle of connecting, it would forget an open connection.
    """

    bootstrap: str | Sequence[str]
    timeout_ms: int = 5_000
    client_id: str = "seamline"
    security: Security = NONE

    def arguments(self) -> dict[str, Any]:
        """What every aiokafka client is made with. Raises LogUnavailable when a certificate cannot be read any more."""
        try:
            security = self.security.arguments()
        except TlsFile as error:
            raise LogUnavailable(f"Kafka: {error.part}: expected {error}") from error
        return {
            "bootstrap_servers": self.bootstrap if isinstance(self.bootstrap, str) else list(self.bootstrap),
            "request_timeout_ms": self.timeout_ms // 2,
            "client_id": self.client_id,
            **security,
        }


class _Startable(Protocol):
    async def start(self) -> None: ...


@contextmanager
def unavailable(doing: str) -> Iterator[None]:
    """Whatever Kafka or the network raises inside becomes LogUnavailable."""
    try:
        yield
    except (KafkaError, ConsumerStoppedError, OSError) as error:  # asyncio's time-out is an OSError
        raise LogUnavailable(f"Kafka: {doing}: {error or type(error).__name__}") from error


async def started(client: _Startable, stop: Callable[[], Awaitable[None]], within_ms: int) -> None:
    """Start a client, or stop it again and raise LogUnavailable."""
    try:
        with unavailable("connecting"):
            async with asyncio.timeout(within_ms / 1000):
                await client.start()
    except BaseException:
        await stopped(stop, within_ms)
        raise


async def stopped(stop: Callable[[], Awaitable[None]], within_ms: int) -> None:
    """Stop a client; one that cannot say goodbye in time is let go and logged."""
    try:
        async with asyncio.timeout(within_ms / 1000):
            await stop()
    except (KafkaError, OSError) as error:
        _log.warning("a Kafka client did not stop cleanly: %s", error or type(error).__name__)


@asynccontextmanager
async def admin_client(connection: KafkaConnection) -> AsyncIterator[AIOKafkaAdminClient]:
    """A client for topics and groups."""
    admin = AIOKafkaAdminClient(**connection.arguments())
    await started(admin, admin.close, connection.timeout_ms)
    try:
        yield admin
    finally:
        await stopped(admin.close, connection.timeout_ms)


@asynccontextmanager
async def groupless_consumer(connection: KafkaConnection) -> AsyncIterator[AIOKafkaConsumer]:
    """A client that reads where it is told, outside of any group."""
    consumer = AIOKafkaConsumer(enable_auto_commit=False, auto_offset_reset="earliest", **connection.arguments())
    await started(consumer, consumer.stop, connection.timeout_ms)
    try:
        yield consumer
    finally:
        await stopped(consumer.stop, connection.timeout_ms)


async def patiently(connection: KafkaConnection, ask: Callable[[], Awaitable[T]]) -> T:
    """Ask again, while Kafka says that later may be better, for as long as a request may take."""
    async with asyncio.timeout(connection.timeout_ms / 1000):
        while True:
            try:
                return await ask()
            except KafkaError as error:
                if not error.retriable:
                    raise
            await asyncio.sleep(_RETRY_S)
