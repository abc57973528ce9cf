"""The topics of Seamline as Kafka keeps them; it must not know what stands in them."""

from collections.abc import Sequence

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import LeaderNotAvailableError, TopicAlreadyExistsError, for_code

from pipeline.limits import DAY_MS, LOOKBACK_MS, PARTITIONS
from pipeline.log.kafka_client import KafkaConnection, admin_client, patiently, unavailable
from pipeline.log.kafka_security import NONE, Security
from pipeline.log.port import ERASURES, HITS, STITCH_STATE, STITCHED, LogUnavailable
from pipeline.log.retention import retention_ms

_COPIES = 3
_FOR_GOOD_MS = -1
_COPARTITIONED = (HITS, STITCHED, STITCH_STATE)


async def create_topics(
    bootstrap: str | Sequence[str],
    partitions: int = PARTITIONS,
    *,
    replication: int | None = None,
    lookback_ms: int = LOOKBACK_MS,
    security: Security = NONE,
    prefix: str = "",
) -> list[str]:
    """Make the topics that are missing; the names of those made by this call. Safe to run twice and by two processes.
    `prefix` stands before every name.

    `replication` defaults to three, or one a broker if there are fewer. Raises LogUnavailable with Kafka's reason, and
    ValueError if topics made by others cannot work: `hits`, `stitched` and `stitch-state` share their partitions.
    """
    connection = KafkaConnection(bootstrap=bootstrap, security=security, timeout_ms=15_000)
    retention = retention_ms(lookback_ms)
    async with admin_client(connection) as admin:
        with unavailable("creating topics"):
            copies = replication or min(_COPIES, len((await admin.describe_cluster())["brokers"]))
            wanted = [_topic(prefix + name, partitions, copies, kept_ms) for name, kept_ms in retention.items()]
            wanted.append(_topic(prefix + ERASURES, 1, copies, _FOR_GOOD_MS))
            response = await patiently(connection, lambda: admin.create_topics(wanted))
            created = [name for name, code, why in response.topic_errors if _is_new(name, code, why)]
            counts = await patiently(connection, lambda: _counts(admin, [prefix + name for name in retention]))
    if len({counts[prefix + name] for name in _COPARTITIONED}) > 1:
        raise ValueError(f"topics that must have as many partitions as each other: {counts}")
    return created


def _topic(name: str, partitions: int, copies: int, kept_ms: int) -> NewTopic:
    config = {
        "cleanup.policy": "delete",
        "retention.ms": str(kept_ms),
        # Kafka deletes whole segments, and never the one it writes: at most a day more than promised.
        "segment.ms": str(DAY_MS),
        # The log's time, not a host's: the clock of one ingest node decides neither retention nor what came first.
        "message.timestamp.type": "LogAppendTime",
        "min.insync.replicas": str(max(1, copies - 1)),
    }
    return NewTopic(name, partitions, copies, topic_configs=config)


def _is_new(name: str, code: int, why: str | None) -> bool:
    """aiokafka raises nothing: what went wrong with a topic stands in the answer."""
    if code == TopicAlreadyExistsError.errno:
        return False
    if code != 0:
        raise LogUnavailable(f"Kafka: topic {name} was not created: {why or for_code(code).__name__}")
    return True


async def _counts(admin: AIOKafkaAdminClient, names: list[str]) -> dict[str, int]:
    """Partitions a topic, once every one has a leader."""
    topics = await admin.describe_topics(names)
    parts = [part for topic in topics for part in topic["partitions"]]
    if any(topic["error_code"] for topic in topics) or any(part["leader"] < 0 for part in parts):
        raise LeaderNotAvailableError
    return {topic["topic"]: len(topic["partitions"]) for topic in topics}
