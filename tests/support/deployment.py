"""A running Seamline as its users run it, embedded or on Kafka and ClickHouse; it must not know the tests."""

import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import yaml

from pipeline.questions import questions
from pipeline.settings import load_settings
from tests.support.deadline import wait_until

READY_WITHIN_S = 60
STOP_WITHIN_S = 20


class Deployment(Protocol):
    """What a test may do to it. `stages`: the names `kill`, `start_stage` and `stop_stage` understand."""

    url: str
    stages: Sequence[str]

    def start(self) -> None:
        """Start every stage and wait until all are ready."""

    def kill(self, stage: str) -> None:
        """SIGKILL it, and wait until it is gone."""

    def start_stage(self, stage: str) -> None:
        """Start it (again) and wait until it is ready."""

    def stop_stage(self, stage: str) -> int:
        """SIGTERM; the exit code."""

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[list[Any]]:
        """Ask the warehouse."""

    def address(self, stage: str) -> str:
        """Where its health and metrics are."""

    def said(self, stage: str) -> str:
        """What it wrote since the first start."""

    def seamline(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command with this deployment's settings."""

    def stop(self) -> None:
        """End whatever still runs."""


class Stage:
    """One `seamline` process, its output kept in a file."""

    def __init__(self, words: Sequence[str], environ: Mapping[str, str], health: str, output: Path) -> None:
        self._words = words
        self._environ = environ
        self.address = health.partition("/health/")[0]
        self._health = health
        self._output = output
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until its readiness page says yes."""
        self.begin()
        wait_until(self._ready, READY_WITHIN_S, f"{self._words}: {self._health}")

    def begin(self) -> None:
        """Start it, and do not wait."""
        with self._output.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "pipeline.cli", *self._words],
                env={**os.environ, **self._environ},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end; its exit code."""
        assert self._process is not None
        self._process.send_signal(how)
        return self._process.wait(STOP_WITHIN_S)

    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process is not None and self._process.poll() is None

    def said(self) -> str:
        """What it printed."""
        return self._output.read_text(errors="replace")

    def _ready(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError(f"{self._words} ended with {self._process.returncode}:\n{self.said()[-4000:]}")
        return answers(self._health)


class _Staged:
    """What the two deployments share: stages by name, and questions."""

    def __init__(self, environ: Mapping[str, str], url: str) -> None:
        self.url = url
        self._environ = dict(environ)
        self._by_name: dict[str, Stage] = {}

    def set(self, **settings: str) -> None:
        """Change settings; stages that start from now on have them."""
        self._environ.update(settings)

    @property
    def environ(self) -> Mapping[str, str]:
        """Its settings."""
        return self._environ

    @property
    def stages(self) -> Sequence[str]:
        return tuple(self._by_name)

    def start(self) -> None:
        for stage in self._by_name.values():
            stage.start()

    def kill(self, stage: str) -> None:
        self._by_name[stage].kill()

    def start_stage(self, stage: str) -> None:
        self._by_name[stage].start()

    def stop_stage(self, stage: str) -> int:
        return self._by_name[stage].stop()

    def stage(self, name: str) -> Stage:
        """The process itself."""
        return self._by_name[name]

    def address(self, stage: str) -> str:
        return self._by_name[stage].address

    def said(self, stage: str) -> str:
        return self._by_name[stage].said()

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[list[Any]]:
        with questions(load_settings(self._environ)) as ask:
            return ask(sql, parameters or {})[1]

    def seamline(self, *words: str) -> subprocess.CompletedProcess[str]:
        environ = {**os.environ, **self._environ}
        command = [sys.executable, "-m", "pipeline.cli", *words]
        return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120, check=False)

    def stop(self) -> None:
        for stage in reversed(self._by_name.values()):
            stage.kill()


class Embedded(_Staged):
    """`seamline up` on a directory."""

    def __init__(self, folder: Path, sites: Path | None = None) -> None:
        port = free_port()
        environ = {"SEAMLINE_DATA": str(folder / "data"), "SEAMLINE_PORT": str(port)}
        super().__init__(environ | _sites(sites), f"http://127.0.0.1:{port}")
        health = f"{self.url}/health/ready"
        self._by_name["up"] = Stage(["up"], self._environ, health, folder / "up.log")


class Cluster(_Staged):
    """Each stage a process of its own, on a Kafka broker and ClickHouse over HTTP that somebody else started."""

    def __init__(
        self, folder: Path, broker: str, warehouse: str, sites: Path | None = None, partitions: int = 4, **more: str
    ) -> None:
        """`more`: settings beside those that make it a cluster."""
        ports = {name: free_port() for name in ("ingest", "stitch", "sink")}
        environ = {
            "SEAMLINE_DATA": str(folder / "data"),
            "SEAMLINE_LOG": f"kafka://{broker}",
            "SEAMLINE_WAREHOUSE": warehouse,
            "SEAMLINE_PARTITIONS": str(partitions),
            "SEAMLINE_INSTANCE": "stitch-0",
            "SEAMLINE_ERASURE_KEY_FILE": str(folder / "erasure.key"),
        }
        (folder / "erasure.key").write_text("of this cluster alone, and at least 32 bytes\n")
        super().__init__(environ | _sites(sites) | more, f"http://127.0.0.1:{ports['ingest']}")
        for name, port in ports.items():
            own = self._environ | {"SEAMLINE_PORT": str(port)}
            health = f"http://127.0.0.1:{port}/health/ready"
            self._by_name[name] = Stage([name], own, health, folder / f"{name}.log")

    def start(self) -> None:
        """Topics and tables first, then the stages."""
        environ = {**os.environ, **self._environ}
        subprocess.run([sys.executable, "-m", "pipeline.cli", "migrate"], env=environ, check=True, timeout=60)
        super().start()


def free_port() -> int:
    """A loopback port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(url: str) -> bool:
    """Whether the page says 200."""
    try:
        with urllib.request.urlopen(url, timeout=5) as reply:
            return bool(reply.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def sites_file(folder: Path, workspaces: Sequence[str]) -> Path:
    """One site a workspace, whose native page key is the workspace's name."""
    entries = [{"workspace": w, "site": f"{w}-site", "native": {"page_keys": [w]}} for w in workspaces]
    path = folder / "sites.yaml"
    path.write_text(yaml.safe_dump({"sites": entries}))
    return path


def _sites(path: Path | None) -> dict[str, str]:
    return {} if path is None else {"SEAMLINE_SITES": str(path)}
