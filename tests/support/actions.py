"""Actions and links with the fields a test cares about; the rest is filled in."""

from typing import Any

import msgspec

from pipeline.identity.ids import device_of, device_person, user_person
from pipeline.model import Action, Link
from pipeline.times import iso, ms_of

NOON = "2026-09-01T12:00:00.000Z"


def at(minutes: float) -> str:
    """So many minutes after noon."""
    return iso(ms_of(NOON) + round(minutes * 60_000))


def action(event_id: str, minutes: float = 0, *, device: str = "phone", user: str = "", **fields: Any) -> Action:
    """A hit on a device, nobody's unless `user` says so."""
    workspace = fields.setdefault("workspace", "shop")
    person = user_person(workspace, user) if user else device_person(workspace, device)
    values: dict[str, Any] = {
        "site_id": "www",
        "event_id": event_id,
        "ts": at(minutes),
        "received_at": at(minutes),
        "device": device_of(device, user, event_id),
        "day": at(minutes)[:10],
        "type": "page",
        "anonymous_id": device,
        "user_id": user,
        "person_id": person,
        "attribution": "identified" if user else "anonymous",
        "version": 1,
    }
    return msgspec.convert(values | fields, Action)


def link(start: float, end: float, *, version: int, device: str = "phone", user: str = "alice", **fields: Any) -> Link:
    """The device's rows from `start` to `end` (minutes after noon, inclusive) belong to `user`, or to nobody."""
    workspace = fields.setdefault("workspace", "shop")
    values: dict[str, Any] = {
        "device": f"d:{device}",
        "anonymous_id": device,
        "start": at(start),
        "end": at(end),
        "person_id": user_person(workspace, user) if user else device_person(workspace, device),
        "user_id": user,
        "attribution": "backfilled" if user else "anonymous",
        "version": version,
        "event_id": "login",
        "decided_at": at(end),
    }
    return msgspec.convert(values | fields, Link)


def ndjson(*lines: msgspec.Struct) -> bytes:
    """As the log holds them."""
    return b"\n".join(msgspec.json.encode(line) for line in lines)
