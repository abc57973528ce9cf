"""Topics of a test's own on a broker that other tests share."""

import uuid
from collections.abc import Mapping

from aiokafka.admin import AIOKafkaAdminClient, NewTopic


async def fresh_topic(bootstrap: str, partitions: int, config: Mapping[str, str] | None = None) -> str:
    """The name of a new topic. Raises AssertionError with the broker's reason."""
    name = f"t-{uuid.uuid4().hex[:12]}"
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=10_000)
    await admin.start()
    try:
        response = await admin.create_topics([NewTopic(name, partitions, 1, topic_configs=dict(config or {}))])
        assert [0] == [error[1] for error in response.topic_errors], response
    finally:
        await admin.close()
    return name
