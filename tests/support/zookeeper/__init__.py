"""A ZooKeeper on loopback, which the ClickHouse engine takes for its Keeper; it must not know what is kept there."""

import re
import shutil
import socket
import subprocess
from pathlib import Path

from tests.support.deadline import wait_until
from tests.support.kafka_broker import free_port
from tests.support.kafka_jars import ROOT, jars_of

POM = Path(__file__).parent / "pom.xml"
VERSION: str = re.findall(r"<zookeeper.version>(.+)</zookeeper.version>", POM.read_text())[0]
JARS = ROOT / ".cache" / "zookeeper" / VERSION / "jars"
_START_S_MAX = 60
_MAIN = "org.apache.zookeeper.server.quorum.QuorumPeerMain"


class ZooKeeper:
    """One server, in memory but for `folder`; `start` raises KafkaMissing where there is no Java or Maven."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Until it answers."""
        jars = jars_of(POM, JARS)
        config = self._folder / "zoo.cfg"
        told = {"tickTime": 500, "dataDir": self._folder, "clientPort": self.port, "admin.enableServer": "false"}
        told["clientPortAddress"] = "127.0.0.1"
        config.write_text("".join(f"{name}={value}\n" for name, value in told.items()))
        dying = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
        command = [*dying, "java", "-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp", f"{jars}/*", _MAIN, str(config)]
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until(self._answers, _START_S_MAX, "ZooKeeper starts")

    def stop(self) -> None:
        """And wait until it has ended."""
        if self._process:
            self._process.kill()
            self._process.wait(10)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as asking:
                asking.sendall(b"srvr")
                return b"Mode: standalone" in asking.recv(4096)
        except OSError:
            return False
