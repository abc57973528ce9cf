"""What is left of a line of the log when somebody is forgotten; it must not know which log.

Every topic is rewritten by its own rule: hits and actions lose her lines or keep stubs, links and aliases lose theirs,
and a dead letter goes when its bytes name her.
"""

import base64
import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote, quote_plus

import msgspec
from msgspec import Struct

from pipeline.identity.ids import user_person
from pipeline.model import (
    ACTION_SCHEMA,
    ALIAS_SCHEMA,
    DEAD_LETTER_SCHEMA,
    HIT_SCHEMA,
    LINK_SCHEMA,
    Action,
    Alias,
    DeadLetter,
    Hit,
    Link,
)
from pipeline.privacy.suppression import stub

Row = tuple[str, str]  # device, event ID


class Forgotten(Struct, frozen=True):
    """Who: the user IDs of one person in one workspace. Where: `devices` (anonymous IDs) that go whole, up to `until`
    (ISO); `rows`: her actions on devices that others use too. `key`: of the stubs."""

    workspace: str
    users: frozenset[str]
    persons: frozenset[str]
    devices: frozenset[str]
    rows: frozenset[Row]
    until: str
    key: bytes

    def __repr__(self) -> str:
        """Without anybody's name."""
        return f"Forgotten({len(self.users)} users, {len(self.devices)} devices, {len(self.rows)} rows)"

    @property
    def names(self) -> list[bytes]:
        """Every text that must not be found any more, in each way that a URL, a form or JSON may spell it."""
        return _spelt(self.users | self.devices)


@lru_cache(maxsize=4)
def _spelt(names: frozenset[str]) -> list[bytes]:
    """Asked for every dead letter, and the same each time."""
    spelt = [(name, quote(name, safe=""), quote_plus(name), *_in_json(name)) for name in names]
    return sorted({form.encode() for forms in spelt for form in forms})


def _in_json(name: str) -> tuple[str, str]:
    return json.dumps(name)[1:-1], json.dumps(name, ensure_ascii=False)[1:-1]


def rewritten(value: bytes, schema: str, gone: Forgotten) -> bytes:
    """The record's value without her; the very same bytes where she is not in it."""
    rule = _RULES.get(schema)
    if rule is None:
        return value
    lines = value.split(b"\n")
    kept = [left for line in lines if (left := rule(line, gone)) is not None]
    return value if kept == lines else b"\n".join(kept)


def _hit(line: bytes, gone: Forgotten) -> bytes | None:
    return _row(line, _hits, gone)


def _action(line: bytes, gone: Forgotten) -> bytes | None:
    return _row(line, _actions, gone)


def _row(line: bytes, decode: Callable[[bytes], Any], gone: Forgotten) -> bytes | None:
    try:
        row = decode(line)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return _other(line, gone)
    if row.workspace != gone.workspace:
        return line
    if row.anonymous_id in gone.devices and row.ts <= gone.until:
        return None
    if row.user_id in gone.users:
        return _stub(row, gone.key) if row.anonymous_id else None
    if not row.user_id and (row.device, row.event_id) in gone.rows:
        return None
    return line


def _stub(row: Any, key: bytes) -> bytes:
    left = stub(key, row)
    return msgspec.json.encode(stub_action(left, row.version) if isinstance(row, Action) else left)


def stub_action(left: Hit, version: int) -> Action:
    """The stub as a row: somebody of no name."""
    fields = {name: getattr(left, name) for name in left.__struct_fields__}
    person = user_person(left.workspace, left.user_id)
    return Action(**fields, person_id=person, attribution="identified", version=version)


def _link(line: bytes, gone: Forgotten) -> bytes | None:
    try:
        link = _links(line)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return _other(line, gone)
    hers = link.user_id in gone.users or link.person_id in gone.persons or link.anonymous_id in gone.devices
    hers = hers or (link.device, link.event_id) in gone.rows
    return None if hers and link.workspace == gone.workspace else line


def _alias(line: bytes, gone: Forgotten) -> bytes | None:
    try:
        said = _aliases(line)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return _other(line, gone)
    hers = {said.user_id, said.previous_id} & gone.users
    return None if hers and said.workspace == gone.workspace else line


def _dead(line: bytes, gone: Forgotten) -> bytes | None:
    try:
        letter = _letters(line)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return _other(line, gone)
    return None if names_her(letter.payload, letter.detail, gone) else line


def names_her(payload: str, detail: str, gone: Forgotten) -> bool:
    """Whether a dead letter's bytes hold one of her names. What cannot be read as base64 is taken as it is."""
    try:
        text = base64.b64decode(payload)
    except ValueError:
        text = payload.encode()
    text += b"\n" + detail.encode()
    return any(name in text for name in gone.names)


def _other(line: bytes, gone: Forgotten) -> bytes | None:
    """A line that is not what it should be: gone if it names her."""
    return None if any(name in line for name in gone.names) else line


_hits = msgspec.json.Decoder(Hit).decode
_actions = msgspec.json.Decoder(Action).decode
_links = msgspec.json.Decoder(Link).decode
_aliases = msgspec.json.Decoder(Alias).decode
_letters = msgspec.json.Decoder(DeadLetter).decode
_RULES: Mapping[str, Callable[[bytes, Forgotten], bytes | None]] = {
    HIT_SCHEMA: _hit,
    ACTION_SCHEMA: _action,
    LINK_SCHEMA: _link,
    ALIAS_SCHEMA: _alias,
    DEAD_LETTER_SCHEMA: _dead,
}
