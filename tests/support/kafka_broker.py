"""A real Apache Kafka broker in one JVM on loopback: KRaft, own data folder, frozen and thawed at will."""

import re
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.deadline import wait_until
from tests.support.kafka_jars import CACHE, cache_lock, fetched_jars

_CLUSTER_ID = "c2VhbWxpbmUtdGVzdHMtMQ"
_START_S_MAX = 60
_ATTEMPTS = 3  # a free port may be taken by somebody else before the JVM binds it

_CONFIG = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
    "auto.create.topics.enable": "false",
    "num.partitions": "1",
    "offsets.topic.num.partitions": "1",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "500",
    "broker.heartbeat.interval.ms": "500",
    "broker.session.timeout.ms": "120000",  # a frozen broker must not be fenced by its own controller when it wakes
    "log.index.size.max.bytes": "1048576",
    "num.network.threads": "2",
    "num.io.threads": "4",
}
# The controller keeps a killed broker's place until its session is over; until then a new one may not register.
_AFTER_KILL = {"broker.session.timeout.ms": "2000"}


class KafkaBroker:
    """One broker. `start` again after `stop` or `kill` keeps the address and the data; `close` removes the data.

    On Linux the JVM dies with the thread that called `start`, so a killed test run leaves none behind.
    """

    exact_offsets = True  # positions and ends are true here; on Tansu they are not
    format_words: Sequence[str] = ()  # what else the data folder is formatted with; some make it one of its own

    def __init__(self, config: Mapping[str, str] | None = None, heap_mb: int = 384) -> None:
        self._home = Path(tempfile.mkdtemp(prefix="seamline-kafka-"))
        self._config = {**_CONFIG, **(config or {})}
        self._after_kill: Mapping[str, str] = {}
        self._heap_mb = heap_mb
        self._ports: tuple[int, int] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap(self) -> str:
        """`127.0.0.1:port`."""
        assert self._ports, "the broker was never started"
        return f"127.0.0.1:{self._ports[0]}"

    @property
    def log(self) -> Path:
        """What the JVM printed, for a test that wants to see why."""
        return self._home / "broker.log"

    def start(self) -> None:
        """Ready to serve when it returns. Raises KafkaMissing, or RuntimeError with the end of the broker's log."""
        jars = fetched_jars()
        if not (self._home / "data").exists():
            if self.format_words:
                _format(jars, self._home / "data", self.format_words)
            else:
                shutil.copytree(_formatted(jars), self._home / "data")
        for attempt in range(1, _ATTEMPTS + 1):
            ports = self._ports or (free_port(), free_port())
            if self._run(jars, ports):
                self._ports = ports
                return
            if attempt == _ATTEMPTS or self._ports:
                raise RuntimeError(f"Kafka did not start: {self.log.read_text()[-3000:]}")

    def _run(self, jars: Path, ports: tuple[int, int]) -> bool:
        properties = self._home / "server.properties"
        place = {**self.listeners(ports), "log.dirs": str(self._home / "data")}
        properties.write_text(_properties({**self._config, **self._after_kill, **place}))
        with self.log.open("wb") as log:
            command = [*_die_with_us(), *_java(jars, self._heap_mb), "kafka.Kafka", str(properties)]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        process = self._process
        wait_until(lambda: process.poll() is not None or self._said_ready(), _START_S_MAX, "Kafka starts")
        return process.poll() is None

    def listeners(self, ports: tuple[int, int]) -> dict[str, str]:
        """Where it answers; `ports` of the broker and of its controller."""
        return _listeners(ports)

    def _said_ready(self) -> bool:
        return "Kafka Server started" in self.log.read_text(errors="replace")

    def stop(self) -> None:
        """A clean shutdown; the data stay."""
        self._after_kill = {}
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """kill -9; the data stay."""
        self._after_kill = _AFTER_KILL
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGCONT)
            process.send_signal(how)
            process.wait(timeout=30)

    def freeze(self) -> None:
        """SIGSTOP: connections stay open and nothing answers."""
        assert self._process, "not running"
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        assert self._process, "not running"
        self._process.send_signal(signal.SIGCONT)

    def memory_mb(self) -> int:
        """Resident memory of the JVM (Linux)."""
        assert self._process, "not running"
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0]) // 1024

    def close(self) -> None:
        """Kill it and remove its data."""
        self.kill()
        shutil.rmtree(self._home, ignore_errors=True)


def free_port() -> int:
    """A loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _formatted(jars: Path) -> Path:
    """An empty formatted data folder, made once: it holds no port and no path, and a JVM start is saved each time."""
    formatted = CACHE / "formatted"
    with cache_lock():
        if not formatted.exists():
            with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
                _format(jars, Path(scratch) / "data")
                (Path(scratch) / "data").rename(formatted)
    return formatted


def _format(jars: Path, data: Path, words: Sequence[str] = ()) -> None:
    properties = data.with_name("format.properties")
    properties.write_text(_properties({**_CONFIG, **_listeners((1024, 1025)), "log.dirs": str(data)}))
    tool = [*_java(jars, 128), "kafka.tools.StorageTool", "format", "-t", _CLUSTER_ID, "-c", str(properties), *words]
    subprocess.run(tool, check=True, capture_output=True, timeout=_START_S_MAX)


def _listeners(ports: tuple[int, int]) -> dict[str, str]:
    broker, controller = (f"127.0.0.1:{port}" for port in ports)
    return {
        "listeners": f"PLAINTEXT://{broker},CONTROLLER://{controller}",
        "advertised.listeners": f"PLAINTEXT://{broker}",
        "controller.quorum.voters": f"1@{controller}",
    }


def _properties(config: Mapping[str, str]) -> str:
    return "".join(f"{key}={value}\n" for key, value in config.items())


def _java(jars: Path, heap_mb: int) -> list[str]:
    """The first compiler tier only: it starts a fifth sooner and leaves the second core to the tests."""
    quiet = ["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
    ready = ["-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info"]
    limits = [f"-Xmx{heap_mb}m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
    return ["java", *limits, *quiet, *ready, "-cp", f"{jars}/*"]


def _die_with_us() -> list[str]:
    return ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
