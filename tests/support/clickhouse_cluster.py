"""Three replicas of a ClickHouse cluster for tests, behind one balancer; it must not know what is stored.

One chDB engine, a database a replica, and the ways of replicated tables: what is inserted on one is on as many others
as its quorum says when the insert returns, and on the rest not before `SYSTEM SYNC REPLICA` says so there: they lag for
ever. Tables, views and mutations are everywhere at once. Each connection is a replica's, in turn; a session lives on
its replica alone. What no cluster would take (a table without replicas, `ON CLUSTER` of another name) is refused.

What it cannot show: Keeper, parts that are fetched, and how a server behaves that is cut off.
"""

import json
import re
import sys
import threading
from itertools import count
from pathlib import Path
from typing import Any

from tests.support.clickhouse_front import Engine, Front, Handler, serve, start_front

CLUSTER = "three"
REPLICAS = 3
_MERGE_TREE = re.compile(r"\bENGINE\s*=\s*(Replicated)?(\w*)MergeTree\b")
_INSERT = re.compile(r"INSERT\s+INTO\s+(?:TABLE\s+)?`?(\w+)`?")
_ALL_AT_ONCE = re.compile(r"(CREATE|ALTER|DROP)\b")
_FEEDS = re.compile(r"CREATE MATERIALIZED VIEW.*? TO (\w+) AS.*?\bFROM\s+(\w+)", re.DOTALL)
_NEW_TABLE = re.compile(r"CREATE TABLE (?:IF NOT EXISTS )?(\w+)")


class Replicas(Front):
    """A running cluster; its `url` is the balancer's."""

    def serve_from(self, *replicas: int) -> None:
        """New connections go to these, in turn."""
        self._admin(f"/_cluster/serve?replicas={','.join(map(str, replicas))}")

    def move_next(self) -> None:
        """The next request that asks for its session comes to another replica, as after a fail-over."""
        self._admin("/_cluster/move")

    def away(self, replicas: int) -> None:
        """So many are not there, as far as the others know."""
        self._admin(f"/_cluster/away?count={replicas}")

    def said(self) -> list[dict[str, Any]]:
        """Every statement since the last time: `replica`, `sql`, `settings`."""
        return list(self._admin("/_cluster/said")["said"])


def start_cluster(path: Path | str) -> Replicas:
    """Of three replicas, none of them away."""
    front = start_front(path, module=__name__)
    return Replicas(front.process, front.port)


class _Cluster(Engine):
    def __init__(self, path: str, port: int) -> None:
        super().__init__(path, port, _Connection)
        self.here = threading.local()  # which replica this thread's connection is at
        self.turn = count()
        self.serving = tuple(range(REPLICAS))
        self.sessions: set[tuple[int, str]] = set()
        self.databases: set[str] = set()
        self.missing: dict[
            tuple[str, str, int], list[tuple[int, list[str]]]
        ] = {}  # (database, table, replica): (from, parts)
        self.fed_by: dict[str, set[str]] = {}  # table to those that a materialized view fills it from
        self.moves = self.absent = 0
        self.heard: list[dict[str, Any]] = []
        self.one_at_a_time = threading.RLock()

    def admin(self, what: str, fields: dict[str, str]) -> dict[str, Any]:
        if what == "serve":
            self.serving = tuple(map(int, fields["replicas"].split(",")))
        elif what == "move":
            self.moves = 1
        elif what == "away":
            self.absent = int(fields["count"])
        else:
            heard, self.heard = self.heard, []
            return {"said": heard}
        return {}

    def execute(
        self, query: bytes, settings: dict[str, str], params: dict[str, str], database: str
    ) -> tuple[bytes, int]:
        sql = query.decode(errors="replace")
        with self.one_at_a_time:
            self.heard.append({"replica": self.here.replica, "sql": sql[:2_000], "settings": settings})
            return self._execute(sql, query, settings, params, database)

    def _execute(
        self, sql: str, query: bytes, settings: dict[str, str], params: dict[str, str], database: str
    ) -> tuple[bytes, int]:
        on_cluster = re.search(r"ON CLUSTER `?(\w+)`? ?", sql)
        if on_cluster and on_cluster[1] != CLUSTER:
            raise RuntimeError(f"Code: 701. DB::Exception: there is no cluster {on_cluster[1]} (CLUSTER_DOESNT_EXIST)")
        if made := re.match(r"CREATE DATABASE IF NOT EXISTS `(\w+)` ON CLUSTER .*ENGINE = Replicated", sql):
            self.databases.add(made[1])
            for replica in range(REPLICAS):
                self._run(f"CREATE DATABASE IF NOT EXISTS {made[1]}__{replica}", {}, {}, "default", replica)
            return b"", 0
        if "FROM system.databases" in sql and params.get("n") in self.databases:
            return b"Replicated\n", 1
        if sql.startswith("SYSTEM SYNC DATABASE REPLICA"):
            return b"", 0
        if database not in self.databases:
            return super().execute(query, settings, params, database)
        own_pace = sql.startswith("SYSTEM START CLEANUP")  # a replicated table cleans up every few seconds by itself
        where = range(REPLICAS) if on_cluster or own_pace else (self.here.replica,)
        sql = sql.replace(on_cluster[0], "") if on_cluster else sql
        if synced := re.match(r"SYSTEM SYNC REPLICA (?:`\w+`\.)?(\w+)", sql):
            for replica in where:
                self._pull(database, synced[1], replica)
            return b"", 0
        if "FROM system.replicas" in sql:
            return f'["total_replicas","active_replicas"]\n[{REPLICAS},{REPLICAS - self.absent}]\n'.encode(), 1
        if inserted := _INSERT.match(sql):
            return self._insert(inserted[1], query, settings, params, database)
        if _ALL_AT_ONCE.match(sql):
            return self._everywhere(sql, settings, params, database)
        sql = sql.replace(f"clusterAllReplicas('{CLUSTER}', ", "(").replace(
            "database = {d:String}", "startsWith(database, concat({d:String}, '__'))"
        )
        sql = re.sub(r"\((system\.\w+)\)", r"\1", sql)
        for replica in where:
            answer = self._run(sql, settings, params, database, replica)
        return answer

    def _everywhere(
        self, sql: str, settings: dict[str, str], params: dict[str, str], database: str
    ) -> tuple[bytes, int]:
        engine = _MERGE_TREE.search(sql)
        if sql.startswith("CREATE TABLE") and not (engine and engine[1]):
            raise RuntimeError(f"Code: 36. DB::Exception: not replicated: {sql[:80]} (BAD_ARGUMENTS)")
        if feeds := _FEEDS.search(sql):
            self.fed_by.setdefault(feeds[1], set()).add(feeds[2])
        mutates = re.match(r"ALTER TABLE (\w+) (?:DELETE|MATERIALIZE)", sql)
        for replica in range(REPLICAS):
            if mutates:
                self._pull(database, mutates[1], replica)
                self._run(f"SYSTEM START MERGES {mutates[1]}", {}, {}, database, replica)
            answer = self._run(_MERGE_TREE.sub(r"ENGINE = \2MergeTree", sql), settings, params, database, replica)
            if made := _NEW_TABLE.match(sql) or mutates:
                self._run(f"SYSTEM STOP MERGES {made[1]}", {}, {}, database, replica)
        return answer

    def _insert(
        self, table: str, query: bytes, settings: dict[str, str], params: dict[str, str], database: str
    ) -> tuple[bytes, int]:
        """On this replica; on others as far as its quorum goes, and for the rest it is remembered."""
        wanted = settings.get("insert_quorum", "0")
        quorum = REPLICAS // 2 + 1 if wanted == "auto" else int(wanted)
        if quorum > REPLICAS - self.absent:
            raise RuntimeError("Code: 285. DB::Exception: too few replicas are alive (TOO_FEW_LIVE_REPLICAS)")
        here: int = self.here.replica
        before = self._parts(database, table, here)
        answer = super().execute(query, settings, params, f"{database}__{here}")
        parts = sorted(self._parts(database, table, here) - before)
        for distance in range(1, REPLICAS):
            other = (here - distance) % REPLICAS
            if distance < quorum:
                self._copy(database, table, (here, parts), other)
            else:
                self.missing.setdefault((database, table, other), []).append((here, parts))
        return answer

    def _parts(self, database: str, table: str, replica: int) -> set[str]:
        sql = f"SELECT name FROM system.parts WHERE active AND database = '{database}__{replica}' AND table = '{table}'"
        return set(self._run(sql, {}, {}, database, replica)[0].decode().split())

    def _pull(self, database: str, table: str, replica: int) -> None:
        """What the replica lacks of a table, and of those whose inserts fill it."""
        for source in sorted({table, *self.fed_by.get(table, ())}):
            for entry in self.missing.pop((database, source, replica), []):
                self._copy(database, source, entry, replica)

    def _copy(self, database: str, table: str, entry: tuple[int, list[str]], replica: int) -> None:
        origin, parts = entry
        new = f"SELECT * FROM {database}__{origin}.{table} WHERE has({parts}, _part)"
        self._run(f"INSERT INTO {table} {new}", {"optimize_on_insert": "0"}, {}, database, replica)

    def _run(
        self, sql: str, settings: dict[str, str], params: dict[str, str], database: str, replica: int
    ) -> tuple[bytes, int]:
        own = database if database == "default" else f"{database}__{replica}"
        text = re.sub(rf"`?\b{database}`?\.(?=\w)", f"{own}.", sql) if own != database else sql
        return super().execute(text.encode(), settings, params, own)


class _Connection(Handler):
    server: _Cluster

    def setup(self) -> None:
        super().setup()
        self.replica = self.server.serving[next(self.server.turn) % len(self.server.serving)]

    def _answer(self, path: str, fields: dict[str, str], body: bytes) -> None:
        if path.startswith("/_cluster/"):
            return self._reply(200, json.dumps(self.server.admin(path.rpartition("/")[2], fields)).encode())
        session, replica = fields.get("session_id", ""), self.replica
        if fields.get("session_check") == "1":
            if self.server.moves:
                self.server.moves, replica = 0, (self.replica + 1) % REPLICAS
            if (replica, session) not in self.server.sessions:
                return self._fail(404, "Code: 372. DB::Exception: Session not found. (SESSION_NOT_FOUND)")
        self.server.sessions.add((replica, session))
        self.server.here.replica = replica
        return super()._answer(path, fields, body)


if __name__ == "__main__":
    serve(_Cluster(sys.argv[1], int(sys.argv[2])))
