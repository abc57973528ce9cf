"""The audit finds no difference where the stitcher is right, and every difference where something was changed."""

import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline.audit.check import Checked, check
from pipeline.audit.policy import AuditPolicy
from pipeline.identity.ids import device_of, legal_id, reference_person
from pipeline.identity.policy import Policy
from pipeline.limits import BUCKET_MS, DAY_MS
from pipeline.model import Hit
from pipeline.questions import to
from pipeline.times import day, iso
from pipeline.warehouse.client import Warehouse
from tests.audit.stitched_world import stitch_into
from tests.support.actions import action, ndjson
from tests.support.generator import Shape, world
from tests.support.oracle import oracle

CASES = json.loads((Path(__file__).parents[1] / "identity" / "identity-cases.json").read_text())["attribution"]
PREFIX = {"user": "user:", "device": "device:", "event": "hit:"}
SMALL = Policy(2 * DAY_MS, users_per_bucket_max=2, logouts_per_bucket_max=2, users_per_device_max=2)
WORLDS = {
    "mixed": (Shape(hits=1_500, devices=40, days=40), Policy()),
    "late": (Shape(hits=1_500, devices=30, days=80, late_days=29, late_share=0.6, changed_share=0.1), Policy()),
    "few busy devices": (Shape(hits=1_500, devices=4, days=8, tie_share=0.3), Policy()),
    "small limits": (Shape(hits=1_500, devices=12, days=12, late_days=1.9, tie_share=0.2), SMALL),
}
embedded = pytest.mark.parametrize("warehouse_url", ["chdb"], indirect=True)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", WORLDS)
@embedded
async def test_streaming_equals_the_audit(warehouse: Warehouse, name: str, seed: int) -> None:
    """What was stitched hit by hit is what all facts together say."""
    shape, policy = WORLDS[name]
    hits = world(seed, shape).hits
    await stitch_into(warehouse, [sent.hit() for sent in hits], policy)

    found = check(to(warehouse), AuditPolicy(policy))

    assert found == Checked(rows=len({sent.key for sent in hits}))


async def test_pages_of_any_size_add_up(warehouse: Warehouse) -> None:
    """No device is missing or twice, in this process and on a server."""
    hits = world(3, Shape(hits=200, devices=6, workspaces=2)).hits
    await stitch_into(warehouse, [sent.hit() for sent in hits], Policy())
    ask, policy = to(warehouse), AuditPolicy(Policy())
    rows = len({sent.key for sent in hits})

    assert [check(ask, policy, page_rows=size).rows for size in (1_000_000, 40, 1)] == [rows] * 3
    assert sum(check(ask, policy, f"shop{n}").rows for n in range(2)) == rows
    assert check(ask, policy, "nowhere") == Checked()


async def test_the_worked_cases(warehouse: Warehouse) -> None:
    """The SQL says what was worked out by hand; each case in a workspace of its own."""
    hits = [_hit(f"case{number}", hit) for number, case in enumerate(CASES) for hit in case["hits"]]
    await stitch_into(warehouse, hits, Policy())
    expected = {
        (case["name"], event_id): (
            reference_person(f"case{number}", PREFIX[want["kind"]] + want["id"]),
            want["attribution"],
        )
        for number, case in enumerate(CASES)
        for event_id, want in case["expected"].items()
    }
    rows = warehouse.query(
        "SELECT workspace, event_id, person_id, attribution FROM attributions_as_of(workspace = '', known_by = '')"
    ).rows

    assert expected == {(CASES[int(case[4:])]["name"], event): (person, how) for case, event, person, how in rows}
    assert check(to(warehouse), AuditPolicy(Policy())) == Checked(rows=len(expected))


def _hit(workspace: str, hit: dict[str, Any]) -> Hit:
    anonymous_id, user_id = legal_id(hit["anonymous_id"] or ""), legal_id(hit["user_id"] or "")
    return Hit(
        workspace=workspace,
        site_id="www",
        event_id=hit["event_id"],
        ts=iso(hit["ts"]),
        received_at=iso(hit["ts"]),
        device=device_of(anonymous_id, user_id, hit["event_id"]),
        day=day(hit["ts"]),
        anonymous_id=anonymous_id,
        user_id=user_id,
        holds=hit["holds"],
        logout=hit["reset"],
    )


async def test_a_row_with_the_wrong_person_is_found_and_named(warehouse: Warehouse) -> None:
    """And one with the wrong attribution; nothing else."""
    rows = [
        action("page", 0, person_id=reference_person("shop", "user:mallory")),
        action("two", 1, attribution="carried"),
    ]
    warehouse.insert_rows("action_log", ndjson(*rows, action("three", 2)))

    found = check(to(warehouse), AuditPolicy(Policy()))

    assert (found.rows, found.differing, found.late_differing) == (3, 2, 0)
    nobody = reference_person("shop", "device:phone")
    assert [
        (d.event_id, d.stored_person_id, d.stored_attribution, d.person_id, d.attribution) for d in found.examples
    ] == [
        ("page", reference_person("shop", "user:mallory"), "anonymous", nobody, "anonymous"),
        ("two", nobody, "carried", nobody, "anonymous"),
    ]


@embedded
async def test_a_fact_that_was_taken_away_or_put_there_is_found(warehouse: Warehouse) -> None:
    """The rows it explains differ."""
    hits = world(5, Shape(hits=600, devices=10)).hits
    await stitch_into(warehouse, [sent.hit() for sent in hits], Policy())
    ask, policy = to(warehouse), AuditPolicy(Policy())
    assert check(ask, policy).differing == 0

    warehouse.command("CREATE TABLE kept AS identity_facts")
    warehouse.command("INSERT INTO kept SELECT * FROM identity_facts FINAL")
    warehouse.command(
        "INSERT INTO identity_facts SELECT * REPLACE ('mallory' AS user_id) FROM kept WHERE user_id != ''"
    )
    assert check(ask, policy).differing > 0

    warehouse.command("TRUNCATE TABLE identity_facts")
    assert check(ask, policy).differing > 0

    warehouse.command("INSERT INTO identity_facts SELECT * FROM kept")
    assert check(ask, policy).differing == 0


@embedded
async def test_rows_that_came_too_late_are_listed_apart(warehouse: Warehouse) -> None:
    """Pages that come long after the facts they need were forgotten are marked, and are no difference."""
    policy = Policy(lookback_ms=4 * BUCKET_MS)
    sent = world(11, Shape(hits=1_500, devices=6, days=3, late_days=2.5, late_share=0.5, duplicate_share=0)).hits
    prompt = (s if not (s.user_id or s.logout) else msgspec.structs.replace(s, received_ms=s.ts_ms) for s in sent)
    hits = sorted(prompt, key=lambda s: s.received_ms)
    await stitch_into(warehouse, [s.hit() for s in hits], policy)

    found = check(to(warehouse), AuditPolicy(policy))

    assert (found.differing, found.examples) == (0, ())
    assert found.late > found.late_differing > 0
    assert len(found.late_examples) == min(found.late_differing, 20)
    stored = warehouse.query("SELECT event_id FROM actions WHERE late", rows_max=10_000).rows
    assert {example.event_id for example in found.late_examples} <= {event_id for (event_id,) in stored}


@embedded
async def test_a_difference_that_links_are_about_to_mend_is_none(warehouse: Warehouse) -> None:
    """Rows stand in the table before the links that cover them: what has just arrived is looked at again."""
    hits = [action("page", 0), action("in", 1, user="alice")]
    arrived = warehouse.query("SELECT toString(now64(3))").rows[0][0].replace(" ", "T") + "Z"
    fresh = [msgspec.structs.replace(hit, received_at=arrived) for hit in hits]
    warehouse.insert_rows("action_log", ndjson(*fresh))
    ask, mended = to(warehouse), threading.Event()

    def asked(sql: str, parameters: Mapping[str, Any]) -> tuple[list[str], list[list[Any]]]:
        reply = ask(sql, parameters)
        if "attributions(" in sql and not mended.is_set():
            mended.set()
            alice = reference_person("shop", "user:alice")
            page = msgspec.structs.replace(fresh[0], person_id=alice, attribution="backfilled", version=2)
            warehouse.insert_rows("action_log", ndjson(page))
        return reply

    assert check(asked, AuditPolicy(Policy())) == Checked(rows=2)
    assert mended.is_set()


def test_the_oracle_is_the_judge_of_the_sql() -> None:
    """The worlds above hold every attribution, or comparing them would show little."""
    for shape, policy in WORLDS.values():
        answers = oracle((sent.head() for sent in world(1, shape).hits), policy)

        assert {attribution for _, attribution in answers.values()} == {
            "identified",
            "carried",
            "backfilled",
            "anonymous",
        }
