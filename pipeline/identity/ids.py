"""What counts as an ID, and the ID of a person; it must not know where the text came from."""

import hashlib
import re
from collections.abc import Iterable
from functools import lru_cache
from uuid import NAMESPACE_URL, UUID, uuid5

from msgspec import Struct

from pipeline.limits import ID_CHARS_MAX

SEAMLINE = uuid5(NAMESPACE_URL, "https://seamline.dev/person")

# Block lists of PostHog, Segment and Contentsquare, and what MetricsWave's and Matomo's trackers send for "nobody".
_WORDS = (
    *("", "null", "undefined", "none", "nil", "nan", "n/a", "na", "0", "-1", "true", "false", "anonymous", "guest"),
    *("unknown", "unidentified", "test", "id", "user_id", "userid", "email", "distinct_id", "not_authenticated"),
    *("anonymoususer", "[object object]"),
)
_NIL_FORMS = ("00000000-0000-0000-0000-000000000000", "{00000000-0000-0000-0000-000000000000}")
NAMELESS = "erased:"  # what a forgotten user's logins go by on a device that others use; nobody may send it
_ONLY_ZEROS = re.compile(r"[0\-{}]*")


def _digests(words: Iterable[str]) -> frozenset[str]:
    """Lower-case hex SHA-256 of each word as trackers write it: a hash made on the client hides the word, not us."""
    spellings = {form for word in words for form in (word, word.upper(), word.capitalize())}
    spellings |= {"NaN", "[object Object]", "anonymousUser", "AnonymousUser", "userId"}
    return frozenset(hashlib.sha256(form.encode()).hexdigest() for form in spellings)


_ILLEGAL = frozenset(_WORDS) | _digests((*_WORDS, *_NIL_FORMS))


class BannedIds(Struct, frozen=True):
    """A site's own additions: texts (compared trimmed and case-folded) and patterns (must match the whole text)."""

    texts: frozenset[str] = frozenset()
    patterns: tuple[re.Pattern[str], ...] = ()


def legal_id(text: str, banned: BannedIds | None = None) -> str:
    """The ID as it is used (trimmed, otherwise unchanged), or "" when the text is no ID at all.

    Too long is illegal, never cut: two cut IDs could become one person.
    """
    trimmed = text.strip()
    folded = trimmed.casefold()
    if (
        len(trimmed) > ID_CHARS_MAX
        or folded in _ILLEGAL
        or _ONLY_ZEROS.fullmatch(folded)
        or folded.startswith(NAMELESS)
    ):
        return ""
    if banned is not None and (folded in banned.texts or any(p.fullmatch(folded) for p in banned.patterns)):
        return ""
    return trimmed


def device_of(anonymous_id: str, user_id: str, event_id: str) -> str:
    """The text that chooses a row's partition and sort key."""
    if anonymous_id:
        return f"d:{anonymous_id}"
    return f"u:{user_id}" if user_id else f"h:{event_id}"


@lru_cache(maxsize=4_096)
def _workspace_namespace(workspace: str) -> bytes:
    return uuid5(SEAMLINE, workspace).bytes


def _person(workspace: str, name: str) -> str:
    """`uuid5` without the UUID object: it is made once a hit."""
    raw = bytearray(hashlib.sha1(_workspace_namespace(workspace) + name.encode(), usedforsecurity=False).digest()[:16])
    raw[6] = raw[6] & 0x0F | 0x50
    raw[8] = raw[8] & 0x3F | 0x80
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


@lru_cache(maxsize=65_536)
def user_person(workspace: str, user_id: str) -> str:
    """The person of a user ID: computed, never looked up."""
    return _person(workspace, "user:" + user_id)


@lru_cache(maxsize=65_536)
def device_person(workspace: str, anonymous_id: str) -> str:
    """The person of a device nobody signed in on."""
    return _person(workspace, "device:" + anonymous_id)


def hit_person(workspace: str, event_id: str) -> str:
    """The person of a hit with neither ID: alone."""
    return _person(workspace, "hit:" + event_id)


def reference_person(workspace: str, name: str) -> str:
    """The same by the book (RFC 9562 version 5), for anyone who checks us."""
    return str(uuid5(UUID(bytes=_workspace_namespace(workspace)), name))
