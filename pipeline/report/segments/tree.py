"""What a segment says, as a tree; it must not know how it is written or asked."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Sign = Literal["=", "<", "<=", ">", ">="]
How = Literal["=", "<", "<=", ">", ">=", "contains", "starts", "in"]


class Compare(Struct, frozen=True):
    """A field beside values. `key` names a property or a trait. Relative times are milliseconds before the end."""

    field: str
    key: str
    how: How
    values: tuple[str | float, ...]
    relative: bool = False


class Did(Struct, frozen=True):
    """So many actions for which all of `parts` holds; without `within_ms`, in the period."""

    parts: tuple[Node, ...]
    count: float = 1
    sign: Sign = ">="
    within_ms: int | None = None


class Not(Struct, frozen=True):
    """The opposite."""

    part: Node


class Every(Struct, frozen=True):
    """All of these."""

    parts: tuple[Node, ...]


class Either(Struct, frozen=True):
    """At least one of these."""

    parts: tuple[Node, ...]


Node = Compare | Did | Not | Every | Either
