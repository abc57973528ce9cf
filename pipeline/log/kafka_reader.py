"""A member of a group on a topic of Kafka; it must not know what the records mean."""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError

from pipeline.log.kafka_client import KafkaConnection, started, stopped, unavailable
from pipeline.log.port import Record

_log = logging.getLogger(__name__)
_HEARTBEATS = 10  # a session: a member notices within a tenth of it that another has joined
# To join, the other members must notice, let go and join again; each may take a heartbeat and its own join.
_JOIN_SESSIONS = 3


class _Expected(ConsumerRebalanceListener):  # type: ignore[misc]
    """Where each partition should go on, so that a hole is noticed: retention may overtake a slow group."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer
        self._next: dict[TopicPartition, int] = {}

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        self._next = {}

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        places = list(assigned)
        stored = await asyncio.gather(*[self._consumer.committed(place) for place in places])
        for place, position in zip(places, stored, strict=True):
            if position is not None:
                self._next.setdefault(place, position)

    def hole_before(self, place: TopicPartition, messages: Sequence[Any]) -> int:
        """How many records are missing before these; then expects what follows them."""
        first: int = messages[0].offset
        hole = max(0, first - self._next.get(place, first))
        self._next[place] = messages[-1].offset + 1
        return hole


class KafkaReader:
    """After LogUnavailable, close it and take a new one: aiokafka's group membership does not mend every error.

    What was fetched for a partition and not yet handed out is dropped by aiokafka when the partition is revoked.
    `lost` counts records that Kafka deleted before this reader could have them.
    """

    def __init__(self, consumer: AIOKafkaConsumer, connection: KafkaConnection, prefix: str, topic: str) -> None:
        self._consumer = consumer
        self._connection = connection
        self._topic = topic
        self._name = prefix + topic
        self._expected = _Expected(consumer)
        self.closed = False
        self.lost = 0

    @classmethod
    async def joined(
        cls,
        connection: KafkaConnection,
        names: tuple[str, str, str],
        session_ms: int,
        instance_id: str | None,
    ) -> "KafkaReader":
        """A member with its partitions. Raises LogUnavailable. `names`: what stands before those of topic and group on
        Kafka, and these; `instance_id` names the member across restarts (KIP-345)."""
        prefix, topic, group = names
        consumer = AIOKafkaConsumer(
            group_id=prefix + group,
            group_instance_id=instance_id,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=session_ms,
            heartbeat_interval_ms=session_ms // _HEARTBEATS,
            **connection.arguments(),
        )
        reader = cls(consumer, connection, prefix, topic)
        consumer.subscribe([reader._name], listener=reader._expected)
        await started(consumer, consumer.stop, connection.timeout_ms + _JOIN_SESSIONS * session_ms)
        return reader

    async def fetch(self, wait_ms: int, records_max: int = 500) -> Sequence[Record]:
        """Records past this reader's position, in order within each partition; empty when none came in `wait_ms`."""
        with unavailable("fetching"):
            found = await self._consumer.getmany(timeout_ms=wait_ms, max_records=records_max)
        for place, messages in found.items():
            if hole := self._expected.hole_before(place, messages):
                self.lost += hole
                _log.error("%s/%s: %s records were deleted before they were read", self._name, place.partition, hole)
        return [record_of(message, self._topic) for messages in found.values() for message in messages]

    async def commit(self, positions: Mapping[int, int]) -> None:
        """Store the positions, durably. Those of partitions that are no longer ours are ignored, and logged."""
        owned = set() if self.closed else {place.partition for place in self._consumer.assignment()}
        if lost := sorted(positions.keys() - owned):
            _log.warning("positions of %s %s not stored: another reader has the partitions", self._topic, lost)
        mine = {TopicPartition(self._name, p): offset for p, offset in positions.items() if p in owned}
        if not mine:
            return
        with unavailable("storing positions"):
            async with asyncio.timeout(self._connection.timeout_ms / 1000):
                try:
                    await self._consumer.commit(mine)
                except (CommitFailedError, IllegalStateError) as moved:
                    _log.warning("positions of %s not stored: the group has moved on: %s", self._topic, moved)

    async def close(self) -> None:
        """Leave the group without committing."""
        if not self.closed:
            self.closed = True
            await stopped(self._consumer.stop, self._connection.timeout_ms)


def record_of(message: "ConsumerRecord[bytes, bytes]", topic: str) -> Record:
    """A record as the port knows it, under the name that the topic has there."""
    headers = {name: value.decode(errors="replace") for name, value in message.headers}
    return Record(topic, message.partition, message.offset, message.value or b"", headers, message.timestamp)
