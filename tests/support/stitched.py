"""Records of `stitched` in memory, and what a warehouse shows of them; it must not know how they get there."""

from typing import Any

import msgspec

from pipeline.log.port import STITCHED, Append
from pipeline.model import ACTION_SCHEMA, LINK_SCHEMA, Link
from pipeline.warehouse.client import Warehouse
from tests.support.actions import ndjson


def record(*lines: msgspec.Struct, partition: int = 0) -> Append:
    """One record of actions, or of links."""
    schema = LINK_SCHEMA if isinstance(lines[0], Link) else ACTION_SCHEMA
    return raw(ndjson(*lines), schema, partition)


def raw(value: bytes, schema: str = ACTION_SCHEMA, partition: int = 0) -> Append:
    """One record of any bytes."""
    return Append(STITCHED, partition, value, {"schema": schema, "count": str(value.count(b"\n") + 1)})


def truth(warehouse: Warehouse) -> list[list[Any]]:
    """All that can be seen: every action, every link, every dead letter."""
    actions = warehouse.query("SELECT * FROM actions ORDER BY workspace, device, day, event_id").rows
    links = warehouse.query("SELECT * FROM identity_links FINAL ORDER BY ALL").rows
    dead = warehouse.query("SELECT * FROM dead_letters FINAL ORDER BY id").rows
    return [*actions, *links, *dead]


def shown(warehouse: Warehouse) -> dict[str, str]:
    """Event to person."""
    rows = warehouse.query("SELECT event_id, person_id FROM actions ORDER BY event_id").rows
    return {row[0]: row[1] for row in rows}
