"""Writes schemas/*.schema.json from the nouns of model.py; it must not know a rule that they do not carry."""

import sys
from pathlib import Path
from typing import Any

import msgspec

from pipeline.model import (
    ACTION_SCHEMA,
    ALIAS_SCHEMA,
    DEAD_LETTER_SCHEMA,
    HIT_SCHEMA,
    LINK_SCHEMA,
    MARK_SCHEMA,
    SUPPRESSED_SCHEMA,
    Action,
    Alias,
    DeadLetter,
    Hit,
    Link,
    Mark,
    Suppressed,
)

RECORDS: dict[str, type[msgspec.Struct]] = {
    HIT_SCHEMA: Hit,
    ACTION_SCHEMA: Action,
    LINK_SCHEMA: Link,
    ALIAS_SCHEMA: Alias,
    DEAD_LETTER_SCHEMA: DeadLetter,
    SUPPRESSED_SCHEMA: Suppressed,
    MARK_SCHEMA: Mark,
}


def json_schema(name: str) -> dict[str, Any]:
    """The JSON Schema of one line of a record whose `schema` header is `name`; unknown fields are allowed."""
    schema = msgspec.json.schema(RECORDS[name])
    root = schema["$defs"].pop(RECORDS[name].__name__)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **root,
        "title": name,
        **({"$defs": schema["$defs"]} if schema["$defs"] else {}),
    }


def file_name(name: str) -> str:
    """`hit/1` -> `hit.schema.json`: one file a noun; a second version gets a second file."""
    noun, version = name.split("/")
    return f"{noun}.schema.json" if version == "1" else f"{noun}.v{version}.schema.json"


def render(name: str) -> bytes:
    """The file's bytes."""
    return msgspec.json.format(msgspec.json.encode(json_schema(name)), indent=2) + b"\n"


def main(folder: Path) -> None:
    """Write every schema into the folder."""
    for name in RECORDS:
        (folder / file_name(name)).write_bytes(render(name))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
