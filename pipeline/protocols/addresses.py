"""IP addresses cut down to the network before they reach the log; it must not know where an address came from."""

from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network

_PREFIX = {4: 24, 6: 48}


@lru_cache(maxsize=16_384)
def truncated(address: str) -> str:
    """`203.0.113.7` -> `203.0.113.0`, `2001:db8:1:2::3` -> `2001:db8:1::`; "" for what is no address."""
    try:
        ip = ip_address(address.strip().partition("%")[0])
    except ValueError:
        return ""
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return str(ip_network((ip, _PREFIX[ip.version]), strict=False).network_address)
