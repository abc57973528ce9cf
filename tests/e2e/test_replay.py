"""Another number of partitions: topics of another prefix are filled from those before; the rows stay what they are."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from pipeline.identity.policy import Policy
from pipeline.limits import OFFSET_BITS
from pipeline.log.kafka import KafkaLog
from pipeline.log.port import HITS
from tests.support.clickhouse_front import start_front
from tests.support.deadline import wait_until
from tests.support.deployment import Cluster, sites_file
from tests.support.generator import Sent, Shape, world
from tests.support.kafka_broker import KafkaBroker
from tests.support.oracle import oracle
from tests.support.sender import Sender

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(240)]
VISIBLE_S = 40
ROWS = "SELECT workspace, device, event_id, toString(stitched_person_id), attribution FROM actions ORDER BY ALL"
SENT = "SELECT workspace, device, day, event_id, ts, type, name, user_id, url, properties FROM actions ORDER BY ALL"


class Moved:
    """The same cluster before and after: four partitions, then six."""

    def __init__(self, folder: Path, broker: KafkaBroker, warehouse: str) -> None:
        self._broker = broker
        sites = sites_file(folder, ["shop0"])
        (folder / "old").mkdir()
        (folder / "new").mkdir()
        self.old = Cluster(folder / "old", broker.bootstrap, warehouse, sites, 4, SEAMLINE_TOPIC_PREFIX="four.")
        self.new = Cluster(folder / "new", broker.bootstrap, warehouse, sites, 6, SEAMLINE_TOPIC_PREFIX="six.")

    def replay(self) -> subprocess.CompletedProcess[str]:
        """As an operator does it."""
        return self.new.seamline("replay", "--from", "four.")

    def end(self, topic: str, prefix: str) -> int:
        """Records that were ever on the topic."""
        return sum(end for _, end in asyncio.run(self._spans(topic, prefix)).values())

    async def _spans(self, topic: str, prefix: str) -> Mapping[int, tuple[int, int]]:
        log = KafkaLog(self._broker.bootstrap, prefix=prefix)
        try:
            return await log.span(topic) if await log.exists(topic) else {}
        finally:
            await log.close()

    def forget_hits(self) -> None:
        """As retention does with what is a week old."""
        asyncio.run(self._delete())

    async def _delete(self) -> None:
        ends = await self._spans(HITS, "four.")
        admin = AIOKafkaAdminClient(bootstrap_servers=self._broker.bootstrap, request_timeout_ms=10_000)
        await admin.start()
        try:
            upto = {
                TopicPartition(f"four.{HITS}", p): RecordsToDelete(before_offset=end) for p, (_, end) in ends.items()
            }
            await admin.delete_records(upto)
        finally:
            await admin.close()


@pytest.fixture
def moved(kafka: KafkaBroker, tmp_path: Path) -> Iterator[Moved]:
    """Before anything is moved: the old cluster runs."""
    front = start_front(tmp_path / "clickhouse")
    made = Moved(tmp_path, kafka, front.url)
    try:
        made.old.start()
        yield made
    finally:
        made.old.stop()
        made.new.stop()
        front.stop()


def persons(hits: list[Sent]) -> list[list[Any]]:
    """What the rows of these hits have to be."""
    return sorted([*key, *answer] for key, answer in oracle((hit.head() for hit in hits), Policy()).items())


def shows(cluster: Cluster, hits: list[Sent]) -> None:
    """Wait for them."""
    expected = persons(hits)
    wait_until(lambda: cluster.query(ROWS) == expected, VISIBLE_S, "every row is as it has to be")


def test_four_partitions_become_six(moved: Moved) -> None:
    """Who signed in before the oldest hit is still known; hits that nobody stitched come along; a replay that is
    killed is done again; the old workers are not let back; rows and persons are those of a cluster that never moved."""
    hits = world(93, Shape(hits=600, devices=25, days=20, late_days=6, workspaces=1)).hits
    sender = Sender(moved.old.url)
    sender.send(hits[:300])
    shows(moved.old, hits[:300])
    moved.forget_hits()
    sender.send(hits[300:400])
    shows(moved.old, hits[:400])
    before = moved.old.query(SENT)
    assert moved.old.stop_stage("stitch") == 0
    sender.send(hits[400:500])

    refused = moved.new.seamline("migrate"), moved.new.seamline("stitch")
    assert [0, 1] == [done.returncode for done in refused]
    assert "no log epoch of these topics yet: `seamline replay` fills them" in refused[1].stderr
    killed = subprocess.Popen(
        [sys.executable, "-m", "pipeline.cli", "replay", "--from", "four."],
        env={**moved.new.environ, "PATH": ""},
        cwd=Path(__file__).parents[2],
    )
    wait_until(lambda: moved.end(HITS, "six.") or killed.poll() is not None, 20, "the first hits are moved")
    killed.kill()
    killed.wait()
    assert moved.replay().returncode == 0
    assert moved.old.query(SENT) == before

    moved.old.stop_stage("sink")
    sender.send(hits[500:550])
    moved.old.stop_stage("ingest")
    moved.new.start()
    done = moved.replay()
    assert (0, True) == (done.returncode, "hits: 0" not in done.stdout), done.stderr
    Sender(moved.new.url).send(hits[550:])
    shows(moved.new, hits)
    assert {str(row) for row in before} <= {str(row) for row in moved.new.query(SENT)}

    epochs = moved.new.query(f"SELECT DISTINCT intDiv(version, {2**OFFSET_BITS}) AS epoch FROM actions ORDER BY epoch")
    assert [[1], [2]] == epochs
    audit = moved.new.seamline("audit")
    assert audit.returncode == 0, audit.stdout
    back = moved.old.seamline("stitch")
    assert 2 == back.returncode
    assert "hits of the topics six.… are stitched: set SEAMLINE_TOPIC_PREFIX=six." in back.stdout + back.stderr
