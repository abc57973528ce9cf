"""Where a warehouse is, read from one URL; it must not open anything."""

from pathlib import PurePosixPath
from urllib.parse import parse_qs, unquote, urlsplit

from msgspec import Struct

DATABASE = "seamline"
_PORTS = {"clickhouse": 8123, "clickhouses": 8443}
_EXPECTED = "chdb:///absolute/directory or clickhouse://user@host:8123/database (clickhouses:// for TLS)"


class Embedded(Struct, frozen=True):
    """ClickHouse inside this process: one directory, one process at a time."""

    path: str
    database: str = DATABASE


class Server(Struct, frozen=True):
    """A ClickHouse server or one replica of a cluster, over HTTP."""

    host: str
    port: int
    user: str
    secure: bool
    database: str = DATABASE


def parse(url: str) -> Embedded | Server:
    """`chdb:///path[?database=name]`, `clickhouse[s]://[user@]host[:port][/database]`; ValueError says what it got.

    A password has no place in a URL, which ends up in process lists and logs.
    """
    parts = urlsplit(url)
    if parts.password is not None:
        raise ValueError("a warehouse URL carries no password; give it apart")
    if parts.scheme == "chdb" and not parts.netloc and PurePosixPath(parts.path).is_absolute() and parts.path != "/":
        return Embedded(unquote(parts.path), parse_qs(parts.query).get("database", [DATABASE])[0])
    if parts.scheme in _PORTS and parts.hostname and "," not in url:
        return Server(
            parts.hostname,
            parts.port or _PORTS[parts.scheme],
            unquote(parts.username or "default"),
            parts.scheme == "clickhouses",
            unquote(parts.path.strip("/")) or DATABASE,
        )
    raise ValueError(f"expected {_EXPECTED}; got {url!r}")


def parse_shards(urls: str) -> list[Server]:
    """The servers of several shards, from their URLs with commas in between; ValueError says what is odd."""
    servers = [parse(url) for url in urls.split(",")]
    odd = [server for server in servers if not isinstance(server, Server)]
    if odd or len({server.database for server in servers}) > 1:
        raise ValueError(f"expected clickhouse:// servers with one name of a database; got {urls!r}")
    if len({(server.host, server.port) for server in servers if isinstance(server, Server)}) < len(servers):
        raise ValueError(f"expected a server for each shard; got one of them twice: {urls!r}")
    return [server for server in servers if isinstance(server, Server)]
