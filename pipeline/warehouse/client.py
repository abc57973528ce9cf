"""Everything that is asked of ClickHouse, with every setting said aloud; it must not know who asks.

Defaults differ between server versions (26.2 turned on async_insert and deduplication), so none is relied upon.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from pipeline.limits import MIB, QUERY_ROWS_MAX, QUERY_SECONDS_MAX
from pipeline.warehouse.address import parse
from pipeline.warehouse.epochs import KeepsEpochs
from pipeline.warehouse.errors import WarehouseRefused, WarehouseUnavailable
from pipeline.warehouse.guard import Verdicts, refusal
from pipeline.warehouse.handles import Handles, Settings
from pipeline.warehouse.replicas import Replicas
from pipeline.warehouse.replication import WRITE
from pipeline.warehouse.texts import sql_text

QUERY_BYTES_MAX = 64 * MIB  # of one answer
QUERY_MEMORY_BYTES_MAX = 2048 * MIB  # of one report: inside `seamline up` the engine shares memory with the pipeline
OWN_BYTES_MAX = 256 * MIB  # of an answer to ourselves: all that was said about whom a flush of statements connects
TABLES = frozenset(
    {"action_log", "aliases_staged", "links_staged", "person_merges", "dead_letters", "log_epochs", "migrations"}
    | {"suppressions", "erasing_users", "erasing_letters", "segments"}
)
DICTIONARIES = ("canonical_persons", "canonical_keys")  # who is whom: loaded anew when that has changed

_TIMES = {"session_timezone": "UTC", "date_time_input_format": "best_effort", "date_time_output_format": "iso"}
_READ = {
    **_TIMES,
    "do_not_merge_across_partitions_select_final": "1",  # safe: the day is in the key, its month is the partition
    "optimize_move_to_prewhere_if_final": "1",  # moves conditions on the key only
    "output_format_json_quote_64bit_integers": "0",
    "output_format_json_quote_denormals": "0",
    "output_format_json_escape_forward_slashes": "0",
    "output_format_json_validate_utf8": "1",
    "join_use_nulls": "0",
}
_INSERT = {
    **_TIMES,
    "async_insert": "0",  # an insert that has returned can be read by the statement after it
    "wait_for_async_insert": "1",
    "insert_deduplicate": "0",  # the key deduplicates; a block token would swallow rows re-inserted after an erasure
    "deduplicate_insert": "disable",
    "deduplicate_blocks_in_dependent_materialized_views": "0",
    "materialized_views_ignore_errors": "0",
    "input_format_skip_unknown_fields": "1",  # a newer writer may send more
    "input_format_defaults_for_omitted_fields": "1",  # the log leaves defaults out
    "input_format_null_as_default": "1",
    "input_format_json_read_objects_as_strings": "1",  # properties and traits are kept as their text
    "input_format_allow_errors_num": "0",
    "input_format_allow_errors_ratio": "0",
    "optimize_on_insert": "0",  # FINAL and merges replace rows; doing it here too costs a fifth of an insert
    "max_partitions_per_insert_block": "0",  # a backfill of ten years is 120 months
    "do_not_merge_across_partitions_select_final": "1",
}


class Result(Struct, frozen=True):
    """An answer: column names, and rows of JSON values (times as ISO text, UUIDs as text)."""

    columns: list[str]
    rows: list[list[Any]]


class Warehouse(KeepsEpochs):
    """One ClickHouse database. Safe to use from several threads; every call blocks.

    Every method raises WarehouseUnavailable (later) or WarehouseRefused (never like this).
    """

    def __init__(self, handles: Handles, reading: Settings | None = None) -> None:
        """`reading`: settings of its own for what readers ask."""
        self._handles = handles
        self._reading = reading or {}
        self._replicas = Replicas(handles)
        self._table_functions: frozenset[str] = frozenset()
        self._verdicts = Verdicts()

    def insert_rows(self, table: str, ndjson: bytes, *, replicas: int = 0) -> None:
        """Store newline-delimited JSON objects; the same rows again change nothing.

        On a cluster most replicas have them then, or as many as `replicas` says.
        RowsRefused when one of them can never be stored; then some of the others may have been.
        """
        if table not in TABLES:
            raise ValueError(f"no table for inserts: {table}")
        with self._handles.lend(self._writing(replicas)) as client:
            client.raw_insert(table, insert_block=ndjson, fmt="JSONEachRow")

    def apply_links(self, batch: str) -> None:
        """Give the rows that this batch of `links_staged` covers to whom the links say; twice is once."""
        self.command(sql_text("apply_links"), {"batch": batch})

    def large_devices(self, batch: str, rows_max: int) -> set[tuple[str, str]]:
        """(workspace, device) of this batch of `links_staged` with more than `rows_max` rows."""
        return {(w, d) for w, d in self._own(sql_text("large_devices"), {"batch": batch, "rows": rows_max})}

    def touched_aliases(self, batch: str, users_max: int) -> list[dict[str, Any]]:
        """Every statement about anybody this batch of `aliases_staged` connects, in components up to `users_max`."""
        return self.rows(sql_text("touched_aliases"), {"batch": batch, "users_max": users_max})

    def frozen_aliases(self, batch: str, users_max: int) -> list[tuple[str, str, str]]:
        """(workspace, user, component) of this batch of `aliases_staged`, in components of more than `users_max`."""
        rows = self.rows(sql_text("frozen_aliases"), {"batch": batch, "users_max": users_max})
        return [(row["workspace"], row["user_id"], row["component"]) for row in rows]

    def rows(self, sql: str, params: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """The answer to a question of our own, which may be large."""
        limits = {"max_result_bytes": str(OWN_BYTES_MAX), "result_overflow_mode": "throw"}
        lines = self._read(sql, params, {**_READ, **limits}, "JSONEachRow").splitlines()
        return [msgspec.json.decode(line) for line in lines]

    def query(
        self,
        sql: str,
        params: Mapping[str, Any] | None = None,
        *,
        rows_max: int = QUERY_ROWS_MAX,
        seconds_max: float = QUERY_SECONDS_MAX,
        readonly: bool = True,
    ) -> Result:
        """Answer one SELECT. Past `rows_max` or `seconds_max` it is refused, never cut.

        With `readonly` the text may come from anybody: it can change nothing and reach nothing outside the database.
        """
        body = self._read(sql, params, self._limits(rows_max, seconds_max, readonly), "JSONCompactEachRowWithNames")
        head, *rows = (msgspec.json.decode(line) for line in body.splitlines())
        return Result(head, rows)

    def query_json(
        self,
        sql: str,
        params: Mapping[str, Any] | None = None,
        *,
        rows_max: int = QUERY_ROWS_MAX,
        seconds_max: float = QUERY_SECONDS_MAX,
        readonly: bool = True,
    ) -> bytes:
        """The same answer as newline-delimited JSON objects."""
        return self._read(sql, params, self._limits(rows_max, seconds_max, readonly), "JSONEachRow")

    def command(self, sql: str, params: Mapping[str, Any] | None = None, *, replicas: int = 0) -> None:
        """Run one statement of our own that answers nothing. What it inserts is stored as by `insert_rows`."""

        def tell(client: Any, same: dict[str, str] | None) -> None:
            client.command(sql, dict(params or {}), settings=same)

        self._replicas.caught_up(sql, self._writing(replicas), tell)

    @property
    def shards(self) -> Sequence["Warehouse"]:
        """Itself."""
        return (self,)

    def unite(self) -> None:
        """Nothing: readers find everything here."""

    @property
    def cluster(self) -> str:
        """The name of the cluster of replicas that keeps it; "" for one node."""
        return self._handles.cluster

    @property
    def database(self) -> str:
        """The name of its database."""
        return self._handles.database

    @property
    def credentials(self) -> str:
        """What a dictionary needs to read this very database, as SQL; nothing inside this process."""
        return self._handles.credentials

    def create_database(self) -> None:
        """Make the database of the URL if it is not there."""
        self._handles.create_database()

    def ping(self) -> bool:
        """Whether it answers SQL now."""
        try:
            return self._own("SELECT 1", {}) == [[1]]
        except WarehouseUnavailable:
            return False

    def close(self) -> None:
        """Let go of every connection."""
        self._handles.close()

    def _own(self, sql: str, params: Mapping[str, Any]) -> list[list[Any]]:
        return self.query(sql, params, readonly=False).rows

    def _writing(self, replicas: int) -> Settings:
        if not self.cluster:
            return _INSERT
        return {**_INSERT, **WRITE, **({"insert_quorum": str(replicas)} if replicas else {})}

    def _limits(self, rows_max: int, seconds_max: float, readonly: bool) -> Settings:
        limits = {
            "max_execution_time": str(seconds_max),
            "timeout_overflow_mode": "throw",
            "max_result_rows": str(rows_max),
            "max_result_bytes": str(QUERY_BYTES_MAX),
            "result_overflow_mode": "throw",
            "max_memory_usage": str(QUERY_MEMORY_BYTES_MAX),
        }
        return {**_READ, **self._reading, **limits, **({"readonly": "1"} if readonly else {})}

    def _read(self, sql: str, params: Mapping[str, Any] | None, settings: Settings, fmt: str) -> bytes:
        sql = sql.strip().rstrip(";")

        def ask(client: Any, same: dict[str, str] | None) -> bytes:
            answer: bytes = client.raw_query(sql, dict(params or {}), fmt=fmt, settings=same)
            return answer

        if "readonly" not in settings:
            return self._replicas.caught_up(sql, settings, ask)
        with self._handles.lend(settings) as client:
            why = self._verdicts.of(sql, lambda: self._judged(sql, client))
            if why:
                raise WarehouseRefused(why, "NOT_ALLOWED")
            return ask(client, None)

    def _judged(self, sql: str, client: Any) -> str:
        if not self._table_functions:
            names = client.raw_query(
                "SELECT arrayStringConcat(groupArray(name), ' ') FROM system.table_functions", fmt="TSVRaw"
            )
            self._table_functions = frozenset(names.decode().split())
        printed = client.raw_query("SELECT formatQuery({sql:String})", {"sql": sql}, fmt="TSVRaw").decode()
        return refusal(printed, self._table_functions)


def open_warehouse(url: str, *, password: str = "", cluster: str = "") -> Warehouse:
    """The warehouse behind `chdb:///path[?database=name]` or `clickhouse[s]://user@host:port/database`.

    `cluster`: which of the server's clusters keeps it, all replicas of one shard; the URL may be any of them, or a
    balancer before them. Nothing is opened yet: the first call connects. ValueError when the URL is neither.
    """
    return Warehouse(Handles(parse(url), password, cluster))
