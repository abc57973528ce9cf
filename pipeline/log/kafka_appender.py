"""Appending to Kafka: acknowledged by every in-sync replica, in order; it must not know what is appended."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.producer.message_accumulator import BatchBuilder

from pipeline.limits import APPEND_BYTES_MAX
from pipeline.log.kafka_client import KafkaConnection, started, stopped, unavailable
from pipeline.log.port import Append, LogUnavailable

_Place = tuple[str, int]


class KafkaAppender:
    """One producer, connected at the first append: ingest starts, and spools, while Kafka is away.

    `idempotent` makes the producer's own retries store a record once; a record is harmless twice, so it is off.
    """

    def __init__(self, connection: KafkaConnection, idempotent: bool) -> None:
        self._connection = connection
        self._idempotent = idempotent
        self._producer: AIOKafkaProducer | None = None
        self._changing = asyncio.Lock()
        self._turns: defaultdict[_Place, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._closed = False

    async def append(self, records: Sequence[Append], prefix: str = "") -> list[int]:
        """Their offsets; `prefix` stands before every topic's name. Raises LogUnavailable within the connection's
        time-out if any is not acknowledged by then.

        Partitions go in parallel. Within one, calls take turns, and a batch leaves when the one before it is
        acknowledged: a failure can then not put a record behind its successor.
        """
        places: defaultdict[_Place, list[int]] = defaultdict(list)
        for index, record in enumerate(records):
            places[prefix + record.topic, record.partition].append(index)
        offsets = [0] * len(records)
        with unavailable("appending"):
            async with asyncio.timeout(self._connection.timeout_ms / 1000):
                producer = await self._connected()
                sends = [self._send(producer, place, records, mine, offsets) for place, mine in places.items()]
                failures = [e for e in await asyncio.gather(*sends, return_exceptions=True) if e is not None]
        if failures:
            await self._failed(producer, failures)
        return offsets

    async def _send(
        self, producer: AIOKafkaProducer, place: _Place, records: Sequence[Append], mine: list[int], offsets: list[int]
    ) -> None:
        topic, partition = place
        async with self._turns[place]:
            done = 0
            while done < len(mine):
                batch, count = _packed(producer, records, mine[done:])
                acknowledged = await (await producer.send_batch(batch, topic, partition=partition))
                for nth, index in enumerate(mine[done : done + count]):
                    offsets[index] = acknowledged.offset + nth
                done += count

    async def _failed(self, producer: AIOKafkaProducer, failures: Sequence[BaseException]) -> None:
        """An error that retrying cannot cure may have ended the producer: the next append makes another."""
        expected = [e for e in failures if isinstance(e, (KafkaError, OSError))]
        if len(expected) < len(failures):
            raise next(e for e in failures if e not in expected)
        if any(isinstance(e, KafkaError) and not e.retriable for e in expected):
            await self._drop(producer)
        raise LogUnavailable(f"Kafka: appending: {expected[0] or type(expected[0]).__name__}") from expected[0]

    async def _connected(self) -> AIOKafkaProducer:
        async with self._changing:
            if self._closed:
                raise LogUnavailable("the log is closed")
            if self._producer is None:
                producer = AIOKafkaProducer(
                    acks="all",
                    enable_idempotence=self._idempotent,
                    max_batch_size=APPEND_BYTES_MAX,
                    **self._connection.arguments(),
                )
                await started(producer, producer.stop, self._connection.timeout_ms)
                self._producer = producer
            return self._producer

    async def _drop(self, producer: AIOKafkaProducer) -> None:
        async with self._changing:
            if self._producer is producer:
                self._producer = None
        await stopped(producer.stop, self._connection.timeout_ms)

    async def close(self) -> None:
        """Wait for what is on its way, then disconnect."""
        self._closed = True
        if self._producer is not None:
            await self._drop(self._producer)


def _packed(producer: AIOKafkaProducer, records: Sequence[Append], indices: Sequence[int]) -> tuple[BatchBuilder, int]:
    """A batch of as many of the records as fit, and how many those are; one always fits."""
    batch = producer.create_batch()
    count = 0
    for index in indices:
        record = records[index]
        headers = [(name, value.encode()) for name, value in record.headers.items()]
        if batch.append(key=None, value=record.value, timestamp=None, headers=headers) is None:
            break
        count += 1
    assert count, "an empty batch takes a record of any size"
    batch.close()
    return batch, count
