"""Two numbers a row as bars from the left, one under the other; it must not know what they are."""

from collections.abc import Callable, Sequence

from msgspec import Struct

_CHAR_PX = 7.2
_BAR_PX, _UNDER_PX = 12.0, 9.0


class Pair(Struct, frozen=True):
    """A row. Words stand behind each bar."""

    name: str
    y: float
    bar: float
    bar_words: str
    under: float
    under_words: str


class Pairs(Struct, frozen=True):
    """`left`: where bars begin. `name_x`, `name_y`: where names stand, from a row's y."""

    rows: tuple[Pair, ...]
    left: float
    name_y: float
    width: float
    height: float


def pairs(
    rows: Sequence[tuple[str, float, float]], words: Callable[[float], str], width: float, names_px: float = 0
) -> Pairs:
    """`names_px`: the room for names on the left; none: they stand above their bars."""
    most = max((max(a, b) for _, a, b in rows), default=0) or 1
    above = 0.0 if names_px else 18.0
    step = above + _BAR_PX + _UNDER_PX + 17
    longest = max((len(words(number)) for _, a, b in rows for number in (a, b)), default=0)
    room = width - names_px - longest * _CHAR_PX - 20
    chars = int((names_px - 14 if names_px else width) / _CHAR_PX)
    drawn = [
        Pair(
            name if len(name) <= chars else name[: chars - 1] + "…",
            round(4 + number * step + above, 1),
            round(max(a / most * room, 1.0 if a else 0.0), 1),
            words(a),
            round(max(b / most * room, 1.0 if b else 0.0), 1),
            words(b),
        )
        for number, (name, a, b) in enumerate(rows)
    ]
    return Pairs(tuple(drawn), names_px, 15.0 if names_px else -6.0, width, round(len(rows) * step + 4, 1))
