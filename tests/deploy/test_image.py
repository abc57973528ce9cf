"""The image: what its Dockerfile promises, and its build, step by step, in a clean folder and environment."""

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from pipeline.telemetry.health import Health
from tests.deploy.dockerfile import DOCKERFILE, commands_of, environment, findings, said, stages
from tests.deploy.kubectl import ROOT

TEXT = DOCKERFILE.read_text()
WORSE = {
    "a moving base": ("python:3.11.14-slim-bookworm AS build", "python:3.11 AS build"),
    "root": ("USER 10001:10001", "USER root"),
    "a named user": ("USER 10001:10001", "USER seamline"),
    "no hashes": ("--require-hashes", ""),
    "sources": ("--only-binary :all:", ""),
    "no health check": ("HEALTHCHECK", "LABEL"),
    "a shell": ('ENTRYPOINT ["seamline"]', "ENTRYPOINT seamline"),
    "the whole repository": ("COPY --from=build /opt/seamline /opt/seamline", "COPY . /opt/seamline"),
    "writes bytecode": ("PYTHONDONTWRITEBYTECODE=1", "PYTHONDONTWRITEBYTECODE="),
}


def test_the_dockerfile_is_sound() -> None:
    """By our own rules."""
    assert findings(TEXT) == []


@pytest.mark.parametrize("change", WORSE.values(), ids=WORSE.keys())
def test_a_weaker_dockerfile_is_found(change: tuple[str, str]) -> None:
    """Each rule sees what it is there for."""
    assert change[0] in TEXT
    assert findings(TEXT.replace(*change)) != []


def test_hadolint_has_nothing_to_say() -> None:
    """Warnings and errors."""
    program = Path(sys.executable).with_name("hadolint")
    words = [str(program), "--no-color", "--failure-threshold", "warning", str(DOCKERFILE)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 0, done.stdout


def test_only_what_is_copied_is_sent() -> None:
    """The build's context is closed but for the files that the Dockerfile names."""
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    copied = {name for words in said(stages(TEXT)[0], "COPY") for name in words.split()[:-1]}

    assert lines[0] == "*"
    assert {line[1:] for line in lines if line.startswith("!")} == copied


def pins(lock: str) -> dict[str, list[str]]:
    """Hashes by name and version."""
    text = (ROOT / lock).read_text()
    found = re.findall(r"^([a-z0-9]\S*==\S+)(.*?)(?=^[a-z0-9]|\Z)", text, re.M | re.S)
    return {pin: re.findall(r"sha256:\w+", rest) for pin, rest in found}


@pytest.mark.parametrize("lock", ["deploy/image.lock", "deploy/build.lock"])
def test_the_image_has_what_the_tests_had(lock: str) -> None:
    """Every pin with its hashes is one of requirements.lock; `make lock` writes all three."""
    tested = pins("requirements.lock")

    assert pins(lock) == {pin: tested.get(pin) for pin in pins(lock)}
    assert all(pins(lock).values())


class _Nothing(msgspec.Struct):
    """A report that says nothing."""


@pytest.mark.parametrize("ready", [True, False])
async def test_the_health_check_tells_ready_from_not(ready: bool) -> None:
    """The command of the image, against a worker's own pages."""
    health = Health(lambda: True, lambda: ready, _Nothing, bytes)
    port = await health.start("127.0.0.1", 0)
    (check,) = said(stages(TEXT)[-1], "HEALTHCHECK")
    _, *words = json.loads(check[check.index("[") :])
    process = await asyncio.create_subprocess_exec(
        sys.executable, *[w.replace(":8080/", f":{port}/") for w in words], stderr=asyncio.subprocess.DEVNULL
    )

    code = await asyncio.wait_for(process.wait(), 10)
    await health.close()

    assert (code == 0) is ready


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The build stage's steps, in a folder of their own, with a Python that has nothing installed."""
    folder = tmp_path_factory.mktemp("image")
    subprocess.run([sys.executable, "-m", "venv", str(folder / "python")], check=True, timeout=60)
    (folder / "src").mkdir()
    replaced = {"/opt/seamline": str(folder / "opt"), "--no-cache-dir": ""}
    for command in commands_of(stages(TEXT)[0], ROOT, replaced):
        variables = {"PATH": f"{folder / 'python' / 'bin'}:/usr/bin:/bin", "HOME": str(Path.home())}
        done = subprocess.run(
            ["sh", "-ec", command],
            cwd=folder / "src",
            env=variables,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return folder / "opt"


def seamline(built: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """The entry point with the environment of the image, in a folder that is not the repository."""
    settings = {name: value for name, value in environment(stages(TEXT)[-1]).items() if name != "PATH"}
    command = [str(built / "bin" / "seamline"), *words]
    return subprocess.run(
        command, cwd=built, env=settings | variables, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_build_makes_a_worker(built: Path) -> None:
    """It starts, has the migrations, and knows how to say that its warehouse is not there."""
    nowhere = {"SEAMLINE_LOG": "kafka://127.0.0.1:1", "SEAMLINE_WAREHOUSE": "clickhouse://a@127.0.0.1:1/seamline"}
    ask = "from pipeline.warehouse.migrate import migrations; print(len(list(migrations())))"
    counted = subprocess.run(
        [str(built / "bin" / "python"), "-c", ask], cwd=built, capture_output=True, text=True, timeout=60, check=False
    )

    assert "SEAMLINE_HOST" in seamline(built, "check").stdout
    assert int(counted.stdout) == len(list((ROOT / "schemas" / "clickhouse").glob("*.sql"))), counted.stderr
    for stage in ("migrate", "stitch"):
        answer = seamline(built, stage, **nowhere)
        assert answer.returncode == 1
        assert "Connection refused" in answer.stderr
        assert "Traceback" not in answer.stderr


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_image_is_small_and_has_no_tools(built: Path) -> None:
    """No pip, no compiler, no engine, nothing of the tests; bytecode is there."""
    packages = next(built.glob("lib/python3*/site-packages"))
    names = {path.name.partition("-")[0].lower() for path in packages.iterdir()}
    size = sum(path.stat().st_size for path in built.rglob("*") if path.is_file() and not path.is_symlink())

    assert names & {"pip", "setuptools", "chdb", "pyarrow", "pandas", "pytest", "mypy", "hatchling", "tests"} == set()
    assert list((packages / "pipeline" / "__pycache__").glob("cli.*.pyc"))
    assert size < 200 * 2**20
