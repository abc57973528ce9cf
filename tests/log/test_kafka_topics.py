"""The topics that `seamline migrate` makes, on a Kafka broker of their own, and that log across its restart."""

from collections.abc import AsyncIterator, Iterator

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from pipeline.limits import DAY_MS
from pipeline.log.kafka import KafkaLog, create_topics
from pipeline.log.port import DEAD_LETTERS, ERASURES, HITS, STITCH_STATE, STITCHED, TOPICS, LogUnavailable
from tests.log.contract import drain, entry, values
from tests.log.kafka_logs import NewLog, accepted, logs_of
from tests.support.deadline import until
from tests.support.kafka_broker import KafkaBroker

pytestmark = pytest.mark.kafka


@pytest.fixture
def own_kafka(kafka: KafkaBroker) -> Iterator[KafkaBroker]:
    """A second broker: these topics have fixed names. (`kafka` skips or fails where there is none.)"""
    broker = KafkaBroker()
    try:
        broker.start()
        yield broker
    finally:
        broker.close()


@pytest.fixture
async def new_log(own_kafka: KafkaBroker) -> AsyncIterator[NewLog]:
    async with logs_of(own_kafka) as new:
        yield new


async def test_the_topics_are_made_once_as_promised_and_the_log_survives_a_restart(
    own_kafka: KafkaBroker, new_log: NewLog
) -> None:
    """One story, because a broker costs seconds: refusal, creation, configuration, a kill, a mismatch."""
    where = own_kafka.bootstrap
    with pytest.raises(LogUnavailable, match=r"topic hits was not created: .*replication"):
        await create_topics(where, 4, replication=2)
    assert sorted([*TOPICS, ERASURES]) == sorted(await create_topics(where, 4, lookback_ms=30 * DAY_MS))
    assert [] == await create_topics([where], 4)
    await assert_configured(where)
    log = new_log()
    assert [4, 4, 4, 4, 4] == [await log.partitions(topic) for topic in TOPICS]
    await assert_records_outlive_a_kill(own_kafka, new_log(timeout_ms=2_000))
    await assert_a_mismatch_is_refused(where)


async def assert_configured(where: str) -> None:
    days = {HITS: 7, STITCHED: 7, DEAD_LETTERS: 14, STITCH_STATE: 3 * 30 + 10}
    for topic, kept in days.items():
        config = await configured(where, topic)
        assert ("delete", str(kept * DAY_MS)) == (config["cleanup.policy"], config["retention.ms"])
        assert ("LogAppendTime", "1") == (config["message.timestamp.type"], config["min.insync.replicas"])


async def configured(where: str, topic: str) -> dict[str, str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=where)
    await admin.start()
    (response,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    await admin.close()
    return {entry[0]: entry[1] for resource in response.resources for entry in resource[4]}


async def assert_records_outlive_a_kill(broker: KafkaBroker, log: KafkaLog) -> None:
    await log.append([entry(HITS, "a"), entry(HITS, "b")])
    broker.kill()
    with pytest.raises(LogUnavailable):
        await log.append([entry(HITS, "lost")])
    broker.start()

    await until(lambda: accepted(log, entry(HITS, "c")), 20)
    found = values(await drain(await log.reader(HITS, "g"), 3))
    assert (["a", "b"], "c") == (found[:2], found[-1])


async def assert_a_mismatch_is_refused(where: str) -> None:
    """A device's records would part: `hits` has four partitions, `stitch-state` would have three."""
    admin = AIOKafkaAdminClient(bootstrap_servers=where)
    await admin.start()
    await admin.delete_topics([STITCH_STATE])
    await admin.close()
    with pytest.raises(ValueError, match=r"as many partitions as each other: .*'stitch-state': 3"):
        await create_topics(where, 3)
