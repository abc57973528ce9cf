"""The database in which all shards read as one, and the statements that make it; it must not ask any shard.

It stands on every server beside the shard's own, under the same names, so whoever reads one node reads shards with the
same SQL:

- what is by device is a `Distributed` table over the shards' own, which refuses to be written to. Views whose rows come
  of one device each are answered by each shard for its devices, `actions` among them: there rows are de-duplicated, and
  persons resolved, where they stand;
- what is on every shard is read on the one that is asked;
- views whose rows may come of several devices are made anew over these, by the text they have in the migrations.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from msgspec import Struct

from pipeline.warehouse.migration_files import migrations
from pipeline.warehouse.placement import BY_DEVICE, EVERYWHERE, PLACES, VIEWS_BY_DEVICE, VIEWS_OVER_ALL

SUFFIX = "_all"

# What is said to whoever answers over all shards, beside what is said to one.
OVER_ALL: Mapping[str, str] = {
    "distributed_product_mode": "global",  # IN and JOIN are over all shards, not over each by itself
    "skip_unavailable_shards": "0",  # a part of the truth is none
    "prefer_localhost_replica": "1",
    "distributed_group_by_no_merge": "0",
    "optimize_skip_unused_shards": "0",
}
_MADE = re.compile(r"CREATE (?:OR REPLACE )?VIEW (?:IF NOT EXISTS )?(\w+) AS\b")
_AMONG = re.compile(r"\b(NOT )?IN(\s*\(\s*SELECT\b)")


class Route(Struct, frozen=True):
    """How all shards are reached. `engine`: of a table's name, the engine that reads it on every shard."""

    engine: Callable[[str], str]
    settings: Mapping[str, str]


def distributed(cluster: str, database: str) -> Route:
    """By the server's own list of the cluster's shards, each of which has a database of that name."""
    return Route(lambda table: f"Distributed('{cluster}', '{database}', '{table}')", OVER_ALL)


def database_over_all(database: str) -> str:
    """The name of the database in which shards of that name read as one."""
    return database + SUFFIX


def statements(database: str, route: Route) -> Iterator[str]:
    """What makes that database, or makes it as this version has it; `database` is a shard's own, on the same server."""
    for name in (PLACES, *sorted(BY_DEVICE | VIEWS_BY_DEVICE)):
        yield f"CREATE OR REPLACE TABLE {name} AS `{database}`.{name} ENGINE = {route.engine(name)}"
    for name in sorted(EVERYWHERE):
        yield f"CREATE OR REPLACE TABLE {name} AS `{database}`.{name} ENGINE = Merge('{database}', '^{name}$')"
    texts = _views(text for migration in migrations() for text in migration.statements())
    for name in VIEWS_OVER_ALL:
        yield f"CREATE OR REPLACE VIEW {name} AS{texts[name].replace('$database', database)}"


def with_dictionaries_of(database: str, sql: str, dictionaries: Iterable[str]) -> str:
    """The same question with dictionaries named after their database: the shards that answer are in another one."""
    for name in dictionaries:
        sql = sql.replace(f"'{name}'", f"'{database}.{name}'")
    return sql


def _views(made: Iterable[str]) -> Mapping[str, str]:
    """The last text of each view. Who is among others is found once and told to every shard: a view inside of an IN
    would be asked by each of them, over all of them."""
    found = ((_MADE.match(text), text) for text in made)
    return {match[1]: _AMONG.sub(_globally, text[match.end() :]) for match, text in found if match}


def _globally(among: re.Match[str]) -> str:
    return f"GLOBAL {among[1] or ''}IN{among[2]}"
