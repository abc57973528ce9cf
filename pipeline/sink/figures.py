"""What a sink counts; it must not know how any of it came about."""

from msgspec import Struct


class Figures(Struct):
    """What a sink has done since it started; what is met again after a crash counts again."""

    rows: int = 0
    links: int = 0
    links_held: int = 0
    refused: int = 0
    dead_letters: int = 0
    aliases: int = 0
    merges: int = 0
    merges_refused: int = 0
    flushes: int = 0
    flush_seconds: float = 0.0
    suspects: dict[str, int] = {}  # guard to how many, as of the last count
