"""The log on Kafka: the contract, on a real broker (on Tansu where there is none), and what only Kafka promises."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.protocol.group import LeaveGroupRequest

from pipeline.log.kafka import KafkaLog
from pipeline.log.kafka_reader import KafkaReader
from pipeline.log.port import LogUnavailable
from tests.log.contract import PARTITIONS, LogContract, drain, entry, values
from tests.log.kafka_logs import NewLog, accepted, logs_of
from tests.support.deadline import until
from tests.support.kafka_broker import KafkaBroker, free_port
from tests.support.kafka_jars import HOW_TO_GET_KAFKA
from tests.support.tansu_broker import TansuBroker
from tests.support.topics import fresh_topic

PATIENCE_S = 6  # far below what aiokafka itself waits, and enough for a busy machine


class TestKafkaLog(LogContract):
    """Over the wire."""

    @pytest.fixture
    async def log(self, broker: KafkaBroker | TansuBroker) -> AsyncIterator[KafkaLog]:
        async with logs_of(broker) as new:
            yield new()

    @pytest.fixture
    async def topic(self, broker: KafkaBroker | TansuBroker) -> str:
        return await fresh_topic(broker.bootstrap, PARTITIONS)

    @pytest.fixture
    def exact_offsets(self, broker: KafkaBroker | TansuBroker) -> None:
        if not broker.exact_offsets:
            pytest.skip(f"Tansu gets ends and positions wrong; for Kafka {HOW_TO_GET_KAFKA}")


@pytest.fixture
async def new_log(kafka: KafkaBroker) -> AsyncIterator[NewLog]:
    async with logs_of(kafka) as new:
        yield new


@pytest.mark.kafka
class TestGroups:
    """What only a real group coordinator shows."""

    async def test_positions_of_partitions_that_another_reader_got_are_ignored(
        self, kafka: KafkaBroker, new_log: NewLog, caplog: pytest.LogCaptureFixture
    ) -> None:
        topic, log = await fresh_topic(kafka.bootstrap, 2), new_log()
        await log.append([entry(topic, "a", 0), entry(topic, "b", 1)])
        first = await log.reader(topic, "g")
        await drain(first, 2)
        second = await log.reader(topic, "g")
        await until(lambda: 1 == len(first._consumer.assignment()), 10)
        await first.commit({0: 1, 1: 1})
        kept = dict(await log.committed(topic, "g"))
        assert 1 == len(kept)
        assert "another reader has the partitions" in caplog.text
        assert 1 == len(await drain(second, 1))

    async def test_a_member_that_was_put_out_loses_its_commit_and_reads_again(
        self, kafka: KafkaBroker, new_log: NewLog, caplog: pytest.LogCaptureFixture
    ) -> None:
        topic, log = await fresh_topic(kafka.bootstrap, 1), new_log()
        await log.append([entry(topic, "a")])
        reader = await log.reader(topic, "g")
        await drain(reader, 1)
        await put_out(kafka, "g", reader)
        await reader.commit({0: 1})
        assert {} == dict(await log.committed(topic, "g"))
        assert "the group has moved on" in caplog.text
        assert ["a"] == values(await drain(reader, 1))

    async def test_a_named_member_comes_back_to_its_partitions_without_a_rebalance(
        self, kafka: KafkaBroker, new_log: NewLog
    ) -> None:
        topic = await fresh_topic(kafka.bootstrap, 4)
        logs = [new_log(instance_id=name) for name in ("pod-0", "pod-1")]
        first, second = [await log.reader(topic, "g") for log in logs]
        await until(lambda: 2 == len(first._consumer.assignment()), 10)
        before = first._consumer.assignment(), second._consumer.assignment()
        await first.close()
        again = await logs[0].reader(topic, "g")
        assert before == (again._consumer.assignment(), second._consumer.assignment())


async def put_out(kafka: KafkaBroker, group: str, reader: KafkaReader) -> None:
    """Tell the coordinator, in the member's name, that it leaves."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    member = reader._consumer._coordinator.member_id
    await admin._send_request(LeaveGroupRequest(group, member), await admin.find_coordinator(group))
    await admin.close()


@pytest.mark.kafka
class TestOutage:
    """A broker that does not answer."""

    async def test_a_frozen_broker_is_unavailable_within_the_time_out_and_all_goes_on_afterwards(
        self, kafka: KafkaBroker, new_log: NewLog
    ) -> None:
        topic, log = await fresh_topic(kafka.bootstrap, 2), new_log(timeout_ms=1_000)
        await log.append([entry(topic, "before")])
        reader = await log.reader(topic, "g")
        await drain(reader, 1)
        kafka.freeze()
        try:
            for call in (
                lambda: log.append([entry(topic, "during"), entry(topic, "during", 1)]),
                lambda: reader.commit({0: 1}),
                lambda: log.span(topic),
                lambda: log.committed(topic, "g"),
            ):
                await assert_unavailable_within(call, PATIENCE_S)
        finally:
            kafka.thaw()
        await until(lambda: accepted(log, entry(topic, "after")), 15)
        await until(lambda: values_until_after(reader), 15)

    async def test_without_a_broker_it_can_be_made_and_says_unavailable(self) -> None:
        log = KafkaLog(f"127.0.0.1:{free_port()}", timeout_ms=500)
        for call in (
            lambda: log.append([entry("hits", "a")]),
            lambda: log.reader("hits", "g"),
            lambda: log.span("hits"),
        ):
            await assert_unavailable_within(call, PATIENCE_S)
        await log.close()

    async def test_a_topic_that_is_missing_is_named(self, new_log: NewLog) -> None:
        log = new_log()
        with pytest.raises(LogUnavailable, match="no topic never-made"):
            await log.append([entry("never-made", "a")])
        assert not await log.exists("never-made")


async def assert_unavailable_within(call: Callable[[], Awaitable[object]], seconds: float) -> None:
    started = time.monotonic()
    with pytest.raises(LogUnavailable, match="Kafka"):
        await call()
    assert time.monotonic() - started < seconds


async def values_until_after(reader: KafkaReader) -> bool:
    return "after" in values(await reader.fetch(200))


@pytest.mark.kafka
class TestOffsets:
    """Ends, beginnings and producers."""

    async def test_a_read_below_what_is_kept_starts_at_the_oldest(self, kafka: KafkaBroker, new_log: NewLog) -> None:
        topic, log = await fresh_topic(kafka.bootstrap, 1), new_log()
        await log.append([entry(topic, str(i)) for i in range(10)])
        await delete_before(kafka, topic, 6)
        assert {0: (6, 10)} == dict(await log.span(topic))
        assert ["6", "7", "8"] == values([record async for record in log.read(topic, 0, 0, 9)])

    async def test_what_kafka_deleted_before_it_was_read_is_counted(
        self, kafka: KafkaBroker, new_log: NewLog, caplog: pytest.LogCaptureFixture
    ) -> None:
        topic, log = await fresh_topic(kafka.bootstrap, 1), new_log()
        await log.append([entry(topic, str(i)) for i in range(10)])
        slow = await log.reader(topic, "g")
        await slow.commit({0: 2})
        await slow.close()
        await delete_before(kafka, topic, 6)
        late = await log.reader(topic, "g")
        assert ["6", "7", "8", "9"] == values(await drain(late, 4))
        assert 4 == late.lost
        assert "4 records were deleted before they were read" in caplog.text

    async def test_an_idempotent_producer_keeps_the_same_promises(self, kafka: KafkaBroker, new_log: NewLog) -> None:
        topic, log = await fresh_topic(kafka.bootstrap, 1), new_log(idempotent=True)
        assert [0, 1, 2] == list(await log.append([entry(topic, str(i)) for i in range(3)]))
        assert [3] == list(await log.append([entry(topic, "3")]))


async def delete_before(kafka: KafkaBroker, topic: str, offset: int) -> None:
    """As retention would."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(before_offset=offset)})
    await admin.close()
