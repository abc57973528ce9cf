"""Whose address a request comes from: X-Forwarded-For is believed only from proxies that were named."""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address

Network = IPv4Network | IPv6Network


class Proxies:
    """The networks whose word about the client is taken."""

    def __init__(self, networks: Iterable[Network]) -> None:
        self._networks = tuple(networks)
        self._trusts = lru_cache(maxsize=4_096)(self._look_up)

    def client(self, peer: str, headers: Iterable[tuple[bytes, bytes]]) -> str:
        """The last address that no trusted proxy vouches for: those before it are the client's own invention."""
        if not self._networks or not self._trusts(peer):
            return peer
        forwarded = b",".join(value for name, value in headers if name == b"x-forwarded-for").decode("latin-1")
        client = peer
        for hop in reversed(forwarded.split(",")):
            address = _bare(hop)
            if not _is_address(address):
                break
            client = address
            if not self._trusts(address):
                break
        return client

    def trusts(self, peer: str) -> bool:
        """Whether whoever is at the other end is one of them."""
        return bool(self._networks) and self._trusts(peer)

    def _look_up(self, address: str) -> bool:
        try:
            ip = ip_address(address)
        except ValueError:
            return False
        return any(ip in network for network in self._networks)


def is_private(address: str) -> bool:
    """Whether an address cannot come from the Internet: loopback, or a private network."""
    try:
        return ip_address(address).is_private
    except ValueError:
        return False


def _bare(hop: str) -> str:
    """`203.0.113.7:4711` and `[2001:db8::1]:4711`, as some proxies write them, without the port."""
    hop = hop.strip()
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
