"""Members of a stranger's JSON object, read as what they are meant to be; it must not know any member by name.

Trackers of this kind are never refused for a member of the wrong type: it is none.
"""

import math
from typing import Any

from pipeline.protocols.clock import parse_any, plausible
from pipeline.protocols.forms import clean


def text(value: Any) -> str:
    """A text without what cannot be stored; a number as written (IDs are often numbers); else ""."""
    if type(value) is str:
        return clean(value)
    return str(value) if type(value) is int or (type(value) is float and math.isfinite(value)) else ""


def mapping(value: Any) -> dict[str, Any]:
    """An object, or an empty one."""
    return value if type(value) is dict else {}


def moment(value: Any) -> int | None:
    """ISO 8601 or a number of seconds or milliseconds, as plausible epoch milliseconds."""
    written = text(value)
    read = parse_any(written) if written else None
    return read if read is not None and plausible(read) else None


def amount(value: Any) -> float | None:
    """A finite number, also when it was sent as text."""
    if type(value) is str:
        try:
            value = float(value)
        except ValueError:
            return None
    return float(value) if type(value) in (int, float) and math.isfinite(value) else None


def currency(value: Any) -> str:
    """Three letters (ISO 4217) in upper case, else ""."""
    said = text(value).strip()
    return said.upper() if len(said) == 3 and said.isascii() and said.isalpha() else ""
