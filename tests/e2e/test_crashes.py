"""kill -9 under load: nothing acknowledged is lost, nothing is doubled, everybody's person is right."""

import threading
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest

from tests.support.deadline import wait_until
from tests.support.deployment import Cluster, Deployment, Embedded, sites_file
from tests.support.generator import Sent, Shape, world
from tests.support.ledger import NONE, differences, in_workspaces
from tests.support.sender import Sender

KILLS = 20
SHAPE = Shape(hits=12_000, devices=300, days=20, late_days=5)
SEED = 404


def _under_load(deployment: Deployment, hits: Sequence[Sent], victims: Sequence[str]) -> Sender:
    """Send everything while the victims are killed, one after the other, at random points of the load."""
    sender = Sender(deployment.url)
    failure: list[BaseException] = []

    def send() -> None:
        try:
            sender.send(hits, per_request=20)
        except BaseException as error:
            failure.append(error)

    load = threading.Thread(target=send)
    load.start()
    rng = Random(SEED)
    for number, victim in enumerate(victims):
        reached = int(len(hits) * (number + rng.random()) / len(victims) * 0.9)
        wait_until(lambda reached=reached: len(sender.acknowledged) >= reached or failure, 120)  # type: ignore[misc]
        deployment.kill(victim)
        deployment.start_stage(victim)
    load.join(120)
    assert failure == []
    assert not load.is_alive()
    return sender


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_up_killed_twenty_times_under_load(tmp_path: Path) -> None:
    """`seamline up` dies wherever it stands, and starts again on the same directory."""
    deployment = Embedded(tmp_path, sites_file(tmp_path, [f"crash{n}" for n in range(3)]))
    deployment.start()
    try:
        hits = in_workspaces(world(SEED, SHAPE).hits, "crash")
        sender = _under_load(deployment, hits, ["up"] * KILLS)

        assert len(hits) == len(sender.acknowledged)
        assert NONE == differences(deployment, hits)
        assert 0 == deployment.stop_stage("up")
        assert NONE == differences(deployment, hits)
    finally:
        deployment.stop()


@pytest.mark.slow
@pytest.mark.kafka
@pytest.mark.timeout(400)
def test_worker_and_sink_killed_under_load(cluster: Cluster) -> None:
    """A Faust worker and a sink die in turns on real Kafka; whoever takes over repeats, and changes nothing."""
    hits = in_workspaces(world(SEED, SHAPE).hits, "crash")
    sender = _under_load(cluster, hits, ["stitch", "sink"] * (KILLS // 4))

    assert len(hits) == len(sender.acknowledged)
    assert NONE == differences(cluster, hits)
