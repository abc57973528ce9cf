"""What the text of a setting may be: parsers whose ValueError says what was expected; they know no setting by name."""

import re
from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from urllib.parse import urlsplit

from pipeline.limits import SHARDS_MAX


def whole(low: int, high: int) -> Callable[[str], int]:
    """A parser of whole numbers within these bounds, both included."""

    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit() and low <= int(text) <= high):
            raise ValueError(f"a whole number from {low} to {high}")
        return int(text)

    return parse


def name(text: str) -> str:
    """A name."""
    if not text or any(c.isspace() for c in text):
        raise ValueError("a name without spaces")
    return text


def one_of(*words: str) -> Callable[[str], str]:
    """A parser of one of these words, in any case."""

    def parse(text: str) -> str:
        if text.upper() not in words:
            raise ValueError(f"one of {', '.join(words)}")
        return text.upper()

    return parse


def topic_prefix(text: str) -> str:
    """The beginning of names on Kafka."""
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,32}", text):
        raise ValueError("up to 32 of the letters, digits, `.`, `_` and `-`")
    return text


def path(text: str) -> str:
    """A file or folder."""
    if "\0" in text or not text.strip():
        raise ValueError("a path")
    return text


def log_url(text: str) -> str:
    """Where the event log is."""
    if text.startswith("local:///"):
        return text
    url = urlsplit(text)
    hosts = [host.rpartition(":") for host in url.netloc.split(",")] if url.scheme == "kafka" else []
    if hosts and url.path in ("", "/") and all(name and port.isdigit() for name, _, port in hosts):
        return text
    raise ValueError("`local:///folder` or `kafka://host:port,host:port`")


def warehouse_url(text: str) -> str:
    """Where ClickHouse is, without its password."""
    urls = [urlsplit(url) for url in text.split(",")]
    if any(url.password is not None for url in urls):
        raise ValueError("a URL without a password: name a file in SEAMLINE_WAREHOUSE_PASSWORD_FILE instead")
    if len(urls) == 1 and urls[0].scheme == "chdb" and urls[0].path.startswith("/"):
        return text
    if all(url.scheme in ("clickhouse", "clickhouses") and url.hostname for url in urls):
        if len({url.path.strip("/") for url in urls}) > 1 or len({url.netloc for url in urls}) < len(urls):
            raise ValueError("another server for each shard, with one name of the database on all of them")
        if len(urls) > SHARDS_MAX:
            raise ValueError(f"up to {SHARDS_MAX} shards")
        return text
    raise ValueError(
        "`chdb:///folder`, `clickhouse://user@host:8123/database` or `clickhouses://` for TLS; one a shard, with commas"
    )


def cluster(text: str) -> str:
    """The name of a cluster in ClickHouse's `remote_servers`."""
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", text):
        raise ValueError("up to 64 of the letters, digits, `_`, `.` and `-`")
    return text


def secret(where: str) -> str:
    """What stands in the file of that name, without its last line break."""
    try:
        return Path(where).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        why = (error.strerror if isinstance(error, OSError) else "") or type(error).__name__
        raise ValueError(f"a readable file ({why})") from error


def hosts(text: str) -> tuple[str, ...]:
    """Host names, comma-separated, without a port."""
    names = tuple(part.strip().lower() for part in text.split(",") if part.strip())
    if any(not all(c.isalnum() or c in "-._[]" for c in name) for name in names):
        raise ValueError("host names without a port, comma-separated")
    return names


def networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """Networks, comma-separated."""
    try:
        return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())
    except ValueError:
        raise ValueError("addresses or networks like `10.0.0.0/8,::1`, comma-separated") from None
