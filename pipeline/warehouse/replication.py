"""What is said to a cluster of replicas (one shard) and not to one node, as text and settings; it must not say it.

How a statement sees what was written before it, whoever wrote it on whatever replica:

- An insert returns when most replicas have its parts (`insert_quorum`), so what was acknowledged outlives a replica.
  Inserts go side by side: quorums one after the other, which `select_sequential_consistency` needs, refuse every
  second sink, and let one node in Keeper grow with each hour's partition of the staged batches.
- Before a statement of ours reads, the replica it runs on fetches what the log has for the tables it reads
  (`SYSTEM SYNC REPLICA`). Both go in one session, which lives on one replica: behind a balancer, or after a fail-over,
  the second one is refused by any other, and both are said again. So nothing has to stick to a replica.

Readers' questions are answered by what the replica has.
"""

import re
from collections.abc import Iterable, Mapping, Set

MOST = "auto"  # of the replicas: two of two, two of three
DDL_SECONDS = 120  # for replicas that are there to follow; one that is away follows when it is back
QUORUM_SECONDS = 60  # both end before the client gives up
SYNC_SECONDS = 60

# A replicated table forgets an inserted block that it has seen lately, and with it rows that were erased, or outranked,
# and come again. Inserts say no to that already; of an INSERT SELECT there is a setting that is asked first.
WRITE: Mapping[str, str] = {
    "deduplicate_insert_select": "disable",
    "insert_quorum": MOST,
    "insert_quorum_parallel": "1",
    "insert_quorum_timeout": str(QUORUM_SECONDS * 1_000),
    "distributed_ddl_output_mode": "none_only_active",
    "distributed_ddl_task_timeout": str(DDL_SECONDS),
}

_LITERAL = re.compile(r"('(?:[^'\\]|\\.|'')*'|`[^`]*`|\"[^\"]*\"|--[^\n]*|/\*.*?\*/)", re.DOTALL)
_ENGINE = re.compile(r"(\bENGINE\s*=\s*)(?!Replicated)(\w*MergeTree)\b")
_MADE = re.compile(r"CREATE(?: OR REPLACE)?(?: MATERIALIZED)? (TABLE|VIEW|DICTIONARY)(?: IF NOT EXISTS)? (\w+)")
_WORD = re.compile(r"\w+")
_READS = re.compile(r"[\s(]*(SELECT|WITH|INSERT\s+INTO|SYSTEM\s+RELOAD\s+DICTIONARY)\b")
_MAKES = re.compile(r"\s*(CREATE|ALTER|DROP)\b")

Sources = Mapping[str, Set[str]]


def replicated(statement: str) -> str:
    """The same statement with the replicated twin of every MergeTree engine; the path is the server's default.

    In a database that replicates, `{uuid}` in that path is the same on every replica, whenever one is added.
    """
    parts = _LITERAL.split(statement)
    parts[::2] = [_ENGINE.sub(r"\1Replicated\2", code) for code in parts[::2]]
    return "".join(parts)


def database_of(name: str, cluster: str, *, sharded: bool = False) -> str:
    """A database that makes on every replica what is made on one, and all of it on a replica that joins.

    Where the cluster has several shards, each has one for itself: a statement, a mutation above all, is one shard's.
    """
    path = f"/clickhouse/databases/{name}{'/{shard}' * sharded}"
    where = f"'{path}', '{{shard}}', '{{replica}}'"
    return f"CREATE DATABASE IF NOT EXISTS `{name}` ON CLUSTER `{cluster}` ENGINE = Replicated({where})"


def sources(statements: Iterable[str]) -> Sources:
    """Per table, view and dictionary made by these statements, the tables it reads; of a table, itself.

    By the words that stand in its text, so it may be one too many.
    """
    texts: dict[str, Set[str]] = {}
    tables: set[str] = set()
    for statement in statements:
        made = _MADE.match(statement)
        if made and made[1] == "TABLE":
            tables.add(made[2])
        elif made and "MATERIALIZED VIEW" not in made[0]:
            texts[made[2]] = set(_WORD.findall(statement[made.end() :]))
    return {name: _behind({name}, texts) & tables for name in [*tables, *texts]}


def first(sql: str, known: Sources, database: str) -> list[str]:
    """What a replica is told before a statement, so that it has what the statement needs: none for most.

    A statement that makes or changes something needs what was made, one that reads needs the rows.
    """
    if _MAKES.match(sql):
        return [f"SYSTEM SYNC DATABASE REPLICA `{database}`"]
    return [f"SYSTEM SYNC REPLICA {table} LIGHTWEIGHT" for table in tables_read(sql, known)]


def tables_read(sql: str, known: Sources) -> list[str]:
    """The tables that a statement may read, by name, in order; none for one that reads no rows."""
    code = re.sub(r"--[^\n]*", "", sql)
    words = _WORD.findall(code) if _READS.match(code) else []
    return sorted({table for word in words for table in known.get(word, ())})


def _behind(names: Set[str], texts: Mapping[str, Set[str]]) -> Set[str]:
    """These names, and every word of the texts of those among them that have one, and so on."""
    found: set[str] = set()
    fresh = set(names)
    while fresh:
        found |= fresh
        fresh = {word for name in fresh for word in texts.get(name, ())} - found
    return found
