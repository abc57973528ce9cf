"""What the stitcher makes of known people: nobody joined, and every other difference from the truth explained."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.identity.policy import Policy
from tests.identity.strategies import EVERY_MS, Fact, facts, heads, policies
from tests.support import oracle
from tests.support.quality import CLOCK, UNEXPLAINED, quality
from tests.support.reasons import BEFORE, BETWEEN, FIRST, NAMED, NO_DEVICE, PRESENT, WHY, reason
from tests.support.scenarios import SCENARIOS

GIVING = {NAMED, PRESENT, BEFORE, FIRST, BETWEEN, CLOCK}


@given(policies, st.lists(facts, max_size=12))
def test_a_reason_gives_the_oracle_s_answer(policy: Policy, world: list[Fact]) -> None:
    """The third time the rules are written down: whatever names the way also arrives."""
    known = oracle.facts_of(heads(world), policy)
    for t_ms in EVERY_MS:
        answer, why = reason(t_ms, known, policy)

        assert answer == oracle.who(t_ms, known, policy), t_ms
        assert why in WHY
        assert (answer != oracle.NOBODY) == (why in GIVING)


@pytest.mark.parametrize("seed", [7, 8])
@pytest.mark.parametrize("name", SCENARIOS)
def test_no_person_has_two_user_ids_and_every_difference_has_its_rule(name: str, seed: int) -> None:
    """Nobody said an alias. Who got another's action got it by a rule that gives; who lost theirs, by one that does
    not."""
    found = quality(name, seed)

    assert found.shared == 0
    assert UNEXPLAINED not in found.others | found.unclaimed
    assert found.others.keys() <= GIVING
    assert not found.unclaimed.keys() & (GIVING - {CLOCK})
    assert found.attributions.total() == found.actions
    assert found.others.total() + found.unclaimed.total() < found.actions / 2


def test_where_everybody_has_a_device_of_their_own_nothing_goes_astray() -> None:
    """Junk IDs make nobody anybody, and two humans with one account are one account."""
    for name in ("junk_ids", "shared_login"):
        assert quality(name, 7).others.total() == 0


def test_what_has_no_device_is_claimed_by_nobody() -> None:
    """The price of dropping a junk device ID, in figures."""
    assert quality("junk_ids", 7).unclaimed[NO_DEVICE] > 100


def test_at_a_kiosk_most_goes_astray_by_the_sites_own_word() -> None:
    """As the room's page says."""
    others = quality("kiosk", 7).others

    assert others[NAMED] > others.total() / 2
