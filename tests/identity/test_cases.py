"""The worked cases: in any order, repeated, and in any records, each gives the same final answer.

The alias cases of the same file belong to tests/identity/test_aliases.py, with the code they are about.
"""

import json
from collections.abc import Iterator, Sequence
from itertools import permutations
from math import factorial
from pathlib import Path
from random import Random
from typing import Any

import pytest

from pipeline.identity.ids import device_of, legal_id, reference_person
from pipeline.identity.policy import Policy
from pipeline.model import HitHead
from pipeline.times import iso
from tests.identity.incremental import shown
from tests.support.oracle import oracle

WORKSPACE = "shop"
POLICY = Policy()
CASES = json.loads(Path(__file__).with_name("identity-cases.json").read_text())["attribution"]
LOG_MS = 1_770_000_000_000  # after every hit of every case
ORDERS_MAX = 720  # all orders of six hits; of more hits, a sample of 200
SAMPLE = 200
PREFIX = {"user": "user:", "device": "device:", "event": "hit:"}

every_case = pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])


def _head(hit: dict[str, Any]) -> HitHead:
    """As ingest writes it: an ID that is none is left out."""
    anonymous_id, user_id = legal_id(hit["anonymous_id"] or ""), legal_id(hit["user_id"] or "")
    return HitHead(
        workspace=WORKSPACE,
        event_id=hit["event_id"],
        ts=iso(hit["ts"]),
        device=device_of(anonymous_id, user_id, hit["event_id"]),
        anonymous_id=anonymous_id,
        user_id=user_id,
        holds=hit["holds"],
        logout=hit["reset"],
    )


def _heads(case: dict[str, Any]) -> list[HitHead]:
    return [_head(hit) for hit in case["hits"]]


def _expected(case: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {
        event_id: (reference_person(WORKSPACE, PREFIX[want["kind"]] + want["id"]), want["attribution"])
        for event_id, want in case["expected"].items()
    }


def _orders(case: dict[str, Any]) -> Iterator[Sequence[HitHead]]:
    heads = _heads(case)
    if factorial(len(heads)) <= ORDERS_MAX:
        yield from permutations(heads)
        return
    rng = Random(case["name"])
    for _ in range(SAMPLE):
        rng.shuffle(heads)
        yield heads


def _records(rng: Random, heads: Sequence[HitHead]) -> list[Sequence[HitHead]]:
    records, start = [], 0
    while start < len(heads):
        size = rng.randint(1, len(heads))
        records.append(heads[start : start + size])
        start += size
    return records


def _shown(records: Sequence[Sequence[HitHead]]) -> dict[str, tuple[str, str]]:
    answers = shown(((LOG_MS, heads) for heads in records), POLICY)
    return {event_id: answer for (_, _, event_id), answer in answers.items()}


@every_case
def test_in_the_order_given(case: dict[str, Any]) -> None:
    """One record a hit, and all hits in one record."""
    heads = _heads(case)

    assert _expected(case) == _shown([[head] for head in heads])
    assert _expected(case) == _shown([heads])


@every_case
def test_in_any_order(case: dict[str, Any]) -> None:
    """Every permutation where there are few, else a sample of 200."""
    for heads in _orders(case):
        assert _expected(case) == _shown([[head] for head in heads])


@every_case
def test_repeated_and_in_any_records(case: dict[str, Any]) -> None:
    """Every order again, with repetitions anywhere and borders of records anywhere."""
    rng = Random(case["name"])
    for heads in _orders(case):
        repeated = [*heads, *rng.choices(heads, k=rng.randint(0, len(heads)))]
        rng.shuffle(repeated)

        assert _expected(case) == _shown(_records(rng, heads))
        assert _expected(case) == _shown(_records(rng, repeated))


@every_case
def test_the_oracle_agrees_with_the_cases(case: dict[str, Any]) -> None:
    """The judge of every other test is right about what was worked out by hand."""
    answers = oracle(_heads(case), POLICY)

    assert _expected(case) == {event_id: answer for (_, _, event_id), answer in answers.items()}
