"""Whom to forget again whenever they come back, by keyed hashes alone; it must not know where anything is stored.

A login of somebody forgotten stays a fact on a device that others use too, so that nobody inherits their pages: it is
kept as a *stub*, a hit that says when somebody of no name signed in there, and nothing else.
"""

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Literal

from msgspec import Struct

from pipeline.identity.ids import NAMELESS, device_of
from pipeline.model import Alias, Hit, HitHead, Suppressed
from pipeline.times import ms_of

_DOMAIN = b"seamline/erasure/1"
KEY_BYTES_MIN = 32


Spans = tuple[tuple[int, int], ...]  # first and last instant, epoch ms
Fate = Literal["kept", "stub", "gone"]


class Suppression(Struct, frozen=True):
    """`key`: of all hashes. `users`: hashes of users. `devices`: hash of a device that was theirs alone -> the last
    instant of it. `spans`: hash of a device that others use too -> when it was theirs."""

    key: bytes = b""
    users: frozenset[str] = frozenset()
    devices: Mapping[str, int] = {}
    spans: Mapping[str, Spans] = {}

    def __repr__(self) -> str:
        """Without the key."""
        return f"Suppression({len(self.users)} users, {len(self.devices)} devices)"

    @property
    def nobody(self) -> bool:
        """Whether there is nobody to forget."""
        return not (self.users or self.devices or self.spans)

    def user(self, workspace: str, user_id: str) -> bool:
        """Whether this user was forgotten."""
        return bool(user_id and self.users) and user_hash(self.key, workspace, user_id) in self.users

    def fate(self, hit: Hit | HitHead) -> Fate:
        """What may be kept of a hit: all of it, a stub, or nothing."""
        theirs = self.user(hit.workspace, hit.user_id)
        if hit.user_id and not theirs:
            return "kept"
        if hit.anonymous_id and self._gone(hit, theirs):
            return "gone"
        if not theirs:
            return "kept"
        return "stub" if hit.anonymous_id else "gone"

    def hit(self, hit: Hit) -> Hit | None:
        """The hit, its stub, or nothing."""
        fate = self.fate(hit)
        return hit if fate == "kept" else stub(self.key, hit) if fate == "stub" else None

    def gone_until(self, workspace: str, anonymous_id: str) -> int:
        """The last instant of a device that was theirs alone; -1 for any other."""
        return self.devices.get(device_hash(self.key, workspace, anonymous_id), -1) if self.devices else -1

    def _gone(self, hit: Hit | HitHead, theirs: bool) -> bool:
        """Whether it was done on a device of theirs, or in their time on another: there a login leaves its stub."""
        if not (self.devices or self.spans):
            return False
        t_ms, name = ms_of(hit.ts), device_hash(self.key, hit.workspace, hit.anonymous_id)
        if t_ms <= self.devices.get(name, -1):
            return True
        return not theirs and any(first <= t_ms <= last for first, last in self.spans.get(name, ()))

    def aliases(self, statements: Iterable[Alias]) -> list[Alias]:
        """Those that name nobody who was forgotten."""
        return [
            s for s in statements if not (self.user(s.workspace, s.user_id) or self.user(s.workspace, s.previous_id))
        ]


NOBODY = Suppression()


def suppression_of(key: bytes, rows: Iterable[Suppressed]) -> Suppression:
    """Everybody whom the rows name, whatever their order and however often they are repeated."""
    users, devices, spans = set[str](), dict[str, int](), dict[str, set[tuple[int, int]]]()
    for row in rows:
        if row.kind == "user":
            users.add(row.hash)
        elif row.kind == "device":
            devices[row.hash] = max(ms_of(row.until), devices.get(row.hash, -1))
        else:
            spans.setdefault(row.hash, set()).add((ms_of(row.since), ms_of(row.until)))
    return Suppression(key, frozenset(users), devices, {name: tuple(sorted(when)) for name, when in spans.items()})


def key_id(key: bytes) -> str:
    """Tells one erasure key from another."""
    return _hash(key, "key")[:8]


def user_hash(key: bytes, workspace: str, user_id: str) -> str:
    """What stands for a user in `suppressions`."""
    return _hash(key, "user", workspace, user_id)


def device_hash(key: bytes, workspace: str, anonymous_id: str) -> str:
    """What stands for a device in `suppressions`."""
    return _hash(key, "device", workspace, anonymous_id)


def nameless(key: bytes, workspace: str, anonymous_id: str, user_id: str) -> str:
    """The user ID of somebody forgotten, on this device: another one on every other."""
    return NAMELESS + _hash(key, "nameless", workspace, anonymous_id, user_id)


def stub(key: bytes, hit: Hit) -> Hit:
    """A login or logout without anything of whose it was."""
    event_id = _hash(key, "event", hit.workspace, hit.event_id)
    return Hit(
        workspace=hit.workspace,
        site_id=hit.site_id,
        event_id=event_id,
        ts=hit.ts,
        received_at=hit.received_at,
        device=device_of(hit.anonymous_id, "", event_id),
        day=hit.day,
        protocol=hit.protocol,
        type="erased",
        anonymous_id=hit.anonymous_id,
        user_id=nameless(key, hit.workspace, hit.anonymous_id, hit.user_id),
        holds=hit.holds,
        logout=hit.logout,
    )


@lru_cache(maxsize=65_536)
def _hash(key: bytes, *parts: str) -> str:
    text = b"\0".join((_DOMAIN, *(part.encode() for part in parts)))
    return hmac.new(key, text, hashlib.sha256).hexdigest()[:32]
