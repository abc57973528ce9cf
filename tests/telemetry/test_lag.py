"""How much waits, and for how long at least, by nothing but positions and ends."""

import asyncio
from collections.abc import Mapping

from pipeline.log.port import HITS, Append, LogUnavailable
from pipeline.telemetry.lag import GroupLags, Lag
from tests.support.deadline import until
from tests.support.fake_log import FakeLog


def test_what_stood_there_at_an_earlier_look_waits_since_then() -> None:
    """It moves on with the position: each record is as old as the first look that saw it."""
    lag = Lag()
    lag.look({0: 0}, {0: 10}, 100.0)
    lag.look({0: 4}, {0: 30}, 160.0)
    assert (lag.records, lag.seconds(160.0)) == (26, 60.0)

    lag.look({0: 10}, {0: 30}, 170.0)
    assert (lag.records, lag.seconds(175.0)) == (20, 15.0)

    lag.look({0: 30}, {0: 30}, 180.0)
    assert (lag.records, lag.seconds(1_000.0)) == (0, 0.0)


def test_one_partition_that_stands_is_not_hidden_by_others_that_move() -> None:
    """The age is that of the worst."""
    lag = Lag()
    for look in range(10):
        lag.look({0: 5, 1: look}, {0: 6, 1: look + 1}, look * 60.0)

    assert lag.seconds(540.0) == 540.0


def test_the_age_of_what_was_read_is_exact_and_counts_where_it_is_more() -> None:
    """After a start nobody knows how long a record has waited, until it is read."""
    lag = Lag()
    lag.look({0: 5}, {0: 6}, 0.0)

    assert lag.seconds(1.0, oldest_s=7_200.0) == 7_200.0


def test_what_is_not_known_is_not_told() -> None:
    """A log that does not answer has no lag, and not 0 either."""
    lag = Lag()
    lag.look({0: 5}, None, 0.0)

    assert (lag.records, lag.seconds(1.0)) == (None, None)
    assert lag.seconds(1.0, oldest_s=3.0) == 3.0


def test_a_partition_that_was_given_away_is_forgotten() -> None:
    """And begins anew when it comes back."""
    lag = Lag()
    lag.look({0: 5}, {0: 6, 1: 9}, 0.0)
    lag.look({1: 9}, {0: 6, 1: 9}, 50.0)

    assert (lag.records, lag.seconds(99.0)) == (0, 0.0)


def test_a_day_of_standing_still_is_remembered_in_little_room() -> None:
    """Looks are thinned out, and no record ever looks older than it is."""
    lag = Lag()
    for look in range(20_000):
        lag.look({0: 0}, {0: look + 1}, float(look))
    lag.look({0: 10_000}, {0: 20_000}, 20_000.0)

    assert sum(len(seen) for seen in lag._seen.values()) <= 129
    assert 5_000.0 < (lag.seconds(20_000.0) or 0) <= 10_000.0


class Moody(FakeLog):
    """Does not say where topics end while it is `silent`."""

    silent = False

    async def span(self, topic: str) -> Mapping[int, tuple[int, int]]:
        if self.silent:
            raise LogUnavailable("the log does not answer")
        return await super().span(topic)


async def test_a_groups_lag_is_what_none_of_its_readers_has_stored() -> None:
    """By topic; a log that is away for a while is asked again."""
    log = Moody(2)
    await log.append([Append(HITS, partition, b"{}", {}) for partition in (0, 0, 1)])
    log.positions[HITS, "stitch"] = {0: 1}
    lags = GroupLags(log, {HITS: "stitch", "aliases": "sink-aliases"}, look_s=0.001)
    watching = asyncio.create_task(lags.watch())
    await until(lambda: lags.records() == {HITS: 2, "aliases": 0}, within_s=5)
    assert lags.seconds({HITS: 50.0}) == {HITS: 50.0, "aliases": 0.0}

    log.silent = True
    await until(lambda: lags.records() == {}, within_s=5)
    log.silent = False
    await until(lambda: lags.records() == {HITS: 2, "aliases": 0}, within_s=5)
    watching.cancel()
