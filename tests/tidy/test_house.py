"""Sizes, docstrings, forbidden calls and import contracts of the whole source tree."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted((ROOT / "pipeline").rglob("*.py"))
TEXTS = [p for p in ROOT.rglob("*") if p.suffix in {".py", ".md", ".toml", ".yaml", ".sql", ".json", ".html", ".js"}]
MODULE_LINES_MAX = 300
FUNCTION_LINES_MAX = 70
LAYOUT = {"pyproject.toml", "README.md", "Makefile", "pipeline", "schemas", "deploy", "tests", "LICENSE"}


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _tracked() -> list[str]:
    listing = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    return listing.stdout.splitlines()


@pytest.mark.parametrize("module", MODULES, ids=_name)
def test_a_module_is_one_thing(module: Path) -> None:
    """At most 300 lines, no function over 70, and it opens by saying what it knows."""
    source = module.read_text()
    long = [f.name for f in _functions(module) if (f.end_lineno or 0) - f.lineno >= FUNCTION_LINES_MAX]

    assert source.count("\n") <= MODULE_LINES_MAX
    assert long == []
    assert ast.get_docstring(ast.parse(source))


@pytest.mark.parametrize("module", MODULES, ids=_name)
def test_only_settings_reads_the_environment(module: Path) -> None:
    """One door to the environment, so that `seamline check` can show everything that was decided there."""
    reads = re.findall(r"\bos\.(?:environ|getenv)\b", module.read_text())

    assert reads == [] or module.name == "settings.py"


@pytest.mark.parametrize("module", MODULES, ids=_name)
def test_nothing_is_left_for_later(module: Path) -> None:
    """No reminders, no stubs, no bare except, and no exception that vanishes."""
    source = module.read_text()

    assert re.findall(r"\b(?:TODO|FIXME|XXX|NotImplementedError)\b", source) == []
    assert re.findall(r"^\s*except( Exception| BaseException)?:\s*(?:#.*)?\n\s*(?:pass|continue)\b", source, re.M) == []


def test_no_room_is_a_drawer() -> None:
    """Modules are named by a noun of the design."""
    drawers = {"utils", "util", "helpers", "helper", "manager", "common", "misc"}

    assert [_name(m) for m in MODULES if m.stem in drawers] == []


def test_the_top_level_stays_small() -> None:
    """A newcomer sees eight names."""
    top = {name.split("/")[0] for name in _tracked() if not name.startswith(".")}

    assert top - {"requirements.lock", "CHANGELOG.md"} <= LAYOUT


def test_every_room_has_its_page() -> None:
    """Each top folder's README.md is its page of the manual."""
    folders = ["pipeline", "schemas", "deploy", "tests"]

    assert [f for f in folders if not (ROOT / f / "README.md").is_file()] == []


def test_every_dependency_has_its_reason() -> None:
    """A comment on the line before, or on the line itself."""
    lines = (ROOT / "pyproject.toml").read_text().split("dependencies = [")[1].split("]\n")[0].splitlines()
    reasonless = [
        line.strip()
        for before, line in pairwise(lines)
        if line.strip().startswith('"') and "#" not in before + line and not before.strip().startswith('"')
    ]

    assert reasonless == []


def test_the_lock_has_hashes_and_names_no_host() -> None:
    """What is installed is what was reviewed, from wherever the reader's machine gets it."""
    lock = (ROOT / "requirements.lock").read_text()
    pins = re.findall(r"^[a-z0-9]\S*==.*?(?=^[a-z0-9]|\Z)", lock, re.M | re.S)

    assert [pin.splitlines()[0] for pin in pins if "--hash=sha256:" not in pin] == []
    assert len(pins) > 50
    assert "://" not in lock


@pytest.mark.timeout(120)
def test_import_contracts_hold() -> None:
    """Dependencies point inward: the contracts in pyproject.toml, checked by import-linter."""
    result = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports"))], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert result.returncode == 0, result.stdout + result.stderr
