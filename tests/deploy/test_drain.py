"""The Job that empties a left-over spool, as its manifest starts it: everything reaches the log, and it ends."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.ingest.spool import Spool
from pipeline.limits import MIB
from pipeline.log.kafka import KafkaLog, create_topics
from pipeline.log.port import HITS, Append
from tests.deploy.manifests import KUBERNETES
from tests.support.deadline import wait_until
from tests.support.kafka_broker import free_port
from tests.support.tansu_broker import TansuBroker, TansuMissing

SCRIPT = KUBERNETES / "base" / "drain_spool.py"
SPOOLED = [Append(HITS, number % 4, b"hit %d" % number, {}) for number in range(100)]


@pytest.fixture
def broker_of_its_own() -> Iterator[TansuBroker]:
    """`hits` is everybody's name for it: a shared broker would mix this test's with others'."""
    broker = TansuBroker()
    try:
        broker.start()
        yield broker
    except TansuMissing as missing:
        if os.environ.get("SEAMLINE_TEST_REQUIRE") == "1":
            raise
        pytest.skip(str(missing))
    finally:
        broker.close()


def start(folder: Path, bootstrap: str) -> subprocess.Popen[str]:
    """The container's command with its environment."""
    settings = {
        "SEAMLINE_DATA": str(folder),
        "SEAMLINE_SPOOL": str(folder / "spool"),
        "SEAMLINE_LOG": f"kafka://{bootstrap}",
        "SEAMLINE_HOST": "127.0.0.1",
        "SEAMLINE_PORT": str(free_port()),
    }
    command = [sys.executable, str(SCRIPT), sys.executable, "-m", "pipeline.cli", "ingest"]
    return subprocess.Popen(command, env={**os.environ, **settings}, stderr=subprocess.PIPE, text=True)


def left_behind(folder: Path) -> None:
    """A spool as a pod that is gone left it."""
    spool = Spool(folder / "spool", MIB)
    assert spool.put(SPOOLED)
    spool.close()


def waiting(folder: Path) -> int:
    """How many records are still on the claim."""
    spool = Spool(folder / "spool", MIB)
    try:
        return spool.count
    finally:
        spool.close()


async def test_a_left_over_spool_reaches_the_log(broker_of_its_own: TansuBroker, tmp_path: Path) -> None:
    """Every record once, in its partition and order; the Job ends with 0 and nothing waits."""
    left_behind(tmp_path)
    await create_topics(broker_of_its_own.bootstrap, 4)

    job = start(tmp_path, broker_of_its_own.bootstrap)
    _, errors = job.communicate(timeout=60)

    assert job.returncode == 0, errors
    assert waiting(tmp_path) == 0
    log = KafkaLog(broker_of_its_own.bootstrap)
    # This broker says that a log ends where its last batch begins: one more batch, and the end is past what was sent.
    await log.append([Append(HITS, partition, b"end", {}) for partition in range(4)])
    for partition in range(4):
        sent = [append.value for append in SPOOLED if append.partition == partition]
        assert [record.value async for record in log.read(HITS, partition, 0, len(sent))] == sent
    await log.close()


def test_nothing_is_lost_where_there_is_no_log(tmp_path: Path) -> None:
    """The Job does not end well, and the spool is as it was."""
    left_behind(tmp_path)

    job = start(tmp_path, f"127.0.0.1:{free_port()}")
    try:
        wait_until(lambda: job.poll() is not None, 60, "ingest gives up, and the Job with it")
        assert job.returncode != 0
    finally:
        job.kill()
        job.communicate()

    assert waiting(tmp_path) == len(SPOOLED)
