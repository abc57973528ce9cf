"""Stitch workers on a real Kafka of their own: fresh topics a test, processes started, frozen and killed at will."""

import re
import signal
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from pipeline.log.kafka import KafkaLog
from pipeline.log.port import HITS, STITCHED, TOPICS, Append, LogUnavailable, Record
from tests.stitch.worker_main import Plan
from tests.stitch.worker_parts import answers_in
from tests.support.deadline import until
from tests.support.kafka_broker import KafkaBroker
from tests.support.kafka_jars import KafkaMissing
from tests.support.lacking import may_lack
from tests.support.oracle import Answer, RowKey

PARTITIONS = 4
READY_S = 30
_ROOT = Path(__file__).parents[2]


class Worker:
    """One process. `log`: what it printed."""

    def __init__(self, plan: Plan, log: Path) -> None:
        self.log = log
        with log.open("ab") as out:
            command = [sys.executable, "-m", "tests.stitch.worker_main", msgspec.json.encode(plan).decode()]
            self.process = subprocess.Popen(command, cwd=_ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=out)

    def said(self, pattern: str) -> list[str]:
        """Every match in what it printed."""
        return re.findall(pattern, self.log.read_text(errors="replace"))

    async def health(self, page: str = "ready") -> httpx.Response | None:
        """The page's answer; None while nobody listens."""
        url = self.said(r"health on (http://\S+)/health/ready")
        if not url:
            return None
        try:
            async with httpx.AsyncClient() as client:
                return await client.get(f"{url[-1]}/health/{page}", timeout=2)
        except httpx.TransportError:
            return None

    async def report(self) -> dict[str, Any]:
        """What the health pages show; empty while nobody listens."""
        answer = await self.health()
        return answer.json() if answer is not None else {}

    async def ready(self) -> None:
        """Wait until it stitches."""

        async def is_ready() -> bool:
            assert self.process.poll() is None, self.log.read_text()[-3000:]
            answer = await self.health()
            return answer is not None and answer.status_code == 200

        await until(is_ready, READY_S, "the worker is ready")

    async def ended(self, within_s: float = 15) -> int:
        """Its exit code."""
        await until(lambda: self.process.poll() is not None, within_s, "the worker ends")
        return self.process.returncode

    def send(self, how: signal.Signals) -> None:
        """A signal."""
        self.process.send_signal(how)

    def close(self) -> None:
        """Kill it, frozen or not."""
        self.process.kill()
        self.process.wait(timeout=10)


class StitchKafka:
    """Fresh topics and a group for one test."""

    def __init__(self, broker: KafkaBroker, folder: Path) -> None:
        self.broker = broker
        self.log = KafkaLog(broker.bootstrap, timeout_ms=10_000)
        self.group = f"stitch-{uuid.uuid4().hex[:8]}"
        self._folder = folder
        self._workers: list[Worker] = []

    def worker(self, name: str = "one", **plan: Any) -> Worker:
        """Start a process; the same name is the same folder."""
        folder = self._folder / name
        folder.mkdir(exist_ok=True)
        made = Plan(self.broker.bootstrap, str(folder), self.group, **plan)
        self._workers.append(Worker(made, self._folder / f"{name}-{len(self._workers)}.log"))
        return self._workers[-1]

    async def topics_known(self) -> bool:
        """Whether topics that were just made are there for everybody."""
        try:
            return all([await self.log.partitions(topic) == PARTITIONS for topic in TOPICS])
        except LogUnavailable:
            return False

    async def send(self, appends: Sequence[Append]) -> None:
        """Hits, acknowledged."""
        for start in range(0, len(appends), 20):
            await self.log.append(appends[start : start + 20])

    async def tombstone(self, partition: int) -> None:
        """A record of `hits` with a key and nothing else."""
        producer = AIOKafkaProducer(bootstrap_servers=self.broker.bootstrap)
        await producer.start()
        try:
            await producer.send_and_wait(HITS, None, key=b"erased", partition=partition)
        finally:
            await producer.stop()

    async def committed(self) -> dict[int, int]:
        """The group's positions."""
        return dict(await self.log.committed(HITS, self.group))

    async def ends(self) -> dict[int, int]:
        """Where hits end, for partitions that have any."""
        return {number: end for number, (_, end) in (await self.log.span(HITS)).items() if end}

    async def caught_up(self) -> bool:
        """Whether every hit's position is stored."""
        return await self.committed() == await self.ends()

    async def settled(self, within_s: float = 40) -> None:
        """Wait until then."""
        await until(self.caught_up, within_s, "every hit's position is stored")

    async def records(self, topic: str) -> list[Record]:
        """Every record of a topic, by partition and in order."""
        spans = await self.log.span(topic)
        return [r for number, (first, end) in spans.items() async for r in self.log.read(topic, number, first, end)]

    async def answers(self) -> dict[RowKey, Answer]:
        """What a table shows in the end."""
        return answers_in(await self.records(STITCHED))

    async def close(self) -> None:
        """End what was started."""
        for worker in self._workers:
            worker.close()
        await self.log.close()


async def fresh_topics(bootstrap: str, topics: Sequence[str] = TOPICS, partitions: int = PARTITIONS) -> None:
    """Delete and make them again; deleting takes the broker a moment."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=10_000)
    await admin.start()
    missing = set(topics)

    async def made() -> bool:
        response = await admin.create_topics([NewTopic(topic, partitions, 1) for topic in missing])
        missing.difference_update(name for name, code, _ in response.topic_errors if code == 0)
        return not missing

    async def led() -> bool:
        described = await admin.describe_topics(list(topics))
        return all(not t["error_code"] and len(t["partitions"]) == partitions for t in described)

    try:
        if old := set(topics) & set(await admin.list_topics()):
            await admin.delete_topics(list(old))
        await until(made, 20, "the topics are made")
        await until(led, 20, "the topics have leaders")
    finally:
        await admin.close()


async def delete_topic(bootstrap: str, topic: str) -> None:
    """And wait until it is gone."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=10_000)
    await admin.start()
    try:
        await admin.delete_topics([topic])

        async def gone() -> bool:
            return topic not in await admin.list_topics()

        await until(gone, 20, "the topic is gone")
    finally:
        await admin.close()


@cache
def _broker() -> KafkaBroker:
    broker = KafkaBroker()
    broker.start()
    return broker


@pytest.fixture(scope="session")
def stitch_broker() -> Iterator[KafkaBroker]:
    """One broker for every suite of workers, beside the shared one: the topics of the pipeline have fixed names.

    Each suite has this fixture in its conftest; all of them end when the session does.
    """
    with may_lack(KafkaMissing):
        broker = _broker()
    yield broker
    broker.close()


@pytest.fixture
async def kafka(stitch_broker: KafkaBroker, tmp_path: Path) -> AsyncIterator[StitchKafka]:
    """Empty topics and a group of this test's own."""
    await fresh_topics(stitch_broker.bootstrap)
    made = StitchKafka(stitch_broker, tmp_path)
    try:
        await until(made.topics_known, 20, "the log knows the topics")
        yield made
    finally:
        await made.close()
