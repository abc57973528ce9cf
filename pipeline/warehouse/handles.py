"""Connections with their settings fixed at opening, lent one at a time; it must not know what is asked through them.

A handle that failed is closed, never lent again: after an error the embedded engine may put the left-over output of the
failed query in front of the next answer, and a socket may be half read.
"""

import logging
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import Error

from pipeline.warehouse.address import Embedded, Server
from pipeline.warehouse.errors import WarehouseRefused, WarehouseUnavailable, verdict
from pipeline.warehouse.placement import Place
from pipeline.warehouse.places import claim, hold
from pipeline.warehouse.replication import WRITE, database_of

Settings = Mapping[str, str]
IDLE_MAX = 8  # kept open a set of settings; more may be open while in use
CONNECT_SECONDS = 10
REPLY_SECONDS = 300  # an insert behind a full merge queue is slow, not lost
# Both log the URL of a failed request, and with it the parameters of the query: somebody's user ID.
for _name in ("clickhouse_connect", "urllib3.connectionpool"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)

# Younger than the oldest server we speak to.
OPTIONAL = frozenset({"deduplicate_insert", "deduplicate_insert_select"})
_ENGINE = "SELECT max(engine) FROM system.databases WHERE name = {n:String}"
_ONE_NODE = "`{}` is a database of one node: SEAMLINE_CLICKHOUSE_CLUSTER needs one that it has made itself"
_REPLICATED = "`{}` is a database of a cluster: name that in SEAMLINE_CLICKHOUSE_CLUSTER"


class Handles:
    """Idle connections to one database, by their settings. Safe to use from several threads.

    `cluster`: the name, among a server's `remote_servers`, of the replicas that keep it; "" for one node. Then each
    connection has a session of its own, so that two statements can be held to one replica.
    `sharded`: that cluster has several shards, each with a database of its own. `place`: which of them this is; without
    one, it is the database in which all of them are read.
    """

    def __init__(
        self,
        address: Embedded | Server,
        password: str = "",
        cluster: str = "",
        *,
        sharded: bool = False,
        place: Place | None = None,
    ) -> None:
        self.cluster = cluster
        self._sharded, self._place = sharded, place
        self._address = address
        self._password = password
        self._idle: dict[tuple[tuple[str, str], ...], list[Client]] = {}
        self._anchor: Client | None = None
        self._sort_known = False  # that the database of a server is one node's, or a cluster's, as it was said
        self._lock = threading.Lock()
        self._closed = False

    @property
    def database(self) -> str:
        """The name of the database, fit to stand in SQL."""
        return self._address.database.replace("`", "")

    @property
    def credentials(self) -> str:
        """`USER '…' PASSWORD '…'` of a server's user; empty for the engine in this process."""
        if isinstance(self._address, Embedded):
            return ""
        return f"USER {_quoted(self._address.user)} PASSWORD {_quoted(self._password)}"

    @contextmanager
    def lend(self, settings: Settings) -> Iterator[Client]:
        """A connection nobody else uses meanwhile. The errors of its user too come out as ours."""
        key = tuple(settings.items())
        try:
            with self._lock:
                if self._closed:
                    raise WarehouseUnavailable("the warehouse has been closed")
                client = self._idle[key].pop() if self._idle.get(key) else None
            client = client or self._open(self._address.database, settings)
        except Error as error:
            raise verdict(error) from None
        try:
            yield client
        except BaseException as error:
            client.close()
            if isinstance(error, Error):
                raise verdict(error) from None
            raise
        self._give_back(key, client)

    def create_database(self) -> None:
        """Make the database if it is not there. A user who may not create one must find it there.

        On a cluster, make it wherever it is missing, and have this replica know all that others made in it.
        WarehouseRefused when it is of the other sort.
        """
        database = self.database
        try:
            client = self._open("default", WRITE if self.cluster else {})
            try:
                asked = "SELECT max(engine) FROM system.databases WHERE name = {n:String}"
                engine = client.command(asked, {"n": database})
                if engine and (engine == "Replicated") != bool(self.cluster):
                    raise WarehouseRefused(
                        (_ONE_NODE if self.cluster else _REPLICATED).format(database), "OTHER_ENGINE"
                    )
                if self.cluster:
                    client.command(database_of(database, self.cluster, sharded=self._sharded))
                    client.command(f"SYSTEM SYNC DATABASE REPLICA `{database}`")
                elif not engine:
                    client.command(f"CREATE DATABASE IF NOT EXISTS `{database}`")
            finally:
                client.close()
            if self._place is not None:
                self._claim(self._place)
        except Error as error:
            raise verdict(error) from None

    def _claim(self, place: Place) -> None:
        """Have the database be that shard, which its connections ask for from then on."""
        self._sort_known = True
        client = self._open(self._address.database, WRITE if self.cluster else {})
        try:
            claim(client, self.database, place, self.cluster)
        except BaseException:
            self._sort_known = False
            raise
        finally:
            client.close()

    def close(self) -> None:
        """Close what is idle; what is lent is closed when it comes back."""
        with self._lock:
            self._closed = True
            idle = [client for clients in self._idle.values() for client in clients]
            self._idle.clear()
            anchor, self._anchor = self._anchor, None
        for client in [*idle, *([anchor] if anchor else [])]:
            client.close()

    def _made(self, client: Client) -> bool:
        """Whether the database is there. WarehouseRefused when it is of the other sort: half of what is said to a
        cluster as to one node would be done by one replica alone."""
        engine = client.command(_ENGINE, {"n": self.database})
        if engine and (engine == "Replicated") != bool(self.cluster):
            raise WarehouseRefused((_ONE_NODE if self.cluster else _REPLICATED).format(self.database), "OTHER_ENGINE")
        if engine and (self._place is not None or not self._sharded):
            hold(client, self.database, self._place, self.cluster)
        return bool(engine)

    def _give_back(self, key: tuple[tuple[str, str], ...], client: Client) -> None:
        with self._lock:
            idle = self._idle.setdefault(key, [])
            keep = not self._closed and len(idle) < IDLE_MAX
            if keep:
                idle.append(client)
        if not keep:
            client.close()

    def _open(self, database: str, settings: Settings) -> Client:
        if isinstance(self._address, Embedded):
            return self._open_embedded(self._address, database, settings)
        client = clickhouse_connect.get_client(
            interface="https" if self._address.secure else "http",
            host=self._address.host,
            port=self._address.port,
            username=self._address.user,
            password=self._password,
            database=database,
            autogenerate_session_id=False,
            session_id=str(uuid.uuid4()) if self.cluster else None,
            dedicated_pool=bool(self.cluster),  # sockets are shared otherwise, and each is a replica's
            connect_timeout=CONNECT_SECONDS,
            send_receive_timeout=REPLY_SECONDS,
            query_retries=0,
            show_clickhouse_errors="scrub",
        )
        if not self._sort_known and database == self._address.database:
            try:
                self._sort_known = self._made(client)
            except BaseException:
                client.close()
                raise
        return _fix(client, settings)

    def _open_embedded(self, address: Embedded, database: str, settings: Settings) -> Client:
        """The first one stays open until the end: the engine stops when its last connection closes."""
        options: dict[str, Any] = {"interface": "chdb", "path": address.path, "show_clickhouse_errors": "scrub"}
        with self._lock:
            if self._anchor is None:
                try:
                    self._anchor = clickhouse_connect.get_client(**options)
                except Error as error:
                    why = f"cannot open {address.path}; does another process hold it? {error}"
                    raise WarehouseUnavailable(why) from None
                self._anchor.command(f"CREATE DATABASE IF NOT EXISTS `{self.database}`")
        return _fix(clickhouse_connect.get_client(database=database, **options), settings)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _fix(client: Client, settings: Settings) -> Client:
    """Give the connection its settings, in order: `readonly`, after which nothing can be set, has to come last."""
    try:
        for name, value in settings.items():
            if name not in OPTIONAL or name in client.server_settings:
                client.set_client_setting(name, value)
    except BaseException:
        client.close()
        raise
    return client
