"""The Job that empties a left-over spool, as its manifest starts it: everything reaches the log, and it ends."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from pipeline.ingest.spool import Spool
from pipeline.limits import MIB
from pipeline.log.kafka import KafkaLog, create_topics
from pipeline.log.port import HITS, Append
from tests.deploy.manifests import KUBERNETES, pod_template
from tests.support.kafka_broker import free_port
from tests.support.lacking import may_lack
from tests.support.tansu_broker import TansuBroker, TansuMissing

MANIFEST = KUBERNETES / "base" / "drain.yaml"
SPOOLED = [Append(HITS, number % 4, b"hit %d" % number, {}) for number in range(100)]


@pytest.fixture
def broker_of_its_own() -> Iterator[TansuBroker]:
    """`hits` is everybody's name for it: a shared broker would mix this test's with others'."""
    broker = TansuBroker()
    try:
        with may_lack(TansuMissing):
            broker.start()
        yield broker
    finally:
        broker.close()


def start(folder: Path, bootstrap: str, *more: str) -> subprocess.Popen[str]:
    """The container's words with its environment, and `more` words."""
    (job,) = [found for found in yaml.safe_load_all(MANIFEST.read_text()) if found["kind"] == "CronJob"]
    (container,) = pod_template(job)["spec"]["containers"]
    settings = {
        "SEAMLINE_DATA": str(folder),
        "SEAMLINE_SPOOL": str(folder / "spool"),
        "SEAMLINE_LOG": f"kafka://{bootstrap}",
    }
    command = [sys.executable, "-m", "pipeline.cli", *container["args"], *more]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env={**os.environ, **settings}, stdout=pipe, stderr=pipe, text=True)


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
    said, errors = job.communicate(timeout=60)

    assert job.returncode == 0, errors
    assert said == "drained: 100 records; waiting: 0; could not be read, kept: 0\n"
    assert waiting(tmp_path) == 0
    log = KafkaLog(broker_of_its_own.bootstrap)
    # This broker says that a log ends where its last batch begins: one more batch, and the end is past what was sent.
    await log.append([Append(HITS, partition, b"end", {}) for partition in range(4)])
    for partition in range(4):
        sent = [append.value for append in SPOOLED if append.partition == partition]
        assert [record.value async for record in log.read(HITS, partition, 0, len(sent))] == sent
    await log.close()


def test_nothing_is_lost_where_there_is_no_log(tmp_path: Path) -> None:
    """The Job gives up and says so, and the spool is as it was."""
    left_behind(tmp_path)

    job = start(tmp_path, f"127.0.0.1:{free_port()}", "--patience", "1")
    said, _ = job.communicate(timeout=60)

    assert (job.returncode, said) == (1, "drained: 0 records; waiting: 100; could not be read, kept: 0\n")
    assert waiting(tmp_path) == len(SPOOLED)


def test_a_folder_without_a_spool_or_with_somebody_in_it_is_refused(tmp_path: Path) -> None:
    """A wrong claim is not taken for one that is empty; what an ingest works on is its own."""
    nowhere = start(tmp_path, "127.0.0.1:1")
    assert f"SEAMLINE_SPOOL: {tmp_path}/spool: no spool is there" in nowhere.communicate(timeout=30)[1]
    spool = Spool(tmp_path / "spool", MIB)
    try:
        locked = start(tmp_path, "127.0.0.1:1")
        said = locked.communicate(timeout=30)[1]
    finally:
        spool.close()

    assert [1, 1] == [nowhere.returncode, locked.returncode]
    assert said.startswith("SEAMLINE_SPOOL: ")
