"""The room's page says what the code does: its examples, its figures, and a test for every claim."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.support.examples import examples
from tests.support.quality import table

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "pipeline" / "identity" / "README.md"
LINK = re.compile(r"\[([^\]]+)\]\(([^)]+)\)")
ROW = re.compile(r"^\| (\d+) \| (.+?) \| (yes|partly|no): (.+?) \| (.*?) ?\|$", re.M)
CAPABILITIES = 46


def _between(mark: str) -> str:
    return PAGE.read_text().partition(f"<!-- {mark} -->\n")[2].partition("\n<!-- end -->")[0]


@cache
def _functions(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_the_examples_are_the_worked_cases() -> None:
    """As `python -m tests.support.examples` prints them."""
    assert examples() == _between("examples: python -m tests.support.examples")


def test_the_scenarios_are_as_printed() -> None:
    """Every figure and every reason, worked out anew."""
    assert table(7) == _between("quality: python -m tests.support.quality --seed 7")


def test_all_capabilities_are_answered_in_order() -> None:
    """One row each; a line that looks like a row and is none would be missing here."""
    rows = [int(number) for number, *_ in ROW.findall(PAGE.read_text())]

    assert rows == list(range(1, CAPABILITIES + 1))


@pytest.mark.parametrize("row", ROW.findall(PAGE.read_text()), ids=lambda row: row[0])
def test_every_claim_names_a_test_that_exists(row: tuple[str, ...]) -> None:
    """`path::function`, linked to that path; only what is not there needs none."""
    answer, links = row[2], LINK.findall(row[4])

    assert bool(links) == (answer != "no")
    for name, target in links:
        path, _, function = name.partition("::")

        assert (PAGE.parent / target).resolve() == ROOT / "tests" / path
        assert function in _functions(ROOT / "tests" / path)


def test_every_link_leads_somewhere() -> None:
    """In the whole page."""
    targets = {target.partition("#")[0] for _, target in LINK.findall(PAGE.read_text())}

    assert [target for target in targets if not (PAGE.parent / target).exists()] == []


def test_every_module_has_its_line() -> None:
    """And no line is of a module that is gone."""
    named = set(re.findall(r"`(\w+\.py)`", PAGE.read_text().partition("## The rules")[0]))

    assert named == {path.name for path in PAGE.parent.glob("*.py")} - {"__init__.py"}
