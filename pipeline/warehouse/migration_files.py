"""The numbered SQL files as they are in the package; it must not run any, or know what they make."""

import hashlib
import re
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from msgspec import Struct


class Migration(Struct, frozen=True):
    """One file: its name, its text, and the SHA-256 that must never change once it has been applied."""

    file: str
    sql: str
    checksum: str

    def statements(self) -> list[str]:
        """The statements: each ends with a semicolon at the end of a line; whole-line comments are left out."""
        code = re.sub(r"^\s*--.*$", "", self.sql, flags=re.MULTILINE)
        return [statement.strip() for statement in re.split(r";[ \t]*(?:\n|$)", code) if statement.strip()]


def migrations(folder: Traversable | None = None) -> list[Migration]:
    """All files, oldest first: from the installed package, or from the repository it runs in."""
    folder = folder or _folder()
    texts = sorted((entry.name, entry.read_bytes()) for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return [Migration(name, text.decode(), hashlib.sha256(text).hexdigest()) for name, text in texts]


def _folder() -> Traversable:
    """`pipeline/schemas/clickhouse` in a wheel; `schemas/clickhouse` beside the package in the repository."""
    installed = files("pipeline").joinpath("schemas", "clickhouse")
    return installed if installed.is_dir() else Path(__file__).parents[2] / "schemas" / "clickhouse"
