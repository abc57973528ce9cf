"""Holds a statement and its catching up to one replica of a cluster; it must not know what the statement asks."""

from collections.abc import Callable
from functools import cached_property
from typing import Any, TypeVar

from clickhouse_connect.driver.exceptions import Error

from pipeline.warehouse.errors import ReplicaChanged, WarehouseUnavailable
from pipeline.warehouse.handles import Handles, Settings
from pipeline.warehouse.migration_files import migrations
from pipeline.warehouse.replication import SYNC_SECONDS, Sources, first, sources

_TIMEOUT_EXCEEDED = 159
_SYNC = {"receive_timeout": str(SYNC_SECONDS)}
_SAME_SERVER = {"session_check": "1"}  # refused where this connection's session is not
_MOVES_MAX = 5  # a balancer that sends every request of a connection elsewhere is none we can work with

T = TypeVar("T")
Run = Callable[[Any, dict[str, str] | None], T]  # a connection, and what holds a request to the server it spoke to last


class Replicas:
    """On one node it only lends connections."""

    def __init__(self, handles: Handles) -> None:
        self._handles = handles

    def caught_up(self, sql: str, settings: Settings, run: Run[T]) -> T:
        """`run` what `sql` says where all is that it needs: of the tables that it reads, all that was acknowledged.

        Raises what `run` raises, and WarehouseUnavailable when no replica catches up in time, or can be held to.
        """
        before = first(sql, self._sources, self._handles.database) if self._handles.cluster else []
        moves = 0
        while True:
            try:
                with self._handles.lend(settings) as client:
                    for number, statement in enumerate(before):
                        _catch_up(client, statement, _SAME_SERVER if number else None)
                    return run(client, _SAME_SERVER if before else None)
            except ReplicaChanged:
                moves += 1
                if moves > _MOVES_MAX:
                    raise

    @cached_property
    def _sources(self) -> Sources:
        return sources(statement for migration in migrations() for statement in migration.statements())


def _catch_up(client: Any, statement: str, same: dict[str, str] | None) -> None:
    try:
        client.command(statement, settings={**_SYNC, **(same or {})})
    except Error as error:
        if error.code == _TIMEOUT_EXCEEDED:
            raise WarehouseUnavailable(f"a replica is not done within {SYNC_SECONDS} s with {statement}") from None
        raise
