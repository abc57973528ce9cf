"""A policy to audit by: the rules' numbers and user IDs that are none; it must not know which one is in force."""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
import yaml
from msgspec import Meta, Struct

from pipeline.identity.policy import Policy
from pipeline.limits import DAY_MS


class PolicyError(ValueError):
    """What is odd about a policy file: the key, what was expected, what it got."""


class AuditPolicy(Struct, frozen=True):
    """The numbers of the rules, and user IDs that count as none beside those that were refused on arrival.

    `illegal_ids` are lower case; a pattern must match a whole lower-case ID, in the syntax of RE2.
    """

    numbers: Policy
    illegal_ids: tuple[str, ...] = ()
    illegal_id_patterns: tuple[str, ...] = ()

    def parameters(self) -> dict[str, Any]:
        """As the view `attributions` takes them."""
        return {
            "lookback_ms": self.numbers.lookback_ms,
            "bucket_ms": self.numbers.bucket_ms,
            "users_per_bucket_max": self.numbers.users_per_bucket_max,
            "logouts_per_bucket_max": self.numbers.logouts_per_bucket_max,
            "users_per_device_max": self.numbers.users_per_device_max,
            "illegal_ids": list(self.illegal_ids),
            "illegal_id_patterns": list(self.illegal_id_patterns),
        }

    @property
    def version(self) -> str:
        """Twelve hex digits that change whenever anything in the policy does."""
        return hashlib.sha256(json.dumps(self.parameters(), sort_keys=True).encode()).hexdigest()[:12]


Count = Annotated[int, Meta(ge=1, le=1_000_000)]


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    """What a policy file may say; what it leaves out stays as it is. The bounds are those of the settings."""

    lookback_days: Annotated[int, Meta(ge=1, le=366)] | None = None
    users_per_device_max: Annotated[int, Meta(ge=1, le=32)] | None = None
    users_per_bucket_max: Count | None = None
    logouts_per_bucket_max: Count | None = None
    illegal_ids: tuple[Annotated[str, Meta(min_length=1)], ...] = ()
    illegal_id_patterns: tuple[Annotated[str, Meta(min_length=1)], ...] = ()


def parse(text: str, now: Policy) -> AuditPolicy:
    """The policy of a YAML text, where it changes `now`. Raises PolicyError."""
    file = _read(text)
    changed = {
        "lookback_ms": None if file.lookback_days is None else file.lookback_days * DAY_MS,
        "users_per_device_max": file.users_per_device_max,
        "users_per_bucket_max": file.users_per_bucket_max,
        "logouts_per_bucket_max": file.logouts_per_bucket_max,
    }
    numbers = msgspec.structs.replace(now, **{name: value for name, value in changed.items() if value is not None})
    for pattern in file.illegal_id_patterns:
        try:
            re.compile(pattern)
        except re.error as error:
            raise PolicyError(f"illegal_id_patterns: expected regular expressions, got {pattern!r}: {error}") from None
    illegal = sorted({text.strip().casefold() for text in file.illegal_ids})
    return AuditPolicy(numbers, tuple(illegal), tuple(sorted(set(file.illegal_id_patterns))))


def _read(text: str) -> _File:
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise PolicyError(f"not YAML{f' at line {mark.line + 1}' if mark else ''}") from None
    allowed = _File.__struct_fields__
    if not isinstance(document, Mapping) or not document:
        raise PolicyError(f"expected some of {', '.join(allowed)}; got {type(document).__name__}")
    unknown = sorted(str(name) for name in document if name not in allowed)
    if unknown:
        raise PolicyError(f"{unknown[0]}: no such key; expected some of {', '.join(allowed)}")
    try:
        return msgspec.convert(document, _File)
    except msgspec.ValidationError as error:
        raise PolicyError(str(error)) from None
