"""Epoch milliseconds to the log's ISO text and back; it must not know what time it is now."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MINUTES = tuple(f"{minute // 60:02d}:{minute % 60:02d}" for minute in range(1_440))


def iso(ms: int) -> str:
    """`1760000400123` -> `2025-10-09T09:00:00.123Z`: what ClickHouse reads as DateTime64(3), never as seconds."""
    seconds, rest = divmod(ms, 1_000)
    days, of_day = divmod(seconds, 86_400)
    minute, second = divmod(of_day, 60)
    return f"{_date(days)}T{_MINUTES[minute]}:{second:02d}.{rest:03d}Z"


@lru_cache(maxsize=4_096)
def _date(days: int) -> str:
    """Formatting a date costs ten times the look-up."""
    return (EPOCH + timedelta(days=days)).isoformat()[:10]


def ms_of(text: str) -> int:
    """The reverse of `iso`; any ISO 8601 with an offset. Raises ValueError on anything else."""
    since = datetime.fromisoformat(text) - EPOCH
    return since.days * 86_400_000 + since.seconds * 1_000 + since.microseconds // 1_000


def day(ms: int) -> str:
    """The UTC day, `2025-10-09`."""
    return _date(ms // 86_400_000)
