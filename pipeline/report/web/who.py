"""Who a person is to look at: a name, IDs, traits; it must not know what they did."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from pipeline.report.web.devices import initials, short

_NAMES = ("name", "full_name", "fullName", "displayName", "display_name")
_FIRST, _LAST = ("first_name", "firstName", "firstname"), ("last_name", "lastName", "lastname")
_NAME_CHARS_MAX = 80


class Who(Struct, frozen=True):
    """`known`: somebody signed in. `named`: a trait says what they are called."""

    name: str
    initials: str
    user_ids: tuple[str, ...]
    traits: tuple[tuple[str, str], ...]
    known: bool
    named: bool


def who(user_ids: Sequence[str], traits: Mapping[str, Any], device: str = "") -> Who:
    """The name that a trait says, else the first user ID, else that nobody signed in."""
    named = _first(traits, _NAMES) or " ".join(part for part in (_first(traits, _FIRST), _first(traits, _LAST)) if part)
    used = {*_NAMES, *_FIRST, *_LAST} if named else set()
    shown = tuple((key, str(value)) for key, value in sorted(traits.items()) if key not in used)
    if named or user_ids:
        name = (named or user_ids[0])[:_NAME_CHARS_MAX]
        return Who(name, initials(name), tuple(user_ids), shown, bool(user_ids), bool(named))
    return Who(f"Device {short(device)}" if device else "Nobody yet", "?", (), shown, False, False)


def unnamed(person: str) -> Who:
    """Somebody who may well have a name, where it was not told."""
    return Who(f"Person {person[:8]}", "?", (), (), known=True, named=False)


def _first(traits: Mapping[str, Any], keys: Sequence[str]) -> str:
    return next((str(traits[key]).strip() for key in keys if str(traits.get(key, "")).strip()), "")


def said(raw: str) -> str:
    """A trait's JSON as people read it: texts without their quotes."""
    try:
        value = json.loads(raw)
    except ValueError:
        return raw
    return value if isinstance(value, str) else raw
