"""What a warehouse can be asked and told, whether it is one or several shards; it must not know which."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from pipeline.limits import QUERY_ROWS_MAX, QUERY_SECONDS_MAX

if TYPE_CHECKING:
    from pipeline.warehouse.client import Result, Warehouse


class Store(Protocol):
    """Safe to use from several threads; every call blocks, and raises WarehouseUnavailable or WarehouseRefused."""

    @property
    def shards(self) -> Sequence["Warehouse"]:
        """Each by itself, for what is done where the rows are; one node is its own only shard."""

    def unite(self) -> None:
        """Have readers reach every shard, as this version has its tables and views."""

    def insert_rows(self, table: str, ndjson: bytes, *, replicas: int = 0) -> None:
        """Store newline-delimited JSON objects where they belong; the same rows again change nothing."""

    def apply_links(self, batch: str) -> None:
        """Give the rows that this batch of `links_staged` covers to whom the links say; twice is once."""

    def large_devices(self, batch: str, rows_max: int) -> set[tuple[str, str]]:
        """(workspace, device) of this batch of `links_staged` with more than `rows_max` rows."""

    def touched_aliases(self, batch: str, users_max: int) -> list[dict[str, Any]]:
        """Every statement about anybody this batch of `aliases_staged` connects, in components up to `users_max`."""

    def frozen_aliases(self, batch: str, users_max: int) -> list[tuple[str, str, str]]:
        """(workspace, user, component) of this batch of `aliases_staged`, in components of more than `users_max`."""

    def rows(self, sql: str, params: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """The answer to a question of our own about what is on every shard."""

    def query(
        self,
        sql: str,
        params: Mapping[str, Any] | None = None,
        *,
        rows_max: int = QUERY_ROWS_MAX,
        seconds_max: float = QUERY_SECONDS_MAX,
    ) -> "Result":
        """Answer one SELECT of anybody over everything."""

    def command(self, sql: str, params: Mapping[str, Any] | None = None) -> None:
        """Run one statement of our own, on every shard."""

    def register_log(self, log_id: str, topic: str) -> int:
        """The epoch of this log, given when it is first seen: at least 1, the same ever after."""

    def raise_epoch(self, log_id: str, topic: str) -> int:
        """A higher epoch for this very log, from now on."""

    def new_epoch(self, topic: str, prefix: str = "") -> int:
        """A higher epoch for a topic on Kafka, whose name has that prefix there."""

    def current_epoch(self, topic: str, prefix: str = "") -> int | None:
        """The newest epoch of a topic whose name has that prefix; nothing before the first."""

    def prefix_in_force(self, topic: str) -> str | None:
        """The prefix of the topic that was given an epoch last; nothing before the first."""

    def ping(self) -> bool:
        """Whether it answers SQL now."""

    def close(self) -> None:
        """Let go of every connection."""
