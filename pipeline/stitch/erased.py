"""Hits and device states without those who were forgotten; it must not know who asked, or where either is kept."""

import msgspec

from pipeline.identity.device import after, renamed, users_of
from pipeline.identity.stitcher import Key
from pipeline.model import Hit, HitHead
from pipeline.privacy.suppression import Suppression, nameless, stub
from pipeline.stitch.record import Decoded

_hit = msgspec.json.Decoder(Hit).decode
_head = msgspec.json.Decoder(HitHead).decode


def without(decoded: Decoded, forgotten: Suppression) -> Decoded:
    """The hits that may be kept: logins on devices that others use too as stubs, which say when and not who."""
    if forgotten.nobody:
        return decoded
    left = Decoded([], [], [], decoded.dead, decoded.gone, decoded.unreadable, decoded.reason)
    for line, head, t_ms in zip(decoded.lines, decoded.heads, decoded.times, strict=True):
        fate = forgotten.fate(head)
        if fate == "gone":
            left.gone += 1
            continue
        kept = line if fate == "kept" else msgspec.json.encode(stub(forgotten.key, _hit(line)))
        left.lines.append(kept)
        left.heads.append(head if fate == "kept" else _head(kept))
        left.times.append(t_ms)
    return left


def state_without(key: Key, state: bytes, forgotten: Suppression) -> bytes | None:
    """An encoded device state in which they have no name; None of a device that was theirs alone.

    Parts of a state may be joined before or after: all that can differ is when, within its half hour, a span begins
    that goes on after a device was theirs alone.
    """
    if forgotten.nobody:
        return state
    until_ms = forgotten.gone_until(*key)
    left = after(state, until_ms) if until_ms >= 0 else state
    if left is None:
        return None
    theirs = [user for user in users_of(left) if forgotten.user(key[0], user)]
    return renamed(left, {user: nameless(forgotten.key, *key, user) for user in theirs}) if theirs else left
