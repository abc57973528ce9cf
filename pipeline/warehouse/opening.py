"""Opens the warehouse of the settings, on one node or on several shards; it must not know what for."""

from msgspec import structs

from pipeline.warehouse.address import Server, parse_shards
from pipeline.warehouse.client import Warehouse, open_warehouse
from pipeline.warehouse.handles import Handles
from pipeline.warehouse.placement import Place, places
from pipeline.warehouse.port import Store
from pipeline.warehouse.reading import Route, database_over_all, distributed
from pipeline.warehouse.shards import ShardedWarehouse


def open_store(url: str, *, password: str = "", cluster: str = "") -> Store:
    """The warehouse behind a URL as `open_warehouse` takes it, or behind one for each shard, with commas in between.

    Each of several is a server, or a balancer before the replicas of that shard; their order is that of the shards, for
    ever. `cluster` names all of them in the servers' `remote_servers`. Nothing is opened yet. ValueError: what is odd.
    """
    if "," not in url:
        return open_warehouse(url, password=password, cluster=cluster)
    if not cluster:
        raise ValueError("several shards need the name of their cluster")
    servers = parse_shards(url)
    route = distributed(cluster, servers[0].database)
    return sharded(servers, route, password=password, cluster=cluster)


def sharded(servers: list[Server], route: Route, *, password: str = "", cluster: str = "") -> ShardedWarehouse:
    """Shards on these servers, read by that route."""
    found = places(len(servers))
    shards = [_shard(server, place, password, cluster) for server, place in zip(servers, found, strict=True)]
    readers = [_reader(server, route, password, cluster) for server in servers]
    return ShardedWarehouse(shards, readers, route)


def _shard(server: Server, place: Place, password: str, cluster: str) -> Warehouse:
    return Warehouse(Handles(server, password, cluster, sharded=True, place=place))


def _reader(server: Server, route: Route, password: str, cluster: str) -> Warehouse:
    beside = structs.replace(server, database=database_over_all(server.database))
    return Warehouse(Handles(beside, password, cluster, sharded=True), route.settings)
