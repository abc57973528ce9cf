"""The named scenarios: the same bytes for the same seed, and each with the trouble it is named for."""

import json
import subprocess
import sys
from collections import Counter, defaultdict
from functools import cache

import pytest
from msgspec import structs

from pipeline.identity.ids import BannedIds, legal_id
from pipeline.limits import DAY_MS, HOUR_MS, MINUTE_MS, USERS_PER_DEVICE_MAX
from pipeline.model import Hit
from pipeline.times import ms_of
from tests.support.scenarios import DEFAULT_ID, SCENARIOS, Told, hits, plain, scenario

every_scenario = pytest.mark.parametrize("name", SCENARIOS)
SEED = 7


@cache
def _made(name: str) -> tuple[tuple[Told, Hit], ...]:
    """The truth beside the hit that ingest made of it."""
    told = scenario(name, SEED)
    return tuple(zip(told, hits(told), strict=True))


def _accounts(name: str) -> dict[str, set[str]]:
    """Device to the user IDs its hits name."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for _, hit in _made(name):
        found[hit.anonymous_id] |= {hit.user_id} - {""}
    return found


@every_scenario
def test_a_name_and_a_seed_are_the_same_bytes(name: str) -> None:
    """And another seed is another world."""
    one, two, other = ([told.line() for told in scenario(name, seed)] for seed in (SEED, SEED, 8))

    assert one == two
    assert one != other


def test_the_command_prints_them() -> None:
    """In a process of its own, so that nothing in this one can have chosen an order."""
    command = [sys.executable, "-m", "tests.support.scenarios", "kiosk", "--seed", str(SEED)]
    printed = subprocess.run(command, capture_output=True, check=True).stdout

    assert printed.splitlines() == [told.line() for told, _ in _made("kiosk")]


@every_scenario
def test_every_line_is_a_hit_that_carries_its_truth(name: str) -> None:
    """As the native API takes it; what it does not know it keeps as properties, so SQL can tell right from wrong."""
    for told, hit in _made(name)[:300]:
        item = json.loads(told.line())

        assert (hit.event_id, hit.properties["human"]) == (item["event_id"], told.human)
        assert hit.properties["account"] == told.account
        assert hit.received_at >= _made(name)[0][1].received_at


@every_scenario
def test_plain_means_the_same_a_year_later(name: str) -> None:
    """The same people at the same times on the same devices, as a world is posted to a running server."""
    now = [(told, hit) for told, hit in _made(name) if hit.anonymous_id][:300]
    later = [
        structs.replace(told, arrived_at=told.arrived_at + 365 * DAY_MS) for told in plain([one for one, _ in now])
    ]

    assert [(h.ts, h.device, h.user_id, h.holds, h.logout) for _, h in now] == [
        (h.ts, h.device, h.user_id, h.holds, h.logout) for h in hits(later)
    ]


@every_scenario
def test_arrivals_stand_in_order_and_some_come_twice(name: str) -> None:
    """A repetition is the same event by the same human."""
    arrivals = [told.arrived_at for told, _ in _made(name)]
    humans: defaultdict[str, set[tuple[str, int]]] = defaultdict(set)
    for told, _ in _made(name):
        humans[told.item["event_id"]].add((told.human, told.done_at))

    assert arrivals == sorted(arrivals)
    assert len(humans) < len(arrivals)
    assert {len(truths) for truths in humans.values()} == {1}


def test_a_household_shares_its_tablet() -> None:
    """Three accounts on one device; and each of the three on a phone."""
    assert 12 <= Counter(len(accounts) for accounts in _accounts("household").values())[3]
    assert 36 == len({told.place for told, _ in _made("household") if told.place.endswith("phone")})


def test_a_kiosk_is_used_by_more_than_can_be_told_apart_and_by_people_without_an_account() -> None:
    """Many users within the lookback, and strangers among them."""
    assert 3 <= sum(len(accounts) > USERS_PER_DEVICE_MAX for accounts in _accounts("kiosk").values())
    assert {""} < {told.account for told, _ in _made("kiosk")}


def test_a_shared_login_is_two_humans_in_one_account() -> None:
    """Which nobody can tell apart, and nobody claims to."""
    humans: defaultdict[str, set[str]] = defaultdict(set)
    for told, hit in _made("shared_login"):
        if hit.user_id:
            humans[hit.user_id].add(told.human)

    assert {2} == {len(people) for people in humans.values()}


def test_a_late_phone_tells_days_later_when_it_was() -> None:
    """With the time of the deed, not of the arrival; some of it before a sign-in that arrived earlier elsewhere."""
    delays = [told.arrived_at - ms_of(hit.ts) for told, hit in _made("late_phone") if told.place.endswith("phone")]

    assert 5 * DAY_MS < max(delays) < 6 * DAY_MS + HOUR_MS
    assert sum(delay > DAY_MS for delay in delays) > 1_000


def test_junk_is_sent_as_an_id_and_never_becomes_one() -> None:
    """`undefined` and its kin by our list, the site's default by its own; the hits stay."""
    sent = {told.item["user_id"] for told, _ in _made("junk_ids") if "user_id" in told.item}
    junk = {text for text in sent if not legal_id(text, BannedIds(texts=frozenset({DEFAULT_ID})))}

    assert {"undefined", "None", "null", DEFAULT_ID} <= junk
    assert {hit.user_id for _, hit in _made("junk_ids")} == sent - junk | {""}
    assert any(not hit.anonymous_id for _, hit in _made("junk_ids"))


def test_skewed_clocks_are_put_right_where_their_tracker_tells() -> None:
    """To the minute; of the others only the future is, to the arrival, which a repetition moves by up to an hour."""
    away = {"corrected": 0, "": 0, "clamped": 0}
    for told, hit in _made("clock_skew"):
        away[hit.clock] = max(away[hit.clock], abs(ms_of(hit.ts) - told.done_at))

    assert away["corrected"] <= MINUTE_MS
    assert away[""] > HOUR_MS
    assert away["clamped"] < HOUR_MS + MINUTE_MS
