"""A Kafka that lets nobody in without TLS: every client shows who it is, and checks whom it speaks to."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.log.kafka import KafkaLog, create_topics
from pipeline.log.kafka_security import Security
from pipeline.log.port import HITS, Append, LogUnavailable
from tests.support.certificates import Authority
from tests.support.clickhouse_front import start_front
from tests.support.deadline import until, wait_until
from tests.support.deployment import Cluster, sites_file
from tests.support.generator import Shape, world
from tests.support.kafka_jars import KafkaMissing
from tests.support.kafka_secure import PASSWORD, USER, SecureKafkaBroker
from tests.support.lacking import may_lack
from tests.support.sender import Sender
from tests.support.topics import fresh_topic

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(180)]
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")


@pytest.fixture(scope="module")
def secure() -> Iterator[SecureKafkaBroker]:
    """One broker for the module."""
    broker = SecureKafkaBroker()
    try:
        with may_lack(KafkaMissing):
            broker.start()
        yield broker
    finally:
        broker.close()


def by_password(broker: SecureKafkaBroker, **other: Any) -> Security:
    """As USER, by the strongest mechanism."""
    given = {"mechanism": MECHANISMS[-1], "user": USER, "password": PASSWORD, "ca": broker.authority.file}
    return Security(**({"protocol": "SASL_SSL"} | given | other))


@pytest.mark.slow
def test_a_whole_cluster_behind_tls_and_a_password(secure: SecureKafkaBroker, tmp_path: Path) -> None:
    """Topics are made, hits taken, stitched by Faust, stored, aliases said and marks drawn: all by the one door."""
    password = tmp_path / "password"
    password.write_text(f"{PASSWORD}\n")
    front = start_front(tmp_path / "clickhouse")
    cluster = Cluster(
        tmp_path,
        secure.sasl,
        front.url,
        sites_file(tmp_path, ["shop0"]),
        SEAMLINE_KAFKA_SECURITY_PROTOCOL="sasl_ssl",
        SEAMLINE_KAFKA_CA_FILE=str(secure.authority.file),
        SEAMLINE_KAFKA_USER=USER,
        SEAMLINE_KAFKA_PASSWORD_FILE=str(password),
    )
    try:
        cluster.start()
        hits = world(91, Shape(hits=200, devices=10, days=3, workspaces=1)).hits
        Sender(cluster.url).send(hits)
        sent = len({hit.event_id for hit in hits})
        wait_until(lambda: cluster.query("SELECT count() FROM actions")[0] == [sent], 30, "every hit is a row")
        done = cluster.seamline("restitch")
        assert (0, "") == (done.returncode, done.stderr)
        assert PASSWORD not in "".join(cluster.stage(name).said() for name in cluster.stages)
    finally:
        cluster.stop()
        front.stop()


@pytest.mark.parametrize("mechanism", MECHANISMS)
async def test_every_mechanism_opens_the_door(secure: SecureKafkaBroker, mechanism: str) -> None:
    """To the admin client, the producer, a group's reader and a reader without one."""
    await passes(secure.sasl, by_password(secure, mechanism=mechanism), await fresh_topic(secure.bootstrap, 4))


async def test_a_certificate_opens_the_other_door(secure: SecureKafkaBroker) -> None:
    """Mutual TLS, without a password."""
    certificate, key = secure.authority.issue("worker")
    security = Security(protocol="SSL", ca=secure.authority.file, certificate=certificate, key=key)
    await passes(secure.mutual, security, await fresh_topic(secure.bootstrap, 4))


async def passes(bootstrap: str, security: Security, topic: str) -> None:
    """Every kind of client there is, but Faust's."""
    await create_topics(bootstrap, 4, security=security)
    group = f"reader-{topic}"
    log = KafkaLog(bootstrap, security=security)
    try:
        offsets = await log.append([Append(topic, 3, b"{}", {"schema": "hit/1"})])
        read = [record.offset async for record in log.read(topic, 3, offsets[0], offsets[0] + 1)]
        reader = await log.reader(topic, group)
        got = await until(lambda: reader.fetch(200), 20, "the group's reader has it")
        await reader.commit({3: got[-1].offset + 1})
        assert (read, got[-1].value) == (list(offsets), b"{}")
        assert {3: got[-1].offset + 1} == await log.committed(topic, group)
    finally:
        await log.close()


async def test_whoever_cannot_show_who_they_are_is_told_so(
    secure: SecureKafkaBroker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A wrong password, no certificate, no TLS at all; and a broker whom a stranger signed for is not spoken to."""
    stranger = Authority(tmp_path, "stranger")
    doors = {
        "wrong password": (secure.sasl, by_password(secure, password="wrong"), "invalid credentials"),
        "no TLS": (secure.sasl, Security(), "closed"),
        "no certificate": (secure.mutual, Security(protocol="SSL", ca=secure.authority.file), "closed"),
        "a stranger": (secure.sasl, by_password(secure, ca=stranger.file), "CERTIFICATE_VERIFY_FAILED"),
    }
    for name, (door, security, why) in doors.items():
        caplog.clear()
        log = KafkaLog(door, security=security, timeout_ms=2_000)
        with pytest.raises(LogUnavailable):
            await log.exists(HITS)
        assert why in caplog.text, name
        assert PASSWORD not in caplog.text + repr(security), name
