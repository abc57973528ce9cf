"""What a device is called and looks like; it must not know its actions."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

_ICONS = {
    **dict.fromkeys(("smartphone", "phone", "mobile", "phablet", "feature phone"), "phone"),
    "tablet": "tablet",
    "desktop": "laptop",
    "app": "app",
}
_KINDS = {"phone": "phone", "laptop": "computer", "tablet": "tablet", "app": "app", "desktop": "device"}
_ID_CHARS = 12


class Device(Struct, frozen=True):
    """As it is shown. `short`: enough of its ID to tell two apart."""

    device: str
    name: str
    icon: str
    kind: str
    short: str


def icon(device_type: str) -> str:
    """The name of a symbol."""
    return _ICONS.get(device_type.lower(), "desktop")


def device(row: Mapping[str, Any]) -> Device:
    """Of anything with `device`, `device_type`, `browser` and `os`."""
    picture = icon(row["device_type"] or "")
    parts = [part for part in (row["os"], row["browser"]) if part]
    known_as = str(row["device"])
    return Device(known_as, " · ".join(parts) or _nameless(known_as), picture, _KINDS[picture], short(known_as))


def _nameless(device: str) -> str:
    return {"u": "From a server", "h": "Without an ID"}.get(device[:1], "A device")


def short(device: str) -> str:
    """`c41f…a5e3`."""
    bare = device.partition(":")[2] or device
    return bare if len(bare) <= _ID_CHARS else f"{bare[:4]}…{bare[-4:]}"


def initials(name: str) -> str:
    """Two letters of a name; of an ID its last two characters that say anything."""
    words = [word for word in name.split() if word[:1].isalpha()]
    if len(words) > 1:
        return (words[0][0] + words[-1][0]).upper()
    useful = [c for c in name if c.isalnum()]
    return "".join(useful[:2] if words and name.isalpha() else useful[-2:]).upper() or "?"
