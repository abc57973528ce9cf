"""Times of clients: what is read, what is corrected, and that a retry gets the same answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.limits import FUTURE_MS_MAX, HOUR_MS, MINUTE_MS, TIME_MIN_MS
from pipeline.protocols.clock import CLIENT_MS_MAX, event_time, parse_any, parse_iso, plausible, skew_ms
from tests.protocols.build import NOW_MS

TEN_MS = 1_763_802_000_000  # 2025-11-22T09:00:00Z


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2025-11-22T09:00:00Z", TEN_MS),
        ("2025-11-22T09:00:00.000Z", TEN_MS),
        ("2025-11-22T09:00:00.123456Z", TEN_MS + 123),
        ("2025-11-22T10:00:00+01:00", TEN_MS),
        ("2025-11-22 10:00:00+0100", TEN_MS),
        ("2025-11-22 09:00:00", TEN_MS),
        ("2025-11-22T09:00:00", TEN_MS),
        ("20251122T090000Z", TEN_MS),
        ("1763802000", TEN_MS),
        ("1763802000.5", TEN_MS + 500),
        ("1763802000000", TEN_MS),
        (" 1763802000 ", TEN_MS),
        ("", None),
        ("yesterday", None),
        ("2025-02-30", None),
        ("2025-11-22T09:00:60Z", None),
        ("-1", None),
        ("1e9", None),
        ("٣", None),
        ("NaN", None),
        ("9" * 41, None),
        ("2025-11-22T09:00:00" + "0" * 40, None),
        ("0001-01-01T00:00:00+23:00", -62_135_679_600_000),
    ],
)
def test_times_are_read_as_trackers_write_them(text: str, expected: int | None) -> None:
    """Seconds, milliseconds, ISO 8601, and Matomo's `Y-m-d H:i:s` with or without a zone; no zone is UTC."""
    assert expected == parse_any(text)


@pytest.mark.parametrize(
    ("behind_ms", "expected"),
    [
        (0, 0),
        (60_000, 0),
        (-60_000, 0),
        (60_001, MINUTE_MS),
        (-60_001, -MINUTE_MS),
        (2 * HOUR_MS + 29_000, 2 * HOUR_MS),
        (-2 * HOUR_MS - 29_000, -2 * HOUR_MS),
    ],
)
def test_a_clock_is_corrected_from_a_minute_on_by_whole_minutes(behind_ms: int, expected: int) -> None:
    """Below that, the difference is the network's, and correcting it would give every retry another time."""
    assert expected == skew_ms(NOW_MS - behind_ms, NOW_MS)


def test_without_a_clients_time_it_is_arrival() -> None:
    """Both the event's time and its day are ours then."""
    assert (NOW_MS, NOW_MS, "") == event_time(None, None, NOW_MS)


def test_a_wrong_clock_is_put_right() -> None:
    """A client two hours ahead that says when it sent."""
    ahead = NOW_MS + 2 * HOUR_MS

    assert (NOW_MS - 5_000, ahead - 5_000, "corrected") == event_time(ahead - 5_000, ahead, NOW_MS)


def test_the_future_is_clamped_from_an_hour_on() -> None:
    """An hour ahead is kept, a millisecond more is arrival; the client's own day stays."""
    edge = NOW_MS + FUTURE_MS_MAX

    assert (edge, edge, "") == event_time(edge, None, NOW_MS)
    assert (NOW_MS, edge + 1, "clamped") == event_time(edge + 1, None, NOW_MS)


def test_a_correction_never_leads_before_2000() -> None:
    """A send time from another century says nothing about the event."""
    assert (TIME_MIN_MS, TIME_MIN_MS, "") == event_time(TIME_MIN_MS, CLIENT_MS_MAX - 1, NOW_MS)


@pytest.mark.parametrize("sent", [None, NOW_MS - 3 * HOUR_MS, NOW_MS + 9 * HOUR_MS])
@pytest.mark.parametrize("delay_ms", [1, 900, 20_000])
def test_a_retry_gets_the_same_time_and_day(sent: int | None, delay_ms: int) -> None:
    """The second attempt arrives later and, if the client stamps its attempts, was sent later."""
    client_ms = (sent or NOW_MS) - 1_000
    first = event_time(client_ms, sent, NOW_MS)
    again = event_time(client_ms, sent and sent + delay_ms, NOW_MS + delay_ms + 7)

    assert first == again


@given(st.integers(TIME_MIN_MS, CLIENT_MS_MAX - 1), st.none() | st.integers(TIME_MIN_MS, CLIENT_MS_MAX - 1))
def test_every_plausible_time_has_a_defined_result(client_ms: int, sent_ms: int | None) -> None:
    """From 2000 on, at most an hour after arrival, and the client's own reading is passed through untouched."""
    ts_ms, told_ms, what = event_time(client_ms, sent_ms, NOW_MS)

    assert TIME_MIN_MS <= ts_ms <= NOW_MS + FUTURE_MS_MAX
    assert told_ms == client_ms
    assert what in ("", "corrected", "clamped")


@given(st.text(max_size=50))
def test_no_text_breaks_the_reader(text: str) -> None:
    """It is a time or it is None."""
    assert parse_any(text) is None or isinstance(parse_any(text), int)
    assert parse_iso(text) is None or isinstance(parse_iso(text), int)


def test_plausible_is_2000_up_to_2100() -> None:
    """Both borders."""
    assert [False, True, True, False] == [
        plausible(ms) for ms in (TIME_MIN_MS - 1, TIME_MIN_MS, CLIENT_MS_MAX - 1, CLIENT_MS_MAX)
    ]
