"""A rendered workload started as a cluster does it: words, variables, files, probes, end; it must not know a stage."""

import base64
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from tests.deploy.dockerfile import DOCKERFILE, stages
from tests.deploy.dockerfile import environment as image_environment
from tests.deploy.manifests import Manifest, only, pod_template
from tests.support.deadline import wait_until
from tests.support.deployment import free_port

READY_WITHIN_S = 60


class Pod:
    """The one container of a pod, on loopback. `variables`: where the log and the warehouse are here."""

    def __init__(
        self, workload: str, manifests: list[Manifest], folder: Path, variables: Mapping[str, str], ordinal: int = 0
    ) -> None:
        manifest = only(manifests, workload)
        self.name = f"{manifest['metadata']['name']}-{ordinal}"
        self._pod = pod_template(manifest)["spec"]
        (self._container,) = self._pod["containers"]
        self._folder = folder / self.name
        self._port = free_port()
        self._paths = {m["mountPath"]: self._mounted(m["name"], manifests) for m in self._container["volumeMounts"]}
        self._environ = self._variables(manifests) | variables | {"SEAMLINE_PORT": str(self._port)}
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Begin, and wait until the readiness probe says yes."""
        self.begin()
        wait_until(lambda: self._runs() and self.ready(), READY_WITHIN_S, f"{self.name}: {self.said()[-2000:]}")

    def begin(self) -> None:
        """Run the image's entry point with the container's words."""
        with (self._folder / "output").open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "pipeline.cli", *self._container["args"]],
                env={"PATH": os.environ["PATH"], "PYTHONPATH": str(Path.cwd()), **self._environ},
                cwd=self._paths["/var/lib/seamline"],
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def end(self) -> int:
        """For Jobs: the exit code."""
        assert self._process is not None
        return self._process.wait(READY_WITHIN_S)

    def terminate(self) -> tuple[int, float]:
        """SIGTERM, and all of the grace period to end; the exit code, and how long it took to be no longer ready.

        preStop is not waited for, only counted: it is time for balancers, and there is none.
        """
        assert self._process is not None
        began_s = time.monotonic()
        self._process.send_signal(signal.SIGTERM)
        wait_until(lambda: not self.ready(), self._pod["terminationGracePeriodSeconds"], f"{self.name} is not ready")
        unready_s = time.monotonic() - began_s
        pause_s = self._container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        return self._process.wait(self._pod["terminationGracePeriodSeconds"] - pause_s - unready_s), unready_s

    def kill(self) -> None:
        """Whatever still runs."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def ready(self) -> bool:
        """What the readiness probe finds."""
        return self._probe("readinessProbe")

    def live(self) -> bool:
        """What the liveness probe finds."""
        return self._probe("livenessProbe")

    def said(self) -> str:
        """Its log."""
        path = self._folder / "output"
        return path.read_text(errors="replace") if path.exists() else ""

    def _runs(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"{self.name} ended:\n{self.said()[-3000:]}"
        return True

    def _probe(self, which: str) -> bool:
        probe = self._container[which]
        within_s = probe.get("timeoutSeconds", 1)
        try:
            if "tcpSocket" in probe:
                socket.create_connection(("127.0.0.1", self._port), within_s).close()
                return True
            with urllib.request.urlopen(self.url + probe["httpGet"]["path"], timeout=within_s) as reply:
                return bool(reply.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def _mounted(self, volume: str, manifests: list[Manifest]) -> Path:
        """A folder with what the volume holds at its start."""
        folder = self._folder / volume
        folder.mkdir(parents=True, exist_ok=True)
        for found in (v for v in self._pod["volumes"] if v["name"] == volume and "secret" in v):
            data = only(manifests, f"Secret/{found['secret']['secretName']}")["data"]
            for key in [item["key"] for item in found["secret"].get("items", [])] or data:
                (folder / key).write_bytes(base64.b64decode(data[key]))
        return folder

    def _variables(self, manifests: list[Manifest]) -> dict[str, str]:
        """The image's, the ConfigMap's, the container's; paths are where the volumes are here."""
        found = {k: v for k, v in image_environment(stages(DOCKERFILE.read_text())[-1]).items() if k != "PATH"}
        for source in self._container.get("envFrom", []):
            found |= only(manifests, f"ConfigMap/{source['configMapRef']['name']}")["data"]
        found |= {entry["name"]: entry.get("value", self.name) for entry in self._container["env"]}
        return {name: self._here(value) for name, value in found.items()}

    def _here(self, value: str) -> str:
        for path, folder in self._paths.items():
            if value == path or value.startswith(path + "/"):
                return str(folder) + value.removeprefix(path)
        return value
