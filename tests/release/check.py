"""`make release-check`: builds what would be published, installs it where nothing else is, and runs the main job there.

    python -m tests.release.check [FOLDER]

In this order: 1. the version is the changelog's newest; 2. wheel and sdist are built, and the sdist's wheel has the
same files; 3. a fresh virtual environment gets the wheel and what it needs, in the versions of the lock; 4. there
`seamline demo --exit` ends with 0; 5. its packages are written down as an SBOM. It must not know this checkout once the
wheel is built.
"""

import json
import re
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
_PINNED = re.compile(r"^([A-Za-z0-9_.-]+==[^ ;\\]+)( ;[^\\]+)?", re.M)


class Wrong(Exception):
    """Why this is no release."""


def newest(changelog: str) -> str:
    """The version of the newest release in the changelog's text."""
    found = re.search(r"^## \[(\d+\.\d+\.\d+)\] - \d{4}-\d\d-\d\d$", changelog, re.M)
    if found is None:
        raise Wrong("CHANGELOG.md: expected a section `## [1.2.3] - 2026-11-23`")
    return found.group(1)


def declared(pyproject: str) -> str:
    """The version in pyproject's text."""
    found = re.search(r'^version = "(.+)"$', pyproject, re.M)
    if found is None:
        raise Wrong("pyproject.toml: expected a version")
    return found.group(1)


def constraints(lock: str) -> str:
    """The lock without its hashes, as pip takes constraints."""
    return "\n".join(name + (mark or "") for name, mark in _PINNED.findall(lock)) + "\n"


def sbom(name: str, release: str, packages: Sequence[tuple[str, str]]) -> dict[str, object]:
    """A CycloneDX 1.6 document of these (name, version)."""
    components = [
        {"type": "library", "name": package, "version": number, "purl": f"pkg:pypi/{package.lower()}@{number}"}
        for package, number in sorted(packages)
    ]
    product = {"type": "application", "name": name, "version": release, "purl": f"pkg:pypi/{name}@{release}"}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": product},
        "components": components,
    }


def check(folder: Path) -> None:
    """Every step; what was built stays in the folder. Raises Wrong."""
    release = declared((ROOT / "pyproject.toml").read_text())
    if release != newest((ROOT / "CHANGELOG.md").read_text()):
        raise Wrong(f"CHANGELOG.md: expected {release} to be the newest release")
    wheel = _built(folder, release)
    python = _installed(folder, wheel)
    _run([python.with_name("seamline"), "demo", "--exit", "--port", "0"], folder)
    listed = json.loads(_run([python, "-m", "pip", "list", "--format", "json", "--disable-pip-version-check"], folder))
    packages = [(p["name"], p["version"]) for p in listed if p["name"] not in {"pip", "setuptools", "seamline"}]
    (folder / f"seamline-{release}.cdx.json").write_text(json.dumps(sbom("seamline", release, packages), indent=2))
    print(f"seamline {release}: wheel, sdist and SBOM of {len(packages)} packages in {folder}")


def _built(folder: Path, release: str) -> Path:
    """Step 2: the wheel."""
    _run([sys.executable, "-m", "hatchling", "build", "-d", folder], ROOT)
    wheel, sdist = folder / f"seamline-{release}-py3-none-any.whl", folder / f"seamline-{release}.tar.gz"
    source = folder / "source"
    with tarfile.open(sdist) as archive:
        archive.extractall(source, filter="data")
    _run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", source], source / f"seamline-{release}")
    if _files(wheel) != _files(source / wheel.name):
        raise Wrong("the sdist builds another wheel: some file is missing in it")
    return wheel


def _files(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return sorted(archive.namelist())


def _installed(folder: Path, wheel: Path) -> Path:
    """Step 3: the environment's interpreter."""
    venv.create(folder / "clean", with_pip=True)
    python = folder / "clean" / "bin" / "python"
    pins = folder / "constraints.txt"
    pins.write_text(constraints((ROOT / "requirements.lock").read_text()))
    _run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "-c", pins, wheel], folder)
    return python


def _run(command: Sequence[object], folder: Path) -> str:
    done = subprocess.run(list(map(str, command)), cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Wrong(f"{' '.join(map(str, command))}: {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def main(words: Sequence[str]) -> int:
    """0: it could be published. 1: why not."""
    folder = Path(words[0]).absolute() if words else Path(tempfile.mkdtemp(prefix="seamline-release-"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        check(folder)
    except Wrong as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
