"""Epoch milliseconds to the log's ISO text and back; it must not know what time it is now."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def iso(ms: int) -> str:
    """`1760000400123` -> `2025-10-09T09:00:00.123Z`: what ClickHouse reads as DateTime64(3), never as seconds."""
    second, rest = divmod(ms, 1_000)
    return f"{_second(second)}.{rest:03d}Z"


@lru_cache(maxsize=4_096)
def _second(seconds: int) -> str:
    """Hits of one moment share it: formatting costs three times the look-up."""
    return (EPOCH + timedelta(seconds=seconds)).isoformat()[:-6]


def ms_of(text: str) -> int:
    """The reverse of `iso`; any ISO 8601 with an offset. Raises ValueError on anything else."""
    since = datetime.fromisoformat(text) - EPOCH
    return since.days * 86_400_000 + since.seconds * 1_000 + since.microseconds // 1_000


def day(ms: int) -> str:
    """The UTC day, `2025-10-09`."""
    return (EPOCH + timedelta(milliseconds=ms)).strftime("%Y-%m-%d")
