"""Topics of a test's own on a broker that other tests share."""

import uuid
from collections.abc import Mapping

from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tests.support.deadline import until


async def fresh_topic(bootstrap: str, partitions: int, config: Mapping[str, str] | None = None) -> str:
    """The name of a new topic that every client can see. Raises AssertionError with the broker's reason."""
    name = f"t-{uuid.uuid4().hex[:12]}"
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=10_000)
    await admin.start()
    try:
        response = await admin.create_topics([NewTopic(name, partitions, 1, topic_configs=dict(config or {}))])
        assert [0] == [error[1] for error in response.topic_errors], response
        await until(lambda: _led(admin, name), 20, f"topic {name} has leaders")
    finally:
        await admin.close()
    return name


async def _led(admin: AIOKafkaAdminClient, name: str) -> bool:
    """Made is not yet known: brokers learn of a topic a moment after the controller."""
    topics = [topic for topic in await admin.describe_topics() if topic["topic"] == name]
    return bool(topics) and all(part["leader"] >= 0 for part in topics[0]["partitions"])
