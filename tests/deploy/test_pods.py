"""The manifests at work on a real Kafka: their words, variables, files, probes and stop sequence."""

import itertools
import json
import threading
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from pipeline.questions import questions
from pipeline.settings import load_settings
from tests.deploy.manifests import Manifest
from tests.deploy.pods import Pod
from tests.support.clickhouse_front import start_front
from tests.support.deadline import wait_until
from tests.support.kafka_broker import KafkaBroker

SERVERS = ("StatefulSet/ingest", "StatefulSet/stitch", "Deployment/sink", "Deployment/report")
VISIBLE_WITHIN_S = 60
NOT_READY_WITHIN_S = 1.0
DEVICES = 200  # enough that every partition has some
ANONYMOUS = "SELECT device, count() FROM actions WHERE attribution = 'anonymous' GROUP BY device"


class Visitors:
    """Send one hit after another, each until somebody has it. `acknowledged`: the event IDs."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/v1/hits?key=web-page-key"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._wander, daemon=True)
        self.acknowledged: list[str] = []

    def start(self) -> None:
        """Look around, as nobody, from now on."""
        self._thread.start()

    def stop(self) -> None:
        """And no longer."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(35)

    def sign_in(self) -> None:
        """Every one of them, which explains all that was before."""
        for number in range(DEVICES):
            self._send(number, user_id=f"user-{number}")

    def _wander(self) -> None:
        for number in itertools.count():
            self._send(number % DEVICES)
            if self._stop.is_set():
                return

    def _send(self, number: int, **more: str) -> None:
        event_id = str(uuid.uuid4())
        hit = {"event_id": event_id, "anonymous_id": f"device-{number}", "type": "track", "name": "look", **more}
        wait_until(lambda: self._taken(hit), 30, "a hit is taken", pause_s=0.05)
        self.acknowledged.append(event_id)

    def _taken(self, hit: dict[str, str]) -> bool:
        headers = {"content-type": "application/json", "origin": "https://shop.example"}
        request = urllib.request.Request(self._url, json.dumps(hit).encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as reply:
                return bool(reply.status == 200)
        except urllib.error.HTTPError as error:
            assert error.code == 503, error.read()
            return False
        except OSError:
            return False


@pytest.fixture
def log_of_its_own(kafka: KafkaBroker) -> Iterator[KafkaBroker]:
    """`kafka` says whether there is one to be had; this one's topics are nobody else's."""
    broker = KafkaBroker()
    broker.start()
    yield broker
    broker.close()


class Cluster:
    """What the production overlay would run, and visitors; `here`: the settings that a laptop of its own needs."""

    def __init__(self, manifests: list[Manifest], folder: Path, here: dict[str, str]) -> None:
        self._manifests, self._folder, self.here = manifests, folder, here
        self.pods = {name: self.pod(name) for name in SERVERS}
        self.visitors = Visitors(self.pods["StatefulSet/ingest"].url)

    def pod(self, workload: str, ordinal: int = 0) -> Pod:
        """One more, not started; killed at the end by whoever asked."""
        return Pod(workload, self._manifests, self._folder, self.here, ordinal)

    def start(self) -> None:
        """Migrate, then everything, then visitors."""
        job = self.pod("Job/migrate")
        job.begin()
        assert job.end() == 0, job.said()
        for pod in self.pods.values():
            pod.start()
        self.visitors.start()

    def end(self) -> None:
        """Visitors and whatever runs."""
        self.visitors.stop()
        for pod in self.pods.values():
            pod.kill()

    def serves(self, hits: int) -> None:
        """Return when visitors got rid of so many more."""
        wanted = len(self.visitors.acknowledged) + hits
        wait_until(lambda: len(self.visitors.acknowledged) >= wanted, 60, "visitors are served")

    def ask(self, sql: str) -> list[list[Any]]:
        """Rows of the warehouse."""
        with questions(load_settings(self.here)) as ask:
            return ask(sql, {})[1]

    def arrived(self) -> None:
        """Return when as much is in the warehouse as is acknowledged now."""
        wanted = len(self.visitors.acknowledged)
        counted = "SELECT count() FROM actions"
        wait_until(lambda: self.ask(counted)[0][0] >= wanted, VISIBLE_WITHIN_S, "what was taken is visible", 0.5)

    def settled(self) -> None:
        """Return when everything acknowledged is in the warehouse, once, and nothing else."""
        expected = sorted(self.visitors.acknowledged)
        self.arrived()
        assert [row[0] for row in self.ask("SELECT event_id FROM actions ORDER BY event_id")] == expected


@pytest.fixture
def cleaning() -> Iterator[ExitStack]:
    """What has to be ended, last first."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def cluster(
    rendered: Callable[[str], list[Manifest]], log_of_its_own: KafkaBroker, tmp_path: Path, cleaning: ExitStack
) -> Cluster:
    """Running, with visitors."""
    front = start_front(tmp_path / "clickhouse")
    cleaning.callback(front.stop)
    here = {
        "SEAMLINE_LOG": f"kafka://{log_of_its_own.bootstrap}",
        "SEAMLINE_WAREHOUSE": front.url,
        "SEAMLINE_HOST": "127.0.0.1",
        "SEAMLINE_KAFKA_SECURITY_PROTOCOL": "PLAINTEXT",  # certificates are tried in e2e/test_kafka_security.py
        **{f"SEAMLINE_KAFKA_{file}_FILE": "" for file in ("CA", "CERTIFICATE", "KEY")},
        "SEAMLINE_WAREHOUSE_PASSWORD_FILE": "",  # the engine behind this front has a user without one
    }
    made = Cluster(rendered("production"), tmp_path, here)
    cleaning.callback(made.end)
    made.start()
    return made


@pytest.mark.kafka
@pytest.mark.slow
@pytest.mark.timeout(400)
def test_restarts_and_scaling_lose_nothing(cluster: Cluster) -> None:
    """Under load: every worker restarted, stitch from one to three and back. Each is not ready at once and gone within
    its grace; every acknowledged hit is in the warehouse once, and what was known of devices moved with them."""
    for name, pod in cluster.pods.items():
        code, unready_s = pod.terminate()
        assert (name, code) == (name, 0), pod.said()[-2000:]
        assert unready_s < NOT_READY_WITHIN_S, name
        pod.start()
        assert pod.live()
        cluster.serves(20)

    cluster.serves(DEVICES)
    more = [cluster.pod("StatefulSet/stitch", ordinal) for ordinal in (1, 2)]
    cluster.pods |= {pod.name: pod for pod in more}
    for pod in more:
        pod.start()
    cluster.serves(100)
    for pod in reversed(more):
        assert pod.terminate()[0] == 0, pod.said()[-2000:]
    cluster.serves(100)

    cluster.visitors.stop()
    cluster.visitors.sign_in()
    cluster.settled()
    wait_until(lambda: not cluster.ask(ANONYMOUS), VISIBLE_WITHIN_S, "a login explains what was before it")
    assert len(cluster.ask("SELECT DISTINCT person_id FROM actions")) == DEVICES
