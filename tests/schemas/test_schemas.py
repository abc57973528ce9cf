"""schemas/ says exactly what model.py says: same text, same good examples, same bad ones."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from pipeline.schema import RECORDS, file_name, json_schema, render

SCHEMAS = Path(__file__).parents[2] / "schemas"
GOOD = sorted((SCHEMAS / "examples" / "good").glob("*.json"))
BAD = sorted((SCHEMAS / "examples" / "bad").glob("*.json"))


def _name(example: Path) -> str:
    return f"{example.name.split('.')[0]}/1"


def _accepted_by_schema(example: Path) -> bool:
    validator = jsonschema.Draft202012Validator(json_schema(_name(example)))
    return validator.is_valid(json.loads(example.read_text()))


def _accepted_by_struct(example: Path) -> bool:
    try:
        msgspec.json.decode(example.read_bytes(), type=RECORDS[_name(example)])
    except msgspec.ValidationError:
        return False
    return True


@pytest.mark.parametrize("name", sorted(RECORDS))
def test_the_committed_schema_is_the_generated_one(name: str) -> None:
    """`make schemas` was run after the last change of model.py."""
    expected = render(name)
    actual = (SCHEMAS / file_name(name)).read_bytes()

    assert expected == actual


@pytest.mark.parametrize("example", GOOD, ids=lambda p: p.stem)
def test_good_examples_are_accepted_by_both(example: Path) -> None:
    """What a producer may write, both the schema and the struct take."""
    assert (True, True) == (_accepted_by_schema(example), _accepted_by_struct(example))


@pytest.mark.parametrize("example", BAD, ids=lambda p: p.stem)
def test_bad_examples_are_refused_by_both(example: Path) -> None:
    """Each bad example breaks one rule, and the schema and the struct agree that it does."""
    assert (False, False) == (_accepted_by_schema(example), _accepted_by_struct(example))


@pytest.mark.parametrize("name", sorted(RECORDS))
def test_every_schema_has_good_and_bad_examples(name: str) -> None:
    """A schema nobody tried is a guess."""
    nouns: dict[str, list[Any]] = {"good": GOOD, "bad": BAD}
    missing = [kind for kind, paths in nouns.items() if not any(_name(path) == name for path in paths)]

    assert [] == missing
