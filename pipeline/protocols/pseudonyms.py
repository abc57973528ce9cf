"""An ID under a site's key: what leaves ingest where the policy says so; it must not know where keys are kept."""

import hashlib
import hmac
from functools import lru_cache
from typing import Literal

from msgspec import Struct

PseudonymField = Literal["user_id", "anonymous_id"]
KEY_BYTES_MIN = 32
_DOMAIN = b"seamline/pseudonym/1"


class Pseudonyms(Struct, frozen=True):
    """A key with its public name, and the fields it hides. The name is part of every pseudonym, so that keys can
    change: `previous` is the key before, for as long as it lives, so that a user's old name and new one can be joined.
    """

    key_id: str
    key: bytes
    fields: frozenset[str] = frozenset({"user_id"})
    previous: "Pseudonyms | None" = None

    def __repr__(self) -> str:
        """Without the key: settings and errors are printed."""
        return f"Pseudonyms({self.key_id!r})"


def pseudonym(keys: Pseudonyms | None, workspace: str, which: PseudonymField, value: str) -> str:
    """`k1:` and 64 hex digits of HMAC-SHA-256; the value itself where nothing hides this field, and "" for "".

    Workspace and field are part of what is signed: one person's pseudonyms in two workspaces say nothing of each other.
    """
    if keys is None or not value or which not in keys.fields:
        return value
    return _signed(keys.key_id, keys.key, workspace, which, value)


def former_id(keys: Pseudonyms | None, workspace: str, user_id: str) -> str:
    """What the user went by under the key before; "" where there is none."""
    if keys is None or keys.previous is None or "user_id" not in keys.fields:
        return ""
    return pseudonym(keys.previous, workspace, "user_id", user_id)


@lru_cache(maxsize=16_384)
def _signed(key_id: str, key: bytes, workspace: str, which: str, value: str) -> str:
    text = b"\0".join((_DOMAIN, workspace.encode(), which.encode(), value.encode()))
    return f"{key_id}:{hmac.new(key, text, hashlib.sha256).hexdigest()}"
