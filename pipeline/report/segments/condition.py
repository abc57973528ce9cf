"""A piece of SQL and its parameters; it must not know what it says."""

from typing import Any

from msgspec import Struct


class Condition(Struct, frozen=True):
    """`sql` is made of constants alone; everything somebody wrote stands in `parameters`."""

    sql: str
    parameters: dict[str, Any]


EVERYBODY = Condition("true", {})
