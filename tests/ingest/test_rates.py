"""A site that floods is told when to come again, and no other site notices."""

from pathlib import Path

import orjson

from pipeline.ingest.rates import BURST_S, Rates
from pipeline.limits import RETRY_AFTER_S
from tests.support.fake_log import FakeLog
from tests.support.http_server import call, hits_in, post_hits, running


class Clock:
    """Stands still until it is moved."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_a_site_may_send_its_rate_for_ever_and_a_burst_at_once() -> None:
    """Ten a second, for an hour; then five seconds' worth in one."""
    clock = Clock()
    rates = Rates(10, clock)
    for _ in range(3_600):
        clock.now_s += 1
        assert 0 == rates.wait_s(["shop"] * 10)
    clock.now_s += 60

    assert [0] * (10 * BURST_S) == [rates.wait_s(["shop"]) for _ in range(10 * BURST_S)]
    assert 1 == rates.wait_s(["shop"])


def test_a_batch_larger_than_the_burst_passes_and_is_made_good() -> None:
    """Nobody is locked out by a batch's size; the wait is what it takes, and no longer than anybody is told to wait."""
    clock = Clock()
    rates = Rates(10, clock)
    assert 0 == rates.wait_s(["shop"] * 150)
    assert 10 == rates.wait_s(["shop"])
    clock.now_s += 9.9
    assert 1 == rates.wait_s(["shop"])
    clock.now_s += 0.2
    assert 0 == rates.wait_s(["shop"] * 100_000)

    assert RETRY_AFTER_S == rates.wait_s(["shop"])


def test_one_at_ten_times_the_rate_leaves_another_alone() -> None:
    """Its own share gets through, and nothing of the other's is taken."""
    clock = Clock()
    rates = Rates(100, clock)
    passed = {"loud": 0, "quiet": 0}
    for _ in range(1_000):
        clock.now_s += 0.01
        passed["loud"] += sum(not rates.wait_s(["loud"]) for _ in range(10))
        passed["quiet"] += not rates.wait_s(["quiet"])

    assert passed["quiet"] == 1_000
    assert 1_000 <= passed["loud"] <= 1_000 + 100 * BURST_S + 1


def test_hits_of_several_sites_pass_together_or_not_at_all() -> None:
    """A bulk is one request with one answer; what it would have taken is not taken."""
    clock = Clock()
    rates = Rates(1, clock)
    assert 0 == rates.wait_s(["a"] * BURST_S)

    assert [1, 1] == [rates.wait_s(["a", "b"]) for _ in range(2)]
    assert [0] * BURST_S == [rates.wait_s(["b"]) for _ in range(BURST_S)]


def test_without_a_limit_nothing_is_kept() -> None:
    """The default."""
    rates = Rates(0)

    assert {0} == {rates.wait_s([str(n)]) for n in range(100)}
    assert rates._buckets == {}


async def test_a_sender_past_the_limit_is_told_when_to_come_again(tmp_path: Path) -> None:
    """429 with Retry-After and CORS, counted; nothing of it is in the log, and its books balance."""
    log = FakeLog()
    async with running(tmp_path, log, site_hits_per_second_max=1) as app:
        many = orjson.dumps([{"event_id": f"e{n}"} for n in range(20)])
        taken = await post_hits(app, many)
        refused = await post_hits(app, b'[{"event_id":"late"}]', origin="https://shop.example")
        other = await call(app, "GET", "/matomo.php", query="idsite=2&rec=1")

        assert (200, 429, 200) == (taken.status, refused.status, other.status)
        assert 1 <= int(refused.headers["retry-after"]) <= RETRY_AFTER_S
        assert refused.headers["access-control-allow-origin"]
        assert 1 == app.counts.hits["web", "native", "shed", "rate"]
        assert (0, 0) == (app.counts.unaccounted, app.counts.in_flight)
    assert "late" not in {hit.event_id for hit in hits_in(log)}
