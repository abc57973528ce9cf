"""The scenarios every tracker must come through, in each tracker's own words: in order, shuffled, repeated, delayed.

A beat's owner is written beside it; "" is nobody. Erasure under pseudonyms is with the pseudonyms.
"""

from collections.abc import Callable, Sequence
from random import Random

import pytest
from msgspec import Struct, structs

from pipeline.identity.ids import user_person
from pipeline.identity.policy import Policy
from pipeline.limits import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS
from pipeline.model import Hit, HitHead
from tests.identity.incremental import shown
from tests.protocols.build import NOW_MS, answer, sites
from tests.protocols.speakers import SPEAKERS, Beat, Sent, Speaker, device_id

START_MS = (NOW_MS // SECOND_MS) * SECOND_MS - 20 * DAY_MS
SITES = sites()
SHUFFLES = 12
SKEW_MS = 2 * HOUR_MS
Owned = tuple[Beat, str]


class Scenario(Struct, frozen=True):
    """`owned`: beats and their owners. `after_rotation`: owners that differ where sign-out changes the anonymous ID."""

    name: str
    owned: Sequence[Owned]
    rotated: dict[int, str] = {}
    only: Callable[[Speaker], bool] = lambda speaker: True
    skew_ms: int = 0


def _at(minute: float, device: str, kind: str = "page", user: str = "") -> Beat:
    return Beat(START_MS + int(minute * MINUTE_MS), device, kind, user)


_NOBODY = ("null", "undefined", "anonymous", "none")
S1 = [
    (_at(0, "laptop"), "alice"),
    (_at(5, "laptop", "login", "alice"), "alice"),
    (_at(6, "laptop", "page", "alice"), "alice"),
    (_at(8, "laptop", "logout", "alice"), ""),
    (_at(60, "laptop"), ""),
]
SCENARIOS = [
    Scenario("anonymous pages, login, logout, anonymous", S1),
    Scenario(
        "the same user on a phone, first anonymous",
        [*S1, (_at(90, "phone"), "alice"), (_at(95, "phone", "login", "alice"), "alice")],
    ),
    Scenario(
        "a returning user in a new browser, login in mid-visit",
        [
            (_at(-10_000, "old", "login", "alice"), "alice"),
            (_at(0, "new"), "alice"),
            (_at(2, "new"), "alice"),
            (_at(4, "new", "login", "alice"), "alice"),
            (_at(5, "new", "page", "alice"), "alice"),
        ],
    ),
    Scenario(
        "two devices within half an hour",
        [
            (_at(0, "laptop", "login", "alice"), "alice"),
            (_at(3, "phone"), "alice"),
            (_at(5, "laptop", "page", "alice"), "alice"),
            (_at(8, "phone", "login", "alice"), "alice"),
            (_at(9, "phone", "page", "alice"), "alice"),
        ],
    ),
    Scenario(
        "a shared browser: one user, logout, another",
        [
            (_at(0, "shared", "login", "alice"), "alice"),
            (_at(1, "shared", "page", "alice"), "alice"),
            (_at(3, "shared", "logout", "alice"), ""),
            (_at(20, "shared"), ""),
            (_at(40, "shared", "login", "bob"), "bob"),
            (_at(41, "shared", "page", "bob"), "bob"),
        ],
        rotated={3: "bob"},  # on a device of its own, where only he signed in
    ),
    Scenario(
        "a shared browser without a logout",
        [
            (_at(0, "shared"), "alice"),
            (_at(1, "shared", "login", "alice"), "alice"),
            (_at(2, "shared", "page", "alice"), "alice"),
            (_at(40, "shared", "login", "bob"), "bob"),
            (_at(41, "shared", "page", "bob"), "bob"),
        ],
    ),
    Scenario(
        "IDs that are none",
        [
            *[(_at(at, f"d{at}", "page", user), "") for at, user in enumerate(_NOBODY)],
            (_at(9, "d9", "login", "alice"), "alice"),
        ],
        only=lambda speaker: speaker.restates,
    ),
    Scenario("one user ID on a hundred devices", [(_at(at, f"d{at}", "login", "alice"), "alice") for at in range(100)]),
    Scenario(
        "two visitors without a cookie behind one address",
        [(_at(0, ""), ""), (_at(0, ""), ""), (_at(1, ""), "")],
        only=lambda speaker: speaker.cookieless,
    ),
    Scenario("a clock two hours ahead that says so", S1, only=lambda speaker: speaker.skewed, skew_ms=SKEW_MS),
]
CASES = [
    pytest.param(scenario, speaker, id=f"{speaker.name}: {scenario.name}")
    for scenario in SCENARIOS
    for speaker in SPEAKERS
    if scenario.only(speaker)
]
every_case = pytest.mark.parametrize(("scenario", "speaker"), CASES)


def _sent(scenario: Scenario, speaker: Speaker) -> list[Sent]:
    """The beats as this tracker's client sends them."""
    sent, turns = [], dict[str, int]()
    for number, (beat, _) in enumerate(scenario.owned):
        name = f"{beat.device}/{turns.get(beat.device, 0)}" if beat.device else ""
        if beat.kind == "logout" and not speaker.logs_out:
            turns[beat.device] = turns.get(beat.device, 0) + speaker.rotates
            continue
        says = beat.user if speaker.restates or speaker.rotates or beat.kind == "login" else ""
        client_ms = beat.at_ms + scenario.skew_ms
        sent.append(Sent(device_id(name), beat.kind, says, client_ms, client_ms, beat.at_ms, number))
    return sent


def _hits(speaker: Speaker, sent: Sent) -> list[Hit]:
    outcome = answer(structs.replace(speaker.say(sent), new_id=lambda: f"new-{sent.number}"), SITES)
    assert outcome.reply.status < 300, outcome.reply
    return list(outcome.hits)


def _owners(scenario: Scenario, arrivals: Sequence[tuple[int, Hit]], rng: Random) -> dict[int, str]:
    """Who each beat belongs to in the end, when its hits arrive in this order in records of any size."""
    heads = [
        HitHead(h.workspace, h.event_id, h.ts, h.device, h.anonymous_id, h.user_id, h.holds, h.logout)
        for _, h in arrivals
    ]
    records, start = [], 0
    while start < len(heads):
        size = rng.randint(1, len(heads))
        records.append((NOW_MS, heads[start : start + size]))
        start += size
    answers = shown(records, Policy())
    names = {user_person("shop", user): user for user in ("alice", "bob")}
    return {
        number: names.get(answers[hit.workspace, hit.device, hit.event_id][0], "")
        for number, hit in arrivals
        if scenario.owned[number][0].kind != "logout"
    }


def _expected(scenario: Scenario, speaker: Speaker) -> dict[int, str]:
    rotated = scenario.rotated if speaker.rotates else {}
    return {
        number: rotated.get(number, owner)
        for number, (beat, owner) in enumerate(scenario.owned)
        if beat.kind != "logout"
    }


@every_case
def test_in_order_shuffled_and_repeated(scenario: Scenario, speaker: Speaker) -> None:
    """The same owners whatever the order of arrival, with every request sent up to three times."""
    rng = Random(f"{scenario.name} {speaker.name}")
    arrivals = [(s.number, hit) for s in _sent(scenario, speaker) for hit in _hits(speaker, s)]
    expected = _expected(scenario, speaker)

    assert expected == _owners(scenario, arrivals, rng)
    for _ in range(SHUFFLES):
        again = arrivals + [arrival for arrival in arrivals for _ in range(rng.randint(0, 2))]
        rng.shuffle(again)
        assert expected == _owners(scenario, again, rng)


@every_case
def test_delayed(scenario: Scenario, speaker: Speaker) -> None:
    """Requests that arrive hours and days late, each by its own delay, mean what they meant."""
    if not speaker.timed:
        assert speaker.name == "plausible", "its hits have no time but that of arrival"
        return
    rng = Random(scenario.name)
    arrivals = []
    for sent in _sent(scenario, speaker):
        late_ms = rng.randint(0, 15 * DAY_MS)
        waited = Sent(
            sent.device,
            sent.kind,
            sent.user,
            sent.client_ms,
            sent.sent_ms + late_ms,
            sent.arrives_ms + late_ms,
            sent.number,
        )
        arrivals += [(sent.number, hit) for hit in _hits(speaker, waited)]

    assert _expected(scenario, speaker) == _owners(scenario, arrivals, rng)


@pytest.mark.parametrize("speaker", [s for s in SPEAKERS if s.numbered], ids=lambda s: s.name)
def test_a_retry_storm_is_one_visit(speaker: Speaker) -> None:
    """Each request twice, the second a minute later: the same rows, so nothing is counted twice."""
    for sent in _sent(SCENARIOS[0], speaker):
        later = Sent(
            sent.device,
            sent.kind,
            sent.user,
            sent.client_ms,
            sent.sent_ms,
            sent.arrives_ms + MINUTE_MS // 2,
            sent.number,
        )
        first, again = _hits(speaker, sent), _hits(speaker, later)
        assert [(h.device, h.day, h.event_id, h.ts) for h in first] == [
            (h.device, h.day, h.event_id, h.ts) for h in again
        ]


@pytest.mark.parametrize("speaker", SPEAKERS, ids=lambda s: s.name)
def test_devices_stay_apart(speaker: Speaker) -> None:
    """Two devices of one user within half an hour are one person and still two devices."""
    devices = {hit.device for sent in _sent(SCENARIOS[3], speaker) for hit in _hits(speaker, sent)}

    assert 2 == len(devices)
