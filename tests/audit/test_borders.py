"""At every border of the rules the SQL says what the oracle says; no stitcher has a part in it."""

from collections.abc import Iterator
from random import Random

import msgspec
import pytest

from pipeline.audit.attributions import parameters
from pipeline.audit.pages import Page
from pipeline.audit.policy import AuditPolicy
from pipeline.identity.policy import Policy
from pipeline.limits import BUCKET_MS
from pipeline.model import Action
from pipeline.warehouse.client import Warehouse
from tests.simulation.worlds import small_world
from tests.support.generator import Sent
from tests.support.oracle import oracle

WORLDS = 400
NOBODY = "00000000-0000-0000-0000-000000000000"
POLICIES = (
    Policy(10 * BUCKET_MS, users_per_bucket_max=2, logouts_per_bucket_max=2, users_per_device_max=2),
    Policy(4 * BUCKET_MS, users_per_bucket_max=1, logouts_per_bucket_max=1, users_per_device_max=1),
    Policy(10 * BUCKET_MS, users_per_bucket_max=4, logouts_per_bucket_max=4, users_per_device_max=4),
)


@pytest.mark.parametrize("warehouse_url", ["chdb"], indirect=True)
def test_small_worlds_made_of_borders(warehouse: Warehouse) -> None:
    """Hits exactly a lookback from a login, a millisecond beside a sign-out, at the edges of half hours."""
    hits = list(_hits())
    lines = (_line(sent, version) for version, sent in enumerate(hits, start=1))
    warehouse.insert_rows("action_log", b"\n".join(lines))

    for policy in POLICIES:
        answers = oracle((sent.head() for sent in hits), policy)

        assert {key: (answer, answers[key]) for key, answer in _said(warehouse, policy) if answer != answers[key]} == {}


def _hits() -> Iterator[Sent]:
    """Each world in workspaces of its own."""
    for seed in range(WORLDS):
        for sent in small_world(Random(seed)).hits:
            yield msgspec.structs.replace(sent, workspace=f"{sent.workspace}{seed}")


def _line(sent: Sent, version: int) -> bytes:
    """All on one day, so that the last arrival of an event replaces the others, as for the oracle."""
    fields = msgspec.structs.asdict(sent.hit()) | {"day": "2025-10-09"}
    return msgspec.json.encode(Action(**fields, person_id=NOBODY, attribution="anonymous", version=version))


def _said(warehouse: Warehouse, policy: Policy) -> Iterator[tuple[tuple[str, str, str], tuple[str, str]]]:
    given = parameters(Page(""), AuditPolicy(policy))
    call = ", ".join(f"{name} = {{{name}:{_type(value)}}}" for name, value in given.items())
    sql = f"SELECT workspace, device, event_id, person_id, attribution FROM attributions({call})"
    for workspace, device, event_id, *answer in warehouse.query(sql, given, rows_max=100_000).rows:
        yield (workspace, device, event_id), (answer[0], answer[1])


def _type(value: object) -> str:
    return {int: "Int64", str: "String", list: "Array(String)"}[type(value)]
