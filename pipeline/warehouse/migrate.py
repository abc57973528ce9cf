"""Numbered SQL files in order, each once; it must not know what they make.

Every statement may run twice (IF NOT EXISTS, OR REPLACE, rows that replace themselves), so two processes may run them
at once, and a crash between a file and its entry in `migrations` repeats the file and changes nothing.

On a cluster the same files make replicated tables. The database says each statement that makes or changes something to
every replica, and to one that comes later; rows and mutations go the tables' own way: once. So nothing here is said
`ON CLUSTER`, where a replica that joins would get tables of its own.
"""

from importlib.resources.abc import Traversable

import msgspec

from pipeline.warehouse.client import Warehouse
from pipeline.warehouse.errors import WarehouseRefused
from pipeline.warehouse.migration_files import Migration, migrations
from pipeline.warehouse.port import Store
from pipeline.warehouse.replication import replicated

__all__ = ["Migration", "migrate", "migrations", "renew_dictionaries"]


def migrate(store: Store, folder: Traversable | None = None) -> list[str]:
    """Bring the database, of each shard its own, to this version; the names of the files that were applied now.

    1. The database is made. 2. Files already recorded are compared: one that changed is WarehouseRefused, and nothing
    is run. 3. Each other file is run, then recorded; a crash in between runs it again, which changes nothing.
    4. Readers are led to every shard.
    """
    applied = dict.fromkeys(file for shard in store.shards for file in _brought_up(shard, folder))
    store.unite()
    return list(applied)


def _brought_up(warehouse: Warehouse, folder: Traversable | None) -> list[str]:
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


def renew_dictionaries(store: Store, folder: Traversable | None = None) -> None:
    """Have dictionaries read as whoever migrates now: a password may have changed since they were made."""
    made = "CREATE DICTIONARY IF NOT EXISTS"
    for statement in (statement for migration in migrations(folder) for statement in migration.statements()):
        if statement.startswith(made):
            for shard in store.shards:
                shard.command(_filled(statement.replace(made, "CREATE OR REPLACE DICTIONARY", 1), shard))


def _filled(statement: str, warehouse: Warehouse) -> str:
    """With what only this place knows: a dictionary belongs to a database and reads as a user; a table has replicas."""
    told = replicated(statement) if warehouse.cluster else statement
    return told.replace("$database", warehouse.database).replace("$credentials", warehouse.credentials)


def _recorded(warehouse: Warehouse) -> dict[str, str]:
    if not warehouse.query("EXISTS TABLE migrations", readonly=False).rows[0][0]:
        return {}
    recorded = warehouse.query("SELECT file, checksum FROM migrations FINAL", readonly=False)
    return {row[0]: row[1] for row in recorded.rows}
