"""Times as trackers write them, and what they mean given when they were sent and received; it reads no clock."""

from datetime import UTC, datetime
from typing import Literal

from pipeline.limits import FUTURE_MS_MAX, MINUTE_MS, SECOND_MS, SKEW_MS_MIN, TIME_MIN_MS
from pipeline.times import EPOCH

Clock = Literal["", "corrected", "clamped"]

TIME_CHARS_MAX = 40  # 2026-11-22T10:00:00.123456+01:00 has 32
CLIENT_MS_MAX = 4_102_444_800_000  # 2100-01-01: a client's day must fit ClickHouse's Date, and no clock is that wrong
_SECONDS_MAX = 100_000_000_000  # 5138 as seconds, 1973 as milliseconds: no tracker's time is near


def parse_iso(text: str) -> int | None:
    """ISO 8601 (or `Y-m-d H:i:s`, with or without `+0100`) as epoch milliseconds; without a zone it is UTC."""
    if len(text) > TIME_CHARS_MAX:
        return None
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        passed = moment - EPOCH
    except (ValueError, OverflowError):
        return None
    return (passed.days * 86_400 + passed.seconds) * 1_000 + passed.microseconds // 1_000


def parse_epoch(text: str) -> int | None:
    """A decimal number of seconds or, from 1e11 on, of milliseconds, as epoch milliseconds."""
    if len(text) > TIME_CHARS_MAX or not text.isascii() or not text.replace(".", "", 1).isdigit():
        return None
    number = float(text)
    return int(number * SECOND_MS) if number < _SECONDS_MAX else int(number)


def parse_any(text: str) -> int | None:
    """Either of the two, trimmed; None when it is neither."""
    trimmed = text.strip()
    epoch = parse_epoch(trimmed)
    return parse_iso(trimmed) if epoch is None else epoch


def plausible(client_ms: int) -> bool:
    """Whether a client's own reading can be used at all: from 2000 on, before 2100."""
    return TIME_MIN_MS <= client_ms < CLIENT_MS_MAX


def skew_ms(sent_ms: int, now_ms: int) -> int:
    """How far the client's clock is behind ours: whole minutes, and nothing up to 60 s, so that a retry agrees."""
    behind = now_ms - sent_ms
    if abs(behind) <= SKEW_MS_MIN:
        return 0
    return (behind + MINUTE_MS // 2) // MINUTE_MS * MINUTE_MS


def event_time(client_ms: int | None, sent_ms: int | None, now_ms: int) -> tuple[int, int, Clock]:
    """(event time, the client's own uncorrected time, what was done), all in epoch milliseconds.

    Without a client's time both are arrival. With `sent_ms` the client's clock is corrected, unless that leads before
    2000. What is then still more than an hour ahead of arrival is clamped to arrival.
    """
    if client_ms is None:
        return now_ms, now_ms, ""
    shift = 0 if sent_ms is None else skew_ms(sent_ms, now_ms)
    corrected = client_ms + shift
    if corrected < TIME_MIN_MS:
        corrected, shift = client_ms, 0
    if corrected > now_ms + FUTURE_MS_MAX:
        return now_ms, client_ms, "clamped"
    return corrected, client_ms, "corrected" if shift else ""
