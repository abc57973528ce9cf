"""A site or an address that floods is told when to come again, and no other notices."""

from ipaddress import ip_network
from pathlib import Path

import orjson

from pipeline.ingest.rates import BURST_S, AddressRates, Rates
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


def passed(rates: AddressRates, address: str, requests: int) -> int:
    """How many of them at once."""
    return sum(not rates.wait_s(address) for _ in range(requests))


def test_an_address_may_send_its_rate_for_ever_and_a_burst_at_once() -> None:
    """And leaves every other its own."""
    clock = Clock()
    rates = AddressRates(10, clock)
    for _ in range(600):
        clock.now_s += 1
        assert 10 == passed(rates, "192.0.2.1", 10)
    clock.now_s += 60

    assert 10 * BURST_S == passed(rates, "192.0.2.1", 1_000)
    assert 10 * BURST_S == passed(rates, "192.0.2.2", 1_000)
    clock.now_s += 1
    assert 10 == passed(rates, "192.0.2.1", 1_000)


def test_what_a_request_turned_out_to_be_is_made_good() -> None:
    """A batch passes whatever its size; the next waits for it, and no longer than anybody is told to wait."""
    clock = Clock()
    rates = AddressRates(10, clock)
    assert 0 == rates.wait_s("192.0.2.1")
    rates.take("192.0.2.1", 149)
    assert 10 == rates.wait_s("192.0.2.1")
    clock.now_s += 10.1
    assert 0 == rates.wait_s("192.0.2.1")
    rates.take("192.0.2.1", 100_000)

    assert RETRY_AFTER_S == rates.wait_s("192.0.2.1")


def test_who_has_one_address_has_its_network() -> None:
    """Of IPv6 a /64; an IPv4 address stays one, however it is written."""
    rates = AddressRates(1, Clock())
    assert BURST_S == passed(rates, "2001:db8::1", 100)
    assert BURST_S == passed(rates, "192.0.2.1", 100)

    assert [0, 0] == [passed(rates, "2001:db8::ffff:2", 100), passed(rates, "::ffff:192.0.2.1", 100)]
    assert [BURST_S, BURST_S] == [passed(rates, "2001:db8:0:1::1", 100), passed(rates, "192.0.2.2", 100)]


def test_addresses_are_bounded_and_the_one_seen_longest_ago_begins_anew() -> None:
    """It is counted if it had something to make good; who goes on flooding is not forgotten."""
    clock = Clock()
    rates = AddressRates(1, clock, addresses_max=100)
    assert BURST_S == passed(rates, "192.0.2.1", 100)
    for number in range(1_000):
        rates.wait_s(f"10.0.{number // 250}.{number % 250}")
        assert number % 50 or rates.wait_s("192.0.2.1")

    assert (100, 901) == (len(rates._buckets), rates.forgotten)
    clock.now_s += 60
    for number in range(100):
        rates.wait_s(f"10.1.0.{number}")
    assert (100, 901) == (len(rates._buckets), rates.forgotten)


async def test_an_address_past_the_limit_is_told_when_to_come_again(tmp_path: Path) -> None:
    """Before its body is read: 429 with Retry-After and CORS, counted, nothing in the log; by the proxy's word."""
    log = FakeLog()
    trusted = (ip_network("203.0.113.0/24"),)
    async with running(tmp_path, log, address_hits_per_second_max=1, trusted_proxies=trusted) as app:
        many = orjson.dumps([{"event_id": f"e{n}"} for n in range(20)])
        loud, quiet = {"x-forwarded-for": "198.51.100.1"}, {"x-forwarded-for": "198.51.100.2"}
        taken = await post_hits(app, many, **loud)
        refused = await post_hits(app, b'[{"event_id":"late"}]', origin="https://shop.example", **loud)
        other = await post_hits(app, b'[{"event_id":"other"}]', **quiet)
        asked = await call(app, "GET", "/health/ready", headers=loud)

        assert (200, 429, 200, 200) == (taken.status, refused.status, other.status, asked.status)
        assert 1 <= int(refused.headers["retry-after"]) <= RETRY_AFTER_S
        assert refused.headers["access-control-allow-origin"]
        assert 1 == app.counts.events["address_limited"]
        assert (0, 0) == (app.counts.unaccounted, app.counts.in_flight)
    assert {"late", "other"} & {hit.event_id for hit in hits_in(log)} == {"other"}


async def test_nonsense_counts_against_an_address_too(tmp_path: Path) -> None:
    """A flood that is refused costs as much as one that is taken."""
    async with running(tmp_path, FakeLog(), address_hits_per_second_max=1) as app:
        statuses = [(await post_hits(app, b"nope")).status for _ in range(BURST_S * 2)]

    assert [400] * BURST_S == statuses[:BURST_S]
    assert 429 == statuses[-1]
