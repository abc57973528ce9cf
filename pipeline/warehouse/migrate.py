"""Numbered SQL files in order, each once; it must not know what they make.

Every statement may run twice (IF NOT EXISTS, OR REPLACE, rows that replace themselves), so two processes may run them
at once, and a crash between a file and its entry in `migrations` repeats the file and changes nothing.
"""

import hashlib
import re
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import msgspec
from msgspec import Struct

from pipeline.warehouse.client import Warehouse
from pipeline.warehouse.errors import WarehouseRefused


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


def migrate(warehouse: Warehouse, folder: Traversable | None = None) -> list[str]:
    """Bring the database to this version; the names of the files that were applied now.

    1. The database is made. 2. Files already recorded are compared: one that changed is WarehouseRefused, and nothing
    is run. 3. Each other file is run, then recorded; a crash in between runs it again, which changes nothing.
    """
    warehouse.create_database()
    known, all_files = _recorded(warehouse), migrations(folder)
    changed = [m.file for m in all_files if known.get(m.file, m.checksum) != m.checksum]
    if changed:
        raise WarehouseRefused(f"applied and changed since: {', '.join(changed)}", "MIGRATION_CHANGED")
    fresh = [m for m in all_files if m.file not in known]
    for migration in fresh:
        for statement in migration.statements():
            warehouse.command(_filled(statement, warehouse))
        entry = {"file": migration.file, "checksum": migration.checksum}
        warehouse.insert_rows("migrations", msgspec.json.encode(entry))
    return [migration.file for migration in fresh]


def renew_dictionaries(warehouse: Warehouse, folder: Traversable | None = None) -> None:
    """Have dictionaries read as whoever migrates now: a password may have changed since they were made."""
    made = "CREATE DICTIONARY IF NOT EXISTS"
    for statement in (statement for migration in migrations(folder) for statement in migration.statements()):
        if statement.startswith(made):
            warehouse.command(_filled(statement.replace(made, "CREATE OR REPLACE DICTIONARY", 1), warehouse))


def _filled(statement: str, warehouse: Warehouse) -> str:
    """With the names that only this place knows: a dictionary belongs to a database and reads as a user."""
    return statement.replace("$database", warehouse.database).replace("$credentials", warehouse.credentials)


def _recorded(warehouse: Warehouse) -> dict[str, str]:
    if not warehouse.query("EXISTS TABLE migrations", readonly=False).rows[0][0]:
        return {}
    recorded = warehouse.query("SELECT file, checksum FROM migrations FINAL", readonly=False)
    return {row[0]: row[1] for row in recorded.rows}


def _folder() -> Traversable:
    """`pipeline/schemas/clickhouse` in a wheel; `schemas/clickhouse` beside the package in the repository."""
    installed = files("pipeline").joinpath("schemas", "clickhouse")
    return installed if installed.is_dir() else Path(__file__).parents[2] / "schemas" / "clickhouse"
