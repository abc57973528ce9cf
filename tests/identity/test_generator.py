"""The generated worlds hold what they promise, and the incremental answer over them is the oracle's."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator

import pytest

from pipeline.identity.policy import Policy
from pipeline.limits import BUCKET_MS, DAY_MS, HOUR_MS, LOGOUTS_PER_BUCKET_MAX, SECOND_MS, USERS_PER_BUCKET_MAX
from pipeline.model import Hit
from pipeline.times import iso
from tests.identity.incremental import Batch, shown
from tests.support.generator import Sent, Shape, World, world
from tests.support.oracle import oracle

SHAPE = Shape(hits=6_000, devices=240, days=80, late_days=25, changed_share=0.01)


@pytest.fixture(scope="module")
def made() -> World:
    """One world for all questions about worlds."""
    return world(11, SHAPE)


def _first_arrivals(made: World) -> list[Sent]:
    return list({sent.key: sent for sent in reversed(made.hits)}.values())


def test_a_seed_and_a_shape_are_one_world() -> None:
    """The same arguments give the same arrivals; another seed gives others."""
    assert world(3) == world(3)
    assert world(3) != world(4)


def test_it_is_as_large_as_asked(made: World) -> None:
    """Exactly that many events, each with its human, and the share of repeats on top."""
    assert len(made.humans) == SHAPE.hits
    assert {sent.key for sent in made.hits} == made.humans.keys()
    assert SHAPE.hits * 1.08 < len(made.hits) < SHAPE.hits * 1.14


def test_arrivals_stand_in_order_within_the_lateness_promised(made: World) -> None:
    """From an hour before a hit's own time to `late_days` after it, and both ends are used."""
    delays = [sent.received_ms - sent.ts_ms for sent in made.hits]

    assert [s.received_ms for s in made.hits] == sorted(s.received_ms for s in made.hits)
    assert -HOUR_MS <= min(delays) < 0
    assert 20 * DAY_MS < max(delays) <= SHAPE.late_days * DAY_MS + 5 * SECOND_MS


def test_it_holds_what_breaks_identity(made: World) -> None:
    """Kiosks, shared and second devices, bursts past both bounds, ties, lone hits, both kinds of login and logout."""
    events = _first_arrivals(made)
    users: dict[tuple[str, str], set[str]] = defaultdict(set)
    devices: dict[tuple[str, str], set[str]] = defaultdict(set)
    crowds: dict[tuple[str, str, int], set[str]] = defaultdict(set)
    logouts: Counter[tuple[str, str, int]] = Counter()
    for sent in events:
        bucket = (sent.workspace, sent.anonymous_id, sent.ts_ms // BUCKET_MS)
        logouts[bucket] += sent.logout
        if sent.user_id and sent.anonymous_id:
            crowds[bucket].add(sent.user_id)
            users[bucket[:2]].add(sent.user_id)
            devices[sent.workspace, sent.user_id].add(sent.anonymous_id)
    sizes = Counter(len(people) for people in users.values())

    assert max(map(len, crowds.values())) > USERS_PER_BUCKET_MAX
    assert max(logouts.values()) > LOGOUTS_PER_BUCKET_MAX
    assert sum(count for size, count in sizes.items() if 5 < size < 40) >= 1
    assert sum(count for size, count in sizes.items() if 2 <= size <= 4) >= 10
    assert sum(len(own) > 1 for own in devices.values()) >= 20
    assert len({sent.workspace for sent in events}) == SHAPE.workspaces
    assert len(events) - len({(s.workspace, s.anonymous_id, s.ts_ms) for s in events}) > 100
    assert {(True, True), (True, False), (False, False)} <= {(bool(s.user_id), s.holds) for s in events}
    assert {(True, True), (True, False)} <= {(s.logout, bool(s.user_id)) for s in events if s.logout}
    assert {"u:", "h:"} == {s.device[:2] for s in events if not s.anonymous_id}


def test_a_repeat_is_the_same_and_a_changed_one_keeps_its_day(made: World) -> None:
    """A table keyed by device, day and event has one place for all arrivals of an event."""
    places: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    contents: dict[tuple[str, str, str], set[int]] = defaultdict(set)
    for sent in made.hits:
        places[sent.key].add(sent.hit().day)
        contents[sent.key].add(sent.ts_ms)

    assert {len(days) for days in places.values()} == {1}
    assert SHAPE.hits * 0.005 < sum(len(times) > 1 for times in contents.values()) < SHAPE.hits * 0.015


def test_a_hit_says_the_same_in_every_form(made: World) -> None:
    """Head, line of a record and native item carry the same identity."""
    for sent in made.hits[:500]:
        line, item = json.loads(sent.line()), sent.native()
        head = sent.head()

        assert isinstance(sent.hit(), Hit)
        assert (line["device"], line["ts"], line["event_id"]) == (head.device, head.ts, head.event_id)
        assert (item["event_id"], iso(item["ts"])) == (head.event_id, head.ts)
        assert (item.get("user_id", ""), item.get("anonymous_id", "")) == (head.user_id, head.anonymous_id)
        assert (item["type"] == "logout", item.get("holds", False)) == (head.logout, head.holds)


@pytest.mark.parametrize("seed", range(3))
def test_the_incremental_answer_is_the_oracle_s(seed: int) -> None:
    """80 days, up to 25 days late, under the real policy; a checkpoint after every record, and states pruned."""
    made = world(seed, SHAPE._replace(days=200.0))
    expected = oracle([sent.head() for sent in made.hits], Policy())

    assert expected == shown(_records(made), Policy())


def _records(made: World) -> Iterator[Batch]:
    for start in range(0, len(made.hits), 5):
        batch = made.hits[start : start + 5]
        yield batch[-1].received_ms, [sent.head() for sent in batch]
