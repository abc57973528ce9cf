"""Who is one person by what was said: in any order, however often, and as if never said once it is withdrawn."""

import json
import time
from collections.abc import Sequence
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.identity.aliases import Aliases
from pipeline.identity.ids import legal_id, user_person
from pipeline.limits import USERS_PER_PERSON_MAX
from pipeline.model import Alias
from pipeline.times import iso

CASES = json.loads(Path(__file__).with_name("identity-cases.json").read_text())["aliases"]
START_MS = 1_770_000_000_000


def said(one: str, other: str, at_ms: int, *, withdrawn: bool = False, authority: Any = "secret") -> Alias:
    """A statement."""
    ts = iso(START_MS + at_ms)
    return Alias(
        workspace="shop", event_id=f"e{at_ms}", ts=ts, received_at=ts, user_id=one, previous_id=other,
        withdrawn=withdrawn, authority=authority,
    )  # fmt: skip


def folded(statements: Sequence[Alias]) -> Aliases:
    """All of them, in this order."""
    aliases = Aliases("shop")
    for statement in statements:
        aliases.fold(statement)
    return aliases


def _statements(case: dict[str, Any]) -> list[Alias]:
    """As ingest lets them through: an illegal ID makes no statement."""
    legal = [s for s in case["statements"] if legal_id(s["user"]) and legal_id(s["previous"])]
    return [said(s["user"], s["previous"], s["ts"], withdrawn=s["op"] == "remove") for s in legal]


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_every_case_in_every_order_and_repeated(case: dict[str, Any]) -> None:
    """The same components each time."""
    expected = sorted(tuple(sorted(component)) for component in case["expected"])
    for order in permutations(_statements(case)):
        assert expected == folded(order).components()
        assert expected == folded([*order, *order[::-1]]).components()


_USERS = st.sampled_from("abcdefg")
_SAID = st.builds(
    said, _USERS, _USERS, st.integers(0, 5), withdrawn=st.booleans(),
    authority=st.sampled_from(["page", "secret", "operator"]),
)  # fmt: skip


@given(
    st.lists(_SAID, max_size=14).flatmap(
        lambda all_of_them: st.tuples(st.just(all_of_them), st.permutations(all_of_them))
    )
)
def test_order_and_repetition_do_not_matter(told: tuple[list[Alias], list[Alias]]) -> None:
    """And what counts of each pair is what a person would say who sees them all."""
    statements, shuffled = told
    pairs = {tuple(sorted((s.user_id, s.previous_id))) for s in statements}
    ranks = ("page", "secret", "operator")
    live = set()
    for one, other in pairs - {(u, u) for u in "abcdefg"}:
        about = [s for s in statements if {s.user_id, s.previous_id} == {one, other}]
        best = max(ranks.index(s.authority) for s in about)
        newest = max(s.ts for s in about if s.authority == ranks[best])
        if not any(s.withdrawn for s in about if (s.authority, s.ts) == (ranks[best], newest)):
            live.add((one, other))

    assert live == set(folded(statements).joined())
    assert folded(statements).resolve() == folded([*shuffled, *statements]).resolve()


@given(st.lists(_SAID, max_size=10), _USERS, _USERS)
def test_withdrawn_is_as_if_never_said(before: list[Alias], one: str, other: str) -> None:
    """Complete un-merge: whoever had been joined only by it is apart again."""
    others = [s for s in before if {s.user_id, s.previous_id} != {one, other}]
    both = [said(one, other, 8, authority="operator"), said(one, other, 9, withdrawn=True, authority="operator")]

    assert folded(others).resolve() == folded([*others, *both]).resolve()


def test_a_tracker_cannot_overrule_an_operator() -> None:
    """Nor a page key a server's, however late it speaks."""
    withdrawn = said("a", "b", 1, withdrawn=True, authority="operator")
    later = [said("a", "b", 9, authority=authority) for authority in ("page", "secret")]

    assert [] == folded([withdrawn, *later]).components()
    assert [("a", "b")] == folded([said("a", "b", 1), said("a", "b", 9, withdrawn=True, authority="page")]).components()


def test_the_canonical_person_is_the_smallest() -> None:
    """Of the members' own persons, so it needs no memory and has no order."""
    resolution = folded([said("a", "b", 1), said("b", "c", 2)]).resolve()

    assert dict.fromkeys("abc", min(user_person("shop", user) for user in "abc")) == resolution.canonical


def test_a_component_too_large_is_not_applied_and_is_listed() -> None:
    """One more than the limit, and nobody in it is merged; the neighbours are."""
    crowd = [said("hub", f"u{n:03}", n) for n in range(USERS_PER_PERSON_MAX)]
    resolution = folded([*crowd, said("x", "y", 1)]).resolve()

    assert {"x", "y"} == resolution.canonical.keys()
    assert [USERS_PER_PERSON_MAX + 1] == [len(members) for members in resolution.refused]
    assert USERS_PER_PERSON_MAX == len(folded(crowd[1:]).resolve().canonical)


def test_a_chain_of_ten_thousand_is_bounded() -> None:
    """No recursion, and time in proportion: it is refused within a second."""
    aliases = folded([said(f"u{n}", f"u{n + 1}", n) for n in range(10_000)])
    began = time.perf_counter()
    resolution = aliases.resolve()

    assert ({}, 10_001) == (resolution.canonical, len(resolution.refused[0]))
    assert time.perf_counter() - began < 1
