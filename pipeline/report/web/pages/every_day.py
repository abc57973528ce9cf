"""Days of a period, those without anything too; it must not know what is counted."""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta

from pipeline.report.asking import Row
from pipeline.report.web.moments import short_day
from pipeline.report.web.pages.page import Asked, Period


def every_day(asked: Asked, span: Period, rows: Iterable[Row], numbers: Sequence[str]) -> list[Row]:
    """A row for each day, in order; one that is not among `rows` has nought for each of `numbers`."""
    found = {row["date"]: row for row in rows}
    first = asked.clock.date(span.since_ms)
    days = [(first + timedelta(days=number)).isoformat() for number in range(span.days)]
    filled = [found.get(day, {"date": day, **dict.fromkeys(numbers, 0)}) for day in days]
    return [{**row, "short": short_day(date.fromisoformat(row["date"]))} for row in filled]
