"""Several shards as one warehouse: rows to where their devices are, questions over all; it must not know what is asked.

Everything here is as idempotent as it is on one node, and whoever calls repeats what a crash cut off, so shards are not
told apart by a transaction: after a crash between them the same call brings them level.

What stands on every shard is written to the first one last, and asked of the first one: what it shows, all have.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any, TypeVar

from pipeline.limits import QUERY_ROWS_MAX, QUERY_SECONDS_MAX
from pipeline.warehouse.client import DICTIONARIES, Result, Warehouse
from pipeline.warehouse.epochs import KeepsEpochs
from pipeline.warehouse.errors import RowsRefused, WarehouseRefused
from pipeline.warehouse.placement import BY_DEVICE, EVERYWHERE, PLACES, parted
from pipeline.warehouse.reading import Route, statements, with_dictionaries_of

T = TypeVar("T")
_OTHERS = "SEAMLINE_CLICKHOUSE_CLUSTER leads to (shard, shards) {}, and those of SEAMLINE_WAREHOUSE are {}"


class ShardedWarehouse(KeepsEpochs):
    """A `Store` of shards, in their order. Safe to use from several threads; every call blocks.

    `readers`: beside each shard, the database in which all of them are read; `route` is how it reaches them.
    """

    def __init__(self, shards: Sequence[Warehouse], readers: Sequence[Warehouse], route: Route) -> None:
        self._shards, self._readers, self._route = tuple(shards), tuple(readers), route
        self._threads = ThreadPoolExecutor(len(shards), thread_name_prefix="shard")

    @property
    def shards(self) -> Sequence[Warehouse]:
        """Each by itself."""
        return self._shards

    def unite(self) -> None:
        """Make the database in which readers find all shards, on each of them. WarehouseRefused when the cluster that
        the servers know is not these shards."""
        for shard, reader in zip(self._shards, self._readers, strict=True):
            reader.create_database()
            for statement in statements(shard.database, self._route):
                reader.command(statement)
        expected = [[number, len(self._shards)] for number in range(len(self._shards))]
        for reader in self._readers:
            found = reader.query(f"SELECT shard, shards FROM {PLACES} ORDER BY shard, shards").rows  # noqa: S608
            if found != expected:
                raise WarehouseRefused(_OTHERS.format(found, expected), "OTHER_SHARDS")

    def insert_rows(self, table: str, ndjson: bytes, *, replicas: int = 0) -> None:
        """Store newline-delimited JSON objects: those of a device on its shard, all others on every one.

        RowsRefused when one of them can never be stored; then some of the others may have been.
        """
        if table in EVERYWHERE:
            self._everywhere(lambda shard: shard.insert_rows(table, ndjson, replicas=replicas))
            return
        if table not in BY_DEVICE:
            raise ValueError(f"no place for rows of {table}")
        parts = dict(zip(self._shards, parted(ndjson, len(self._shards)), strict=True))
        some = [shard for shard, lines in parts.items() if lines]
        self._each(lambda shard: shard.insert_rows(table, parts[shard], replicas=replicas), some)

    def apply_links(self, batch: str) -> None:
        """Give the rows that this batch of `links_staged` covers to whom the links say: both are on the same shard."""
        self._each(lambda shard: shard.apply_links(batch))

    def large_devices(self, batch: str, rows_max: int) -> set[tuple[str, str]]:
        """(workspace, device) of this batch of `links_staged` with more than `rows_max` rows; each has its own."""
        return set().union(*self._each(lambda shard: shard.large_devices(batch, rows_max)))

    def touched_aliases(self, batch: str, users_max: int) -> list[dict[str, Any]]:
        """Every statement about anybody this batch of `aliases_staged` connects; every shard has all of them."""
        return self._shards[0].touched_aliases(batch, users_max)

    def frozen_aliases(self, batch: str, users_max: int) -> list[tuple[str, str, str]]:
        """(workspace, user, component) of this batch of `aliases_staged`, in components of more than `users_max`."""
        return self._shards[0].frozen_aliases(batch, users_max)

    def rows(self, sql: str, params: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """The answer to a question of our own about what is on every shard."""
        return self._shards[0].rows(sql, params)

    def query(
        self,
        sql: str,
        params: Mapping[str, Any] | None = None,
        *,
        rows_max: int = QUERY_ROWS_MAX,
        seconds_max: float = QUERY_SECONDS_MAX,
    ) -> Result:
        """Answer one SELECT of anybody over all shards. When one of them is away there is no answer."""
        named = with_dictionaries_of(self._shards[0].database, sql, DICTIONARIES)
        return self._readers[0].query(named, params, rows_max=rows_max, seconds_max=seconds_max)

    def command(self, sql: str, params: Mapping[str, Any] | None = None) -> None:
        """Run one statement of our own that answers nothing, on every shard."""
        self._everywhere(lambda shard: shard.command(sql, params))

    def ping(self) -> bool:
        """Whether all of them answer SQL now."""
        return all(self._each(lambda shard: shard.ping()))

    def close(self) -> None:
        """Let go of every connection."""
        for one in (*self._shards, *self._readers):
            one.close()
        self._threads.shutdown()

    def _own(self, sql: str, params: Mapping[str, Any]) -> list[list[Any]]:
        return self._shards[0].query(sql, params, readonly=False).rows

    def _everywhere(self, work: Callable[[Warehouse], None]) -> None:
        self._each(work, self._shards[1:])
        work(self._shards[0])

    def _each(self, work: Callable[[Warehouse], T], shards: Sequence[Warehouse] | None = None) -> list[T]:
        """What it comes to on each of these, side by side; all have ended when this returns. Of several failures, one
        that may pass comes before a refusal: it is tried again, and then the refusal is seen."""
        running = [self._threads.submit(work, shard) for shard in (self._shards if shards is None else shards)]
        wait(running)
        failures = [failure for one in running if (failure := one.exception()) is not None]
        if failures:
            raise min(
                failures, key=lambda failure: (isinstance(failure, WarehouseRefused), isinstance(failure, RowsRefused))
            )
        return [one.result() for one in running]
