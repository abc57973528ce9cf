"""Numbers as shades of ink, darkest for the most; it must not know what they count."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

_SHADES = 5


class Cell(Struct, frozen=True):
    """`shade`: 1 to 5, 0 for nothing. `marked`: has a dashed edge."""

    value: float
    shade: int
    marked: bool = False


def shade(value: float, most: float) -> int:
    """0 for nothing, else 1 to 5."""
    return min(int(value / most * (_SHADES - 0.01)) + 1, _SHADES) if value > 0 and most > 0 else 0


def matrix(cells: Mapping[tuple[str, str], float], names: Sequence[str]) -> list[tuple[str, list[Cell]]]:
    """From each name to each; the same is marked."""
    most = max(cells.values(), default=0)
    return [(a, [Cell(cells.get((a, b), 0), shade(cells.get((a, b), 0), most), a == b) for b in names]) for a in names]
