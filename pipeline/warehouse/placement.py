"""Which rows are on which shard, and how readers reach them; it must not open anything.

A shard is a whole warehouse of some devices. What belongs to a device is on that device's shard alone: de-duplication,
links, facts, days and the persons of its rows never need another one. What belongs to no device is on every shard, so
that each resolves persons by itself.
"""

import zlib
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from pipeline.limits import SHARDS_MAX
from pipeline.warehouse.errors import RowsRefused

BY_DEVICE = frozenset(
    {"action_log", "identity_facts", "identity_links", "links_staged", "person_devices", "trait_values"}
    | {"device_days", "device_days_due"}
    | {"user_names", "event_id_lengths"}  # of what the devices of the shard have said: the same row may be on several
)
EVERYWHERE = frozenset(
    {"alias_statements", "aliases_staged", "person_merges", "merge_components", "merged_persons"}
    | {"suppressions", "segments", "dead_letters", "log_epochs", "migrations"}
)
VIEWS_BY_DEVICE = frozenset({"actions", "devices", "visits"})  # each row comes of one device: shards answer for theirs
VIEWS_OVER_ALL = (  # each row may come of several; those that read others stand after them
    *("person_traits", "persons", "devices_of_person", "journey", "person_visits"),
    *("attributions", "attributions_as_of", "suspects_by", "suspects"),
)
PLACES = "shard_place"  # of one row: which shard this is; made where there are several, by no migration
OF_A_DEVICE = "CRC32(concat(workspace, char(0), device)) % {shards:UInt16}"  # `shard_of` in SQL


class Place(Struct, frozen=True):
    """Which shard of how many."""

    shard: int
    shards: int

    def __str__(self) -> str:
        return f"shard {self.shard} of {self.shards}"


class _Key(Struct):
    workspace: str = ""
    device: str = ""


_decode = msgspec.json.Decoder(_Key).decode


def shard_of(workspace: str, device: str, shards: int) -> int:
    """The shard of a device; never to change, or rows are written beside their older versions."""
    return zlib.crc32(f"{workspace}\0{device}".encode()) % shards


def parted(ndjson: bytes, shards: int) -> list[bytes]:
    """The lines by shard, in their order. RowsRefused where a line does not say whose it is."""
    parts: Sequence[list[bytes]] = [[] for _ in range(shards)]
    for line in ndjson.split(b"\n"):
        if line and not line.isspace():
            parts[_shard_of(line, shards)].append(line)
    return [b"\n".join(lines) for lines in parts]


def places(shards: int) -> list[Place]:
    """Of all of them, in order. ValueError for too many."""
    if not 2 <= shards <= SHARDS_MAX:
        raise ValueError(f"expected 2 to {SHARDS_MAX} shards, got {shards}")
    return [Place(number, shards) for number in range(shards)]


def _shard_of(line: bytes, shards: int) -> int:
    try:
        key = _decode(line)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise RowsRefused(f"expected an object with a workspace and a device: {error}", "INCORRECT_DATA") from None
    return shard_of(key.workspace, key.device, shards)
