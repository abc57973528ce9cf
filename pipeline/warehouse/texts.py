"""The SQL of the warehouse by the name of its file; it must not know who asks, or open anything."""

from functools import cache
from importlib.resources import files


@cache
def sql_text(name: str) -> str:
    """The text of a question or a statement: `apply_links`, `audit/check`."""
    return files(__package__).joinpath("sql", f"{name}.sql").read_text()
