"""Where the jars of a real Kafka broker are and how they get there; it must not know how a broker is run."""

import fcntl
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
POM = Path(__file__).parent / "kafka" / "pom.xml"
VERSION: str = re.findall(r"<kafka.version>(.+)</kafka.version>", POM.read_text())[0]
CACHE = ROOT / ".cache" / "kafka" / VERSION
HOW_TO_GET_KAFKA = "install Java 17 and Maven (Debian: openjdk-17-jre-headless maven); the jars are then fetched once"
_FETCH_S_MAX = 300


class KafkaMissing(Exception):
    """There is no Kafka to be had on this machine; the message says how to get it."""


def fetched_jars() -> Path:
    """The folder of the broker's jars, fetched with Maven the first time. Raises KafkaMissing."""
    return jars_of(POM, CACHE / "jars")


def jars_of(pom: Path, jars: Path) -> Path:
    """`jars`, with what the pom names, fetched with Maven if it is not there. Raises KafkaMissing."""
    if shutil.which("java") is None:
        raise KafkaMissing(f"no java: {HOW_TO_GET_KAFKA}")
    with cache_lock():
        if not jars.exists():
            _fetch(pom, jars)
    return jars


@contextmanager
def cache_lock() -> Iterator[None]:
    """Alone in the cache: two test runs may start at once."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fetch(pom: Path, jars: Path) -> None:
    """Into a folder beside, renamed when complete: a fetch that was cut short leaves nothing that looks whole."""
    if shutil.which("mvn") is None:
        raise KafkaMissing(f"no mvn: {HOW_TO_GET_KAFKA}")
    partial = jars.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    command = ["mvn", "-q", "-B", "-f", str(pom), "dependency:copy-dependencies", f"-DoutputDirectory={partial}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_FETCH_S_MAX, check=False)
    except subprocess.TimeoutExpired as late:
        raise KafkaMissing(f"mvn did not fetch the Kafka jars within {_FETCH_S_MAX} s") from late
    if done.returncode != 0:
        raise KafkaMissing(f"mvn could not fetch the Kafka jars: {done.stdout[-2000:]}{done.stderr[-500:]}")
    partial.rename(jars)
