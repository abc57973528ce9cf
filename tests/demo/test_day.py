"""The recorded day: whole, bounded, nobody's real data, and the same day at any other time."""

import re
from collections import Counter

import pytest

from pipeline.demo.day import NAME, Recorded, moved, own_times, read_day, shifted
from pipeline.identity.policy import Policy
from pipeline.limits import DAY_MS, HOUR_MS, KIB
from pipeline.model import Hit
from pipeline.sites import default_sites
from pipeline.times import iso, ms_of
from tests.protocols.build import answer, request
from tests.support.oracle import oracle

DAY = read_day()
NOW_MS = ms_of("2027-01-01T10:00:00Z")


def hits_of(recorded: Recorded, now_ms: int) -> list[Hit]:
    """What our own protocols read in it."""
    sent = request(
        recorded.method, recorded.path, recorded.query, recorded.body.encode(), recorded.headers, now_ms=now_ms
    )
    outcome = answer(sent, default_sites())
    assert (200 <= outcome.reply.status < 300, list(outcome.counts)) == (True, []), recorded
    return list(outcome.hits)


def test_it_is_a_day_of_sixty_people_by_every_client() -> None:
    """About a thousand hits, in order, from seven ways of sending, in less than 600 KB and less than a day."""
    times = [moment for recorded in DAY for moment in own_times(recorded)]
    size = sum(len(recorded.body) + len(recorded.query) for recorded in DAY)
    users = {hit.user_id for recorded in DAY for hit in hits_of(recorded, ms_of(recorded.at)) if hit.user_id}

    assert [recorded.at for recorded in DAY] == sorted(recorded.at for recorded in DAY)
    assert 900 <= len(times) <= 1_100
    assert max(times) - min(times) < 23 * HOUR_MS
    assert size < 600 * KIB
    assert len(users) >= 45
    assert set(Counter(recorded.client for recorded in DAY)) == {
        *("Chromium", "matomopy", "matomopy bulk", "matomo-tracker", "matomo-tracker bulk", "curl GET", "curl POST")
    }


def test_it_names_no_host_but_the_shop_and_no_address() -> None:
    """What clients sent, byte for byte, but from a made-up place."""
    text = "".join(recorded.query + recorded.body + "".join(recorded.headers.values()) for recorded in DAY)
    hosts = set(re.findall(r"(?:https?://|https?%3A%2F%2F)([A-Za-z0-9.:-]+)", text))

    assert hosts == {"shop.example"}
    assert re.findall(r"[\w.]+(?:@|%40)[\w.]+", text) == []
    assert re.findall(r"\b127\.0\.0\.1\b|localhost", text) == []


@pytest.mark.parametrize("end_ms", [NOW_MS, NOW_MS + 789, ms_of("2030-02-28T23:59:59Z")])
def test_moved_it_ends_when_it_should_with_the_same_spacing(end_ms: int) -> None:
    """Whole seconds for every protocol: no hit comes closer to another."""
    there = moved(DAY, end_ms)
    before = [moment for recorded in DAY for moment in own_times(recorded)]
    after = [moment for recorded in there for moment in own_times(recorded)]
    apart = {late - early for early, late in zip(before, after, strict=True)}

    assert len(apart) == 1
    assert 0 <= end_ms - ms_of(there[-1].at) < 1_000
    assert end_ms - min(after) < DAY_MS


def test_moved_it_is_still_taken_hit_by_hit_at_the_times_it_tells() -> None:
    """Our own protocols accept every request, count no fault, and read the moved times."""
    for recorded in moved(DAY, NOW_MS):
        hits = hits_of(recorded, NOW_MS + 2_000)

        assert [iso(moment) for moment in own_times(recorded)] == [hit.ts for hit in hits]


def test_moved_to_another_time_it_is_other_events() -> None:
    """At another time nothing replaces what the first replay left, but for orders, which are their numbers; at the
    same time everything does."""

    def ids(end_ms: int, orders: bool = True) -> set[str]:
        hits = [hit for recorded in moved(DAY, end_ms) for hit in hits_of(recorded, end_ms + 2_000)]
        return {hit.event_id for hit in hits if orders or hit.type != "order"}

    hits = sum(len(own_times(recorded)) for recorded in DAY)

    assert ids(NOW_MS) == ids(NOW_MS)
    assert ids(NOW_MS, orders=False) & ids(NOW_MS + 60_000, orders=False) == set()
    assert len(ids(NOW_MS)) == hits


def test_moving_by_nothing_changes_times_nowhere() -> None:
    """Only native event IDs, which are made from the distance, differ."""
    without_ids = [re.sub(r'"event_id":"[0-9a-f]{32}"', "", shifted(recorded, 0).body) for recorded in DAY]

    assert [shifted(recorded, 0).query for recorded in DAY] == [recorded.query for recorded in DAY]
    assert [re.sub(r'"event_id":"[0-9a-f]{32}"', "", recorded.body) for recorded in DAY] == without_ids


def test_its_story_has_every_ending() -> None:
    """By the rules: pages claimed back, carried over night, a contested tablet, a kiosk, people who never sign in."""
    hits = [hit for recorded in DAY for hit in hits_of(recorded, ms_of(recorded.at))]
    answers = oracle(hits, Policy())
    users: dict[str, set[str]] = {}
    nobodys: Counter[str] = Counter()
    for hit in hits:
        if hit.user_id:
            users.setdefault(hit.device, set()).add(hit.user_id)
        elif answers[hit.workspace, hit.device, hit.event_id][1] == "anonymous":
            nobodys[hit.device] += 1

    assert NAME == "day.ndjson"
    assert Counter(how for _, how in answers.values()).keys() == {"identified", "carried", "backfilled", "anonymous"}
    assert [nobodys[device] > 0 for device, who in users.items() if len(who) == 2] == [True]  # the family's tablet
    assert [nobodys[device] > 0 for device, who in users.items() if len(who) == 9] == [True]  # the kiosk
    assert len([device for device in nobodys if device not in users]) >= 6  # never signed in
