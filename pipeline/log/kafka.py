"""The event log on Apache Kafka; it must not know what its records mean."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from pipeline.limits import APPEND_BYTES_MAX
from pipeline.log.kafka_appender import KafkaAppender
from pipeline.log.kafka_client import KafkaConnection, admin_client, groupless_consumer, patiently, unavailable
from pipeline.log.kafka_reader import KafkaReader, record_of
from pipeline.log.kafka_security import NONE, Security
from pipeline.log.kafka_topics import create_topics
from pipeline.log.port import Append, LogUnavailable, Record

__all__ = ["KafkaLog", "create_topics"]

_READ_RECORDS = 2_000


class KafkaLog:
    """`Log` on Kafka. Nothing is connected until it is needed, so it can be made while Kafka is away.

    `prefix` stands before the name of every topic and group, on Kafka alone: whoever asks here does without it.

    `bootstrap` is `host:port`, several with commas. Every call answers or raises LogUnavailable within about
    `timeout_ms`; joining a group takes up to three sessions more.
    """

    def __init__(
        self,
        bootstrap: str | Sequence[str],
        *,
        timeout_ms: int = 5_000,
        session_ms: int = 10_000,
        idempotent: bool = False,
        instance_id: str | None = None,
        security: Security = NONE,
        prefix: str = "",
    ) -> None:
        self._prefix = prefix
        self._connection = KafkaConnection(bootstrap=bootstrap, timeout_ms=timeout_ms, security=security)
        self._session_ms = session_ms
        self._instance_id = instance_id
        self._appender = KafkaAppender(self._connection, idempotent)
        self._readers: list[KafkaReader] = []
        self._partitions: dict[str, int] = {}
        self._asking = asyncio.Lock()

    async def exists(self, topic: str) -> bool:
        """Whether Kafka has the topic."""
        return self._prefix + topic in await self._counts()

    async def partitions(self, topic: str) -> int:
        """How many partitions the topic has; asked once. Raises LogUnavailable also when there is no such topic."""
        async with self._asking:  # appends pass here in the order of their calls, the first ones too
            if topic not in self._partitions:
                counts, name = await self._counts(), self._prefix + topic
                if name not in counts:
                    raise LogUnavailable(f"Kafka has no topic {name}; `seamline migrate` makes it")
                self._partitions[topic] = counts[name]
            return self._partitions[topic]

    async def _counts(self) -> Mapping[str, int]:
        """Partitions of every topic there is: where Kafka makes topics by itself, asking for one by name makes it."""
        async with admin_client(self._connection) as admin:
            with unavailable("listing topics"):
                return {topic["topic"]: len(topic["partitions"]) for topic in await admin.describe_topics()}

    async def append(self, records: Sequence[Append]) -> Sequence[int]:
        """Their offsets, once every in-sync replica has them. Raises LogUnavailable, or ValueError storing none."""
        with unavailable("asking for partitions"):
            async with asyncio.timeout(self._connection.timeout_ms / 1000):
                for record in records:
                    _check(record, await self.partitions(record.topic))
        return await self._appender.append(records, self._prefix) if records else []

    async def reader(self, topic: str, group: str) -> KafkaReader:
        """Join `group` on `topic`; a new group starts at the oldest record."""
        await self.partitions(topic)
        names = (self._prefix, topic, group)
        reader = await KafkaReader.joined(self._connection, names, self._session_ms, self._instance_id)
        self._readers = [kept for kept in self._readers if not kept.closed] + [reader]
        return reader

    async def read(self, topic: str, partition: int, start: int, stop: int) -> AsyncIterator[Record]:
        """Records with start <= offset < stop that are there now, oldest first, outside of any group."""
        place = TopicPartition(self._prefix + topic, partition)
        async with groupless_consumer(self._connection) as consumer:
            oldest, end = (await self._spans(consumer, [place]))[partition]
            at, stop = max(start, oldest), min(stop, end)
            consumer.assign([place])
            consumer.seek(place, at)
            while at < stop:
                for message in await self._messages(consumer, place):
                    at = message.offset + 1
                    if message.offset < stop:
                        yield record_of(message, topic)

    async def _messages(self, consumer: AIOKafkaConsumer, place: TopicPartition) -> Sequence[Any]:
        """The next ones, which are there: an answer without any is none."""
        with unavailable("reading"):
            found = await consumer.getmany(place, timeout_ms=self._connection.timeout_ms, max_records=_READ_RECORDS)
        if not found:
            raise LogUnavailable(f"Kafka: reading {place.topic}: no answer in {self._connection.timeout_ms} ms")
        return list(found[place])

    async def span(self, topic: str) -> Mapping[int, tuple[int, int]]:
        """Per partition: the oldest offset still kept, and the offset the next record will get."""
        name, count = self._prefix + topic, await self.partitions(topic)
        places = [TopicPartition(name, partition) for partition in range(count)]
        async with groupless_consumer(self._connection) as consumer:
            return await self._spans(consumer, places)

    async def _spans(
        self, consumer: AIOKafkaConsumer, places: Sequence[TopicPartition]
    ) -> Mapping[int, tuple[int, int]]:
        with unavailable("asking for offsets"):
            oldest = await consumer.beginning_offsets(places)
            ends = await consumer.end_offsets(places)
        return {place.partition: (oldest[place], ends[place]) for place in places}

    async def committed(self, topic: str, group: str) -> Mapping[int, int]:
        """Per partition: the group's stored position; a partition without one is absent."""
        async with admin_client(self._connection) as admin:
            with unavailable("asking for positions"):
                ask = partial(admin.list_consumer_group_offsets, self._prefix + group)
                stored = await patiently(self._connection, ask)
        name = self._prefix + topic
        return {place.partition: at.offset for place, at in stored.items() if place.topic == name and at.offset >= 0}

    async def close(self) -> None:
        """Wait for what is on its way, leave every group, disconnect."""
        await asyncio.gather(self._appender.close(), *[reader.close() for reader in self._readers])


def _check(record: Append, partitions: int) -> None:
    if not 0 <= record.partition < partitions:
        raise ValueError(f"{record.topic} has partitions 0 to {partitions - 1}, not {record.partition}")
    if len(record.value) > APPEND_BYTES_MAX:
        raise ValueError(f"a record of {len(record.value)} bytes; at most {APPEND_BYTES_MAX} are taken")
