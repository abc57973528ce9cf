"""The brokers that several suites share, started once for the whole run; `SEAMLINE_TEST_REQUIRE=1` demands Kafka."""

import os
from collections.abc import Iterator

import pytest

from tests.support.kafka_broker import KafkaBroker
from tests.support.kafka_jars import KafkaMissing
from tests.support.lacking import may_lack
from tests.support.tansu_broker import TansuBroker, TansuMissing


@pytest.fixture(scope="session")
def kafka() -> Iterator[KafkaBroker]:
    """A real Apache Kafka broker, shared: use topics and groups of your own, and thaw what you froze."""
    broker = KafkaBroker()
    try:
        with may_lack(KafkaMissing):
            broker.start()
        yield broker
    finally:
        broker.close()


@pytest.fixture(scope="session")
def broker(request: pytest.FixtureRequest) -> Iterator[KafkaBroker | TansuBroker]:
    """Kafka; where it cannot be had, Tansu (`exact_offsets` tells them apart). SEAMLINE_TEST_BROKER=tansu forces it."""
    if os.environ.get("SEAMLINE_TEST_BROKER") != "tansu":
        try:
            yield request.getfixturevalue("kafka")
            return
        except pytest.skip.Exception as skipped:
            without_kafka = str(skipped)
    else:
        without_kafka = "SEAMLINE_TEST_BROKER=tansu"
    tansu = TansuBroker()
    try:
        tansu.start()
        yield tansu
    except TansuMissing as missing:
        pytest.skip(f"{without_kafka}; {missing}")
    finally:
        tansu.close()
