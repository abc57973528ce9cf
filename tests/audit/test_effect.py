"""A dry run says exactly what another policy would do, and changes nothing."""

from collections import Counter
from typing import Any

import msgspec
import pytest

from pipeline.audit.effect import Change, Effect, effect
from pipeline.audit.policy import AuditPolicy, parse
from pipeline.identity.ids import device_of
from pipeline.identity.policy import Policy
from pipeline.limits import DAY_MS, HOUR_MS
from pipeline.model import HitHead
from pipeline.questions import to
from pipeline.times import iso
from pipeline.warehouse.client import Warehouse
from tests.audit.stitched_world import stitch_into
from tests.support.generator import Sent, Shape, world
from tests.support.oracle import Answer, RowKey, oracle

SHAPE = Shape(hits=1_500, devices=30, days=40)
POLICIES = (
    Policy(DAY_MS),
    Policy(users_per_device_max=1),
    Policy(3 * HOUR_MS, users_per_device_max=2),
    Policy(users_per_bucket_max=1, logouts_per_bucket_max=1),
    Policy(),
)
embedded = pytest.mark.parametrize("warehouse_url", ["chdb"], indirect=True)


@embedded
async def test_another_policy_is_what_the_oracle_makes_of_it(warehouse: Warehouse) -> None:
    """Rows by attribution, rows that move, devices and persons; the same in small pages as at once."""
    hits = world(21, SHAPE).hits
    await stitch_into(warehouse, [sent.hit() for sent in hits], Policy())
    ask, now = to(warehouse), oracle((sent.head() for sent in hits), Policy())

    found = [effect(ask, AuditPolicy(policy)) for policy in POLICIES]

    assert found == [_expected(now, oracle((sent.head() for sent in hits), policy)) for policy in POLICIES]
    assert found[0].changed > 0 and found[-1].changed == 0
    assert effect(ask, AuditPolicy(POLICIES[0]), page_rows=150) == found[0]


def _expected(now: dict[RowKey, Answer], then: dict[RowKey, Answer]) -> Effect:
    changed = {key for key in now if now[key] != then[key]}
    changes = Counter((now[key][1], then[key][1]) for key in changed)
    return Effect(
        rows=len(now),
        changed=len(changed),
        moved=sum(now[key][0] != then[key][0] for key in changed),
        devices=len({key[:2] for key in changed}),
        persons_before=len({person for person, _ in now.values()}),
        persons_after=len({person for person, _ in then.values()}),
        changes=tuple(Change(*pair, count) for pair, count in sorted(changes.items())),
    )


@embedded
async def test_an_id_that_is_banned_is_as_if_it_had_never_been_sent(warehouse: Warehouse) -> None:
    """Its rows name nobody, and its logins are none; by text and by pattern, in any case."""
    hits = [_upper(sent) for sent in world(22, SHAPE).hits]
    await stitch_into(warehouse, [sent.hit() for sent in hits], Policy())
    policy = parse("illegal_ids: [user3, ' USER5 ']\nillegal_id_patterns: ['user1\\d']", Policy())
    banned = {"User3", "User5", *(f"User1{digit}" for digit in range(10))}
    now = oracle((sent.head() for sent in hits), Policy())
    heads = [_without(sent.head(), banned) for sent in hits]
    then = oracle(heads, Policy())

    found = effect(to(warehouse), policy)

    assert found == _expected(now, {sent.key: then[_key(head)] for sent, head in zip(hits, heads, strict=True)})
    assert {change.before for change in found.changes} >= {"identified", "carried", "backfilled"}


def _upper(sent: Sent) -> Sent:
    return msgspec.structs.replace(sent, user_id=sent.user_id.capitalize())


def _without(head: HitHead, banned: set[str]) -> HitHead:
    if head.user_id not in banned:
        return head
    device = device_of(head.anonymous_id, "", head.event_id)
    return msgspec.structs.replace(head, user_id="", device=device)


def _key(head: HitHead) -> RowKey:
    return head.workspace, head.device, head.event_id


@embedded
async def test_as_of_a_time_only_what_had_arrived_counts(warehouse: Warehouse) -> None:
    """The view answers what the oracle answers over the hits received by then, to the millisecond."""
    hits = world(23, Shape(hits=1_200, devices=20, days=20, late_share=0.4)).hits
    await stitch_into(warehouse, [sent.hit() for sent in hits], Policy())
    changed = 0
    for at in (len(hits) // 4, len(hits) // 2, len(hits) - 1):
        known = [sent for sent in hits if sent.received_ms <= hits[at].received_ms]
        then = oracle((sent.head() for sent in known), Policy())
        rows = _as_of(warehouse, iso(hits[at].received_ms))

        assert then == {key: rows[key] for key in then}
        changed += sum(rows[key] != answer for key, answer in _as_of(warehouse, "").items())
    assert changed > 0


def _as_of(warehouse: Warehouse, known_by: str) -> dict[RowKey, Any]:
    sql = """
        SELECT workspace, device, event_id, person_id, attribution
        FROM attributions_as_of(workspace = '', known_by = {known_by:String})
    """
    rows = warehouse.query(sql, {"known_by": known_by}).rows
    return {(workspace, device, event): (person, how) for workspace, device, event, person, how in rows}


def test_the_view_has_the_numbers_of_the_rules(reader: Warehouse) -> None:
    """`attributions_as_of` is for the rules as they come: they are said there once more."""
    created = reader.query("SHOW CREATE VIEW attributions_as_of").rows[0][0]
    said = {name: f"{name} = {value}" in created for name, value in AuditPolicy(Policy()).parameters().items()}

    assert said == dict.fromkeys(said, True)
