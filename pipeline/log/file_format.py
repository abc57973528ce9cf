"""Which format a SQLite file of ours is in, by its `user_version`; it must not know what any file holds.

A number is of everything in the file: its tables, and the bytes in their columns. Whoever changes either in a way that
the version before would misread raises it, and brings older files to it when they are opened.
"""

import sqlite3
from pathlib import Path

UNSTAMPED = 0  # a new file; or one of 0.1.0, which wrote format 1 and did not say so but in the log


class NewerFormat(Exception):
    """A later version of Seamline wrote this file, and this one would misread it. Nothing of it was changed."""


def format_of(db: sqlite3.Connection, path: Path, what: str, newest: int) -> int:
    """The file's format, 0 to `newest`. Raises NewerFormat, before anything was written."""
    found = int(db.execute("PRAGMA user_version").fetchone()[0])
    if not UNSTAMPED <= found <= newest:
        raise NewerFormat(
            f"{path} is {what} of format {found}, this version of Seamline reads up to format {newest}. "
            "Start the version that wrote it, or a newer one: the file is as it was."
        )
    return found


def stamp(db: sqlite3.Connection, number: int) -> None:
    """Say which format the file is in from now on; in the caller's transaction, if there is one."""
    db.execute(f"PRAGMA user_version={number:d}")
