"""Instants and lengths as people read them, in one time zone; it must not know what time it is now."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from pipeline.limits import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_LONG_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_LONG_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
_UNITS = ((DAY_MS, "d"), (HOUR_MS, "h"), (MINUTE_MS, "min"), (SECOND_MS, "s"))


class Clock:
    """One zone; `now_ms` is when the page was made."""

    def __init__(self, zone: ZoneInfo, now_ms: int) -> None:
        self.zone = zone
        self.now_ms = now_ms

    def at(self, ms: int) -> datetime:
        """The instant there."""
        return datetime.fromtimestamp(ms / 1_000, UTC).astimezone(self.zone)

    def date(self, ms: int) -> date:
        """The day there."""
        return self.at(ms).date()

    def time(self, ms: int) -> str:
        """`19:42`."""
        return f"{self.at(ms):%H:%M}"

    def day(self, ms: int) -> str:
        """`Tue 3 Nov`."""
        return day_name(self.date(ms))

    def day_time(self, ms: int) -> str:
        """`Tue 3 Nov 19:42`."""
        return f"{self.day(ms)} {self.time(ms)}"

    def near(self, ms: int) -> str:
        """`yesterday, 16:55`; `3 Aug`; with the year where it is another one."""
        there, today = self.date(ms), self.date(self.now_ms)
        days = (today - there).days
        if days in (0, 1):
            return f"{('today', 'yesterday')[days]}, {self.time(ms)}"
        short = f"{there.day} {_MONTHS[there.month - 1]}"
        return short if there.year == today.year else f"{short} {there.year}"

    def range(self, first_ms: int, last_ms: int) -> str:
        """`19:42–19:55`; one time where it is the same minute."""
        first, last = self.time(first_ms), self.time(last_ms)
        return first if first == last else f"{first}–{last}"

    def offset_changes(self, first_ms: int, last_ms: int) -> int:
        """By how many minutes the clocks went forward between them; less than 0: back."""
        before, after = self.at(first_ms).utcoffset(), self.at(last_ms).utcoffset()
        assert before is not None
        assert after is not None
        return int((after - before).total_seconds() // 60)


def day_name(day: date) -> str:
    """`Tue 3 Nov`."""
    return f"{_DAYS[day.weekday()]} {day.day} {_MONTHS[day.month - 1]}"


def short_day(day: date) -> str:
    """`3 Nov`."""
    return f"{day.day} {_MONTHS[day.month - 1]}"


def long_day(day: date) -> str:
    """`Sunday 22 November`."""
    return f"{_LONG_DAYS[day.weekday()]} {day.day} {_LONG_MONTHS[day.month - 1]}"


def month_name(day: date) -> str:
    """`Nov`."""
    return _MONTHS[day.month - 1]


def length(ms: float) -> str:
    """`3 d 12 h`: the two largest units, whole ones."""
    rest = int(ms)
    for at, (size, name) in enumerate(_UNITS):
        if rest < size:
            continue
        smaller, small_name = _UNITS[min(at + 1, len(_UNITS) - 1)]
        small = rest % size // smaller
        return f"{rest // size} {name}" + (f" {small} {small_name}" if small else "")
    return "0 s"


def count(number: int, noun: str, plural: str = "") -> str:
    """`1 device`, `2,310 devices`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
