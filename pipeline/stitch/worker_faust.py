"""Faust, with a workaround for each of its traps that would lose, repeat or misplace a hit; it must not know identity.

What Faust does here: the group, the partitions, the topic, the agent, start and stop. What it must not do: commit. Its
bookkeeping of acknowledged offsets is switched off whole (`noack`, `acks=False`, a consumer that commits nothing by
itself); the checkpoint stores positions through `store_positions`, and says where reading starts.

| trap | where | what is done |
| --- | --- | --- |
| an exception in an agent acknowledges the event | faust #315, robinhood/faust #604 | nothing is acknowledged |
| commits past an offset that is still in flight | faust #606, pull 707 | `commit` does nothing |
| counts an offset as committed when that failed | faust #316 | `store_positions` raises, nothing else is counted |
| commits on a timer, in `wait_empty`, on stop, on errors | consumer.py `_commit_handler`, `on_task_error` | the same |
| restarts an agent that raised, and goes on | faust #315 | `CrashingSupervisor`: the process ends |
| waits for in-flight events without a limit | faust #133 | `stream_wait_empty=False` |
| seeks from a thread that does not own the consumer | aiokafka driver `seek` | `_go_on`, in the consumer's thread |
| seeks nowhere when 0 is committed | aiokafka `seek_to_committed` | `perform_seek` seeks to what the worker knows |
| fetches as soon as partitions come, and throws where no position is stored | aiokafka fetcher | `_StandStill` |
| starts over silently when an offset is out of range | `auto_offset_reset` | "none": the process ends and says why |
| missed metadata leaves a member without partitions for five minutes | aiokafka assignors | asked every 10 s |
| a consumer that waits too long is expelled and stays | aiokafka `max_poll_interval_ms` | a week; health watches |
| four tasks a record in `_drain_messages` | consumer.py | a plain loop, bounded by bytes |
| a full stream buffer stops all fetching for a second | faust #563 | records a fetch < buffer; bytes bound it |
| the livelock detector ends a worker that starts slowly | faust #446 | off; health watches |
| any environment variable beats an argument | settings `getenv` | `env={}` |
| /table, /router and friends on every interface | web settings | `web_enabled=False` |
| waits a second for tables that nobody declares | tables/manager.py `on_start` | `_NoTables` does not |
| creates topics, writes folders where it was started | settings | declared off, `datadir` |
"""

import asyncio
import logging
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

import faust
from aiokafka import OffsetAndMetadata, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from faust.app.base import BootStrategy
from faust.tables import TableManager
from faust.transport.drivers.aiokafka import Consumer, ConsumerRebalanceListener, Transport
from mode.supervisors import CrashingSupervisor
from msgspec import Struct

from pipeline.limits import DAY_MS, MIB, SECOND_MS
from pipeline.log.kafka_security import NONE, Security
from pipeline.log.port import HITS, LogUnavailable, Record
from pipeline.stitch.worker_checkpoint import Fenced

_RECORDS_A_FETCH = 4_000
_STREAM_BUFFER_RECORDS = 4 * _RECORDS_A_FETCH  # Faust stops fetching a partition at 4/5 of it
_FETCH_S = 1.0

_log = logging.getLogger(__name__)


class Group(Struct, frozen=True):
    """The membership: who we are and how soon we are missed."""

    bootstrap: str
    name: str
    instance_id: str | None
    session_timeout_ms: int
    commit_timeout_ms: int
    folder: Path
    security: Security = NONE
    topic: str = HITS  # as Kafka knows it


class Stitching(Protocol):
    """What the worker answers when Faust calls."""

    @property
    def positions(self) -> Mapping[int, int]:
        """Where to fetch on, by partition."""

    async def room(self) -> None:
        """Return once more records may come."""

    async def take(self, record: Record) -> None:
        """One record, in order within its partition."""

    async def assigned(self, partitions: Collection[int]) -> None:
        """These, and no others, are ours from now on. Fetching starts when it returns."""

    async def revoked(self) -> None:
        """None is ours any more. The group waits for it."""


class _StandStill(ConsumerRebalanceListener):  # type: ignore[misc]
    """Partitions that come stand still until the worker knows where to read on.

    aiokafka would ask for their stored positions at once, and fetch from there. For one without it keeps an error
    instead (NoOffsetForPartitionError, OffsetOutOfRangeError), which a fetch that waited while the group changed would
    meet before `perform_seek` takes it away. It does neither where a position is set and fetching is paused.
    """

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        consumer = self._thread._ensure_consumer()
        for place in assigned:  # nothing is awaited before this ends: no answer can come between
            consumer.pause(place)
            consumer.seek(place, 0)
        await super().on_partitions_assigned(assigned)


class _Consumer(Consumer):  # type: ignore[misc]
    """Fetches, and stores positions when it is told to."""

    RebalanceListener = _StandStill

    async def commit(self, *_: Any, **__: Any) -> bool:
        """Nothing: the timer, `wait_empty`, errors and stopping all come here."""
        return False

    async def force_commit(self, *_: Any, **__: Any) -> bool:
        """Nothing."""
        return False

    async def verify_all_partitions_active(self) -> None:
        """Nothing: it judges by acknowledgements, and raises before the consumer has started."""

    async def perform_seek(self) -> None:
        """To where the worker stands, never to what the broker remembers."""
        await self._thread.call_thread(self._go_on, dict(self.app.stitching.positions))

    def _go_on(self, positions: Mapping[int, int]) -> None:
        """In the consumer's thread and at one go: what is let go has its position."""
        consumer = self._thread._ensure_consumer()
        for place in consumer.assignment():
            if place.topic == self.app.group.topic and place.partition in positions:
                consumer.seek(place, positions[place.partition])
                consumer.resume(place)

    async def _drain_messages(self, fetcher: Any) -> None:
        try:
            while not (self.should_stop or fetcher.should_stop):
                await self._room(fetcher)
                async for _, message in self.getmany(timeout=_FETCH_S):
                    await self.callback(message)
                await asyncio.sleep(0)
        except self.consumer_stopped_errors:
            if not self.app.should_stop:
                raise

    async def _room(self, fetcher: Any) -> None:
        """Until the agent has taken what it was given and the worker wants more."""
        room = asyncio.ensure_future(self.app.stitching.room())
        try:
            while not (self.should_stop or fetcher.should_stop):
                if room.done() and all(channel.queue.empty() for channel in self.app.topics):
                    return
                await asyncio.wait([room], timeout=_FETCH_S) if not room.done() else await asyncio.sleep(0)
        finally:
            room.cancel()

    async def store_positions(self, positions: Mapping[int, int], timeout_s: float) -> None:
        """Durable when it returns. Raises Fenced when the group has moved on, LogUnavailable when nobody answered."""
        topic = self.app.group.topic
        offsets = {TopicPartition(topic, p): OffsetAndMetadata(offset, "") for p, offset in positions.items()}
        thread = self._thread
        consumer = thread._ensure_consumer()
        storing = asyncio.run_coroutine_threadsafe(consumer.commit(offsets), thread.thread_loop)
        try:
            await asyncio.wait_for(asyncio.wrap_future(storing), timeout_s)
        except (CommitFailedError, IllegalStateError) as error:
            raise Fenced(str(error)) from error
        except (KafkaError, TimeoutError) as error:
            raise LogUnavailable(f"storing positions: {error!r}") from error


class _Transport(Transport):  # type: ignore[misc]
    Consumer = _Consumer


class _NoTables(TableManager):  # type: ignore[misc]
    """Still the one that resumes the streams after a rebalance."""

    async def on_start(self) -> None:
        if not self.should_stop:
            await self._update_channels()
            await self.recovery.start()


class _ConsumerOnly(BootStrategy):  # type: ignore[misc]
    enable_kafka_producer = False  # outputs go through the log port, which says when they are durable
    enable_web = False


class StitchApp(faust.App):  # type: ignore[misc]
    """A Faust app whose one agent hands every record of `hits` to `stitching`."""

    BootStrategy = _ConsumerOnly
    stitching: Stitching

    def _new_transport(self) -> _Transport:
        return _Transport(self.conf.broker_consumer, self)

    async def commit_positions(self, positions: Mapping[int, int]) -> None:
        """See `Commit` of the checkpoint."""
        await self.consumer.store_positions(positions, self.group.commit_timeout_ms / SECOND_MS)

    group: Group


def stitch_app(group: Group, stitching: Stitching) -> StitchApp:
    """The app, not started."""
    app = StitchApp(group.name, **_settings(group))
    app.group, app.stitching = group, stitching
    topic = app.topic(group.topic, key_serializer="raw", value_serializer="raw", acks=False)

    @app.agent(topic, name="stitch", concurrency=1)  # type: ignore[untyped-decorator]
    async def stitch(stream: Any) -> None:
        async for event in stream.noack().events():
            await stitching.take(_record(event.message))

    @app.on_partitions_revoked.connect(weak=False)  # type: ignore[untyped-decorator]
    async def on_revoked(*_: Any, **__: Any) -> None:
        await stitching.revoked()

    @app.on_rebalance_complete.connect(weak=False)  # type: ignore[untyped-decorator]
    async def on_assigned(*_: Any, **__: Any) -> None:
        await stitching.assigned({tp.partition for tp in app.consumer.assignment() if tp.topic == group.topic})

    return app


def _settings(group: Group) -> dict[str, Any]:
    session_s = group.session_timeout_ms / SECOND_MS
    return {
        "env": {},
        "broker": f"kafka://{group.bootstrap.replace(',', ';kafka://')}",
        "broker_credentials": _credentials(group.security),
        "store": "memory://",
        "datadir": group.folder,
        "agent_supervisor": CrashingSupervisor,
        "stream_wait_empty": False,
        "stream_buffer_maxsize": _STREAM_BUFFER_RECORDS,
        "broker_max_poll_records": _RECORDS_A_FETCH,
        "broker_max_poll_interval": 7 * DAY_MS / SECOND_MS,
        "broker_session_timeout": session_s,
        "broker_heartbeat_interval": session_s / 4,
        "broker_request_timeout": max(40.0, session_s + 10),
        "consumer_auto_offset_reset": "none",
        "consumer_metadata_max_age_ms": 10 * SECOND_MS,
        "consumer_group_instance_id": group.instance_id,
        "consumer_max_fetch_size": 2 * MIB,
        "topic_allow_declare": False,
        "topic_disable_leader": True,
        "table_standby_replicas": 0,
        "TableManager": _NoTables,
        "web_enabled": False,
        "worker_redirect_stdouts": False,
    }


def _credentials(security: Security) -> faust.SASLCredentials | faust.SSLCredentials | None:
    """The same as every other client has, in Faust's words."""
    context = security.context()
    if security.sasl:
        said = {"username": security.user, "password": security.password, "mechanism": security.mechanism}
        return faust.SASLCredentials(**said, ssl_context=context)
    return None if context is None else faust.SSLCredentials(context)


def _record(message: Any) -> Record:
    headers = {name: (value or b"").decode("utf-8", "replace") for name, value in message.headers or ()}
    timestamp_ms = round((message.timestamp or 0) * SECOND_MS)
    return Record(HITS, message.partition, message.offset, message.value or b"", headers, timestamp_ms)
