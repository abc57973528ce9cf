"""One deployment of each kind for the whole suite: `seamline up`, and every stage alone on Kafka and ClickHouse."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.clickhouse_front import start_front
from tests.support.deployment import Cluster, Deployment, Embedded, sites_file
from tests.support.kafka_broker import KafkaBroker

WORKSPACES = [
    *(f"{world}{n}" for world in ("shop", "crash", "tail", "queried") for n in range(3)),
    "golden",
    "books",
    "joined",
    "gone",
]


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    """`seamline up`."""
    folder = tmp_path_factory.mktemp("embedded")
    deployment = Embedded(folder, sites_file(folder, WORKSPACES))
    deployment.start()
    yield deployment
    deployment.stop()


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory, kafka: KafkaBroker) -> Iterator[Cluster]:
    """Migrate, ingest, stitch (Faust), sink: on a real broker and the ClickHouse HTTP front."""
    folder: Path = tmp_path_factory.mktemp("cluster")
    front = start_front(folder / "clickhouse")
    deployment = Cluster(folder, kafka.bootstrap, front.url, sites_file(folder, WORKSPACES))
    deployment.start()
    yield deployment
    deployment.stop()
    front.stop()


@pytest.fixture(params=["embedded", pytest.param("cluster", marks=pytest.mark.kafka)])
def deployment(request: pytest.FixtureRequest) -> Deployment:
    """Every test of this suite runs on both."""
    chosen: Deployment = request.getfixturevalue(request.param)
    return chosen
