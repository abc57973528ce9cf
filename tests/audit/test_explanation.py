"""Every answer says why: the rule in words, the login that decided, the aliases, and what it was before."""

from collections.abc import Sequence

import msgspec
import pytest

from pipeline.audit import told
from pipeline.audit.explanation import Explanation, explain
from pipeline.audit.policy import AuditPolicy
from pipeline.identity.ids import device_of, device_person, user_person
from pipeline.identity.policy import Policy
from pipeline.log.port import ALIASES, Append
from pipeline.model import ALIAS_SCHEMA, Alias, Hit
from pipeline.questions import to
from pipeline.sink.sink import Sink
from pipeline.warehouse.client import Warehouse
from tests.audit.stitched_world import stitch_into
from tests.support.actions import at
from tests.support.fake_log import FakeLog
from tests.support.generator import Sent, Shape, world
from tests.support.oracle import Facts, facts_of, ms

POLICY = AuditPolicy(Policy(users_per_bucket_max=3, users_per_device_max=2))
HOUR, DAY = 60, 24 * 60  # minutes
embedded = pytest.mark.parametrize("warehouse_url", ["chdb"], indirect=True)


def when(minutes: float) -> str:
    """So many minutes after the middle of a half hour."""
    return at(15 + minutes)


def hit(
    event_id: str, minutes: float, user: str = "", *, workspace: str = "shop", late: float = 0, **fields: object
) -> Hit:
    """On one phone; `holds` where it is said. It arrives `late` minutes after its time."""
    values = {
        "workspace": workspace,
        "site_id": "www",
        "event_id": event_id,
        "ts": when(minutes),
        "received_at": when(minutes + late),
        "device": device_of("phone", user, event_id),
        "day": when(minutes)[:10],
        "anonymous_id": "phone",
        "user_id": user,
        **fields,
    }
    return msgspec.convert(values, Hit)


PAGE = hit("page", 0)
# name: (what happened, attribution of the page, the rule, the login that decided, words of the reason)
STORIES: dict[str, tuple[Sequence[Hit], str, str, str, str]] = {
    "names it": ([hit("page", 0, "alice", holds=True)], "identified", "sent", "page", "the hit itself names alice"),
    "in a visit": (
        [hit("in", -5, "alice"), PAGE, hit("in2", 5, "alice")],
        "carried", "present", "in", "from 2026-09-01 12:10:00.000 on",
    ),
    "a login that holds": (
        [hit("in", -DAY, "alice", holds=True), PAGE],
        "carried", "before", "in", "holds until a sign-out",
    ),
    "a login after": (
        [PAGE, hit("in", HOUR, "alice")],
        "backfilled", "after", "in", "alice signed in on this device at",
    ),
    "no IDs": ([hit("page", 0, anonymous_id="", device="h:page")], "anonymous", "no_ids", "", "stands alone"),
    "a crowd at once": (
        [PAGE, *(hit(f"in{n}", n - 2.5, f"user{n}") for n in range(6))],
        "anonymous", "contested", "", "told apart",
    ),
    "two at once": (
        [PAGE, *(hit(f"{u}{m}", m, u) for u in ("alice", "bob") for m in (-5, 5))],
        "anonymous", "together", "", "two users were signed in",
    ),
    "another overlaps": (
        [PAGE, hit("a", -5, "alice"), hit("a2", 5, "alice"), hit("b", 3, "bob"), hit("b2", 9, "bob")],
        "anonymous", "overlapped", "", "of another user overlap",
    ),
    "two at one instant": (
        [hit("a", -HOUR, "alice", holds=True), hit("b", -HOUR, "bob"), PAGE],
        "anonymous", "contested_before", "", "same instant",
    ),
    "nobody ever": ([PAGE], "anonymous", "never", "", "nobody has signed in on this device"),
    "signed out": (
        [hit("in", -2 * HOUR, "alice", holds=True), hit("out", -HOUR, logout=True), PAGE],
        "anonymous", "signed_out", "", "after the sign-out at 2026-09-01 11:15:00.000",
    ),
    "does not hold": (
        [hit("in", -HOUR, "alice"), PAGE],
        "anonymous", "not_held", "", "of alice at 2026-09-01 11:15:00.000",
    ),
    "long ago": (
        [hit("in", -31 * DAY, "alice", holds=True), PAGE],
        "anonymous", "expired", "", "more than 30 days back",
    ),
    "a sign-out next": (
        [PAGE, hit("out", HOUR, logout=True), hit("in", 2 * HOUR, "alice")],
        "anonymous", "logout_next", "", "is a sign-out",
    ),
    "far ahead": ([PAGE, hit("in", 31 * DAY, "alice")], "anonymous", "too_far", "", "more than 30 days ahead"),
    "two next": (
        [PAGE, hit("a", HOUR, "alice"), hit("b", HOUR, "bob")],
        "anonymous", "contested_after", "", "more than one user",
    ),
    "between two": (
        [hit("a", -HOUR, "alice"), PAGE, hit("b", HOUR, "bob")],
        "anonymous", "between", "", "logins of alice at",
    ),
    "a kiosk": (
        [hit("a", -2 * DAY, "ann"), hit("b", -DAY, "bob"), hit("c", -HOUR, "cid"), PAGE, hit("d", HOUR, "cid")],
        "anonymous", "crowded", "", "more than 2 users signed in",
    ),
}  # fmt: skip


@embedded
async def test_every_rule_has_its_reason_and_its_login(warehouse: Warehouse) -> None:
    """Each attribution, and each way to be nobody's."""
    hits = [
        msgspec.structs.replace(h, workspace=f"story{n}") for n, story in enumerate(STORIES.values()) for h in story[0]
    ]
    await stitch_into(warehouse, hits, POLICY.numbers)

    found = list(explain(to(warehouse), POLICY, "page"))
    names = {f"story{number}": name for number, name in enumerate(STORIES)}

    assert {names[e.workspace]: (e.attribution, e.answer.rule, e.login.event_id if e.login else "") for e in found} == {
        name: story[1:4] for name, story in STORIES.items()
    }
    assert {
        names[e.workspace]: e.answer.because for e in found if STORIES[names[e.workspace]][4] not in e.answer.because
    } == {}
    assert all(e.agrees and e.answer.attribution == e.attribution for e in found)


@embedded
async def test_the_login_is_the_one_the_rules_speak_of(warehouse: Warehouse) -> None:
    """In a whole world: for each row the span around it, the latest login before it, or the earliest after it."""
    hits = world(31, Shape(hits=1_500, devices=30, days=40)).hits
    await stitch_into(warehouse, [sent.hit() for sent in hits], Policy())
    devices: dict[tuple[str, str], list[Sent]] = {}
    for sent in hits:
        devices.setdefault((sent.workspace, sent.device), []).append(sent)
    facts = {key: facts_of([sent.head() for sent in seen], Policy()) for key, seen in devices.items()}
    rows = warehouse.query("""
        SELECT workspace, device, ts, attribution, belongs_to, login_at
        FROM attributions_as_of(workspace = '', known_by = '')
        WHERE attribution IN ('carried', 'backfilled')
    """).rows

    assert len(rows) > 300
    for workspace, device, ts, attribution, user, login_at in rows:
        expected = _login(facts[workspace, device], ms(ts), attribution)
        assert (login_at and ms(login_at)) == expected
        assert any(sent.ts_ms == expected and sent.user_id == user for sent in devices[workspace, device])


def _login(facts: Facts, t: int, attribution: str) -> int:
    around = [span.first for span in facts.spans if span.first <= t <= span.last]
    if around:
        return min(around)
    if attribution == "carried":
        return max(span.last for span in facts.spans if span.last < t)
    return min(span.first for span in facts.spans if span.first > t)


async def test_what_it_was_before_and_when_that_changed(warehouse: Warehouse) -> None:
    """On arrival nobody's; alice's by her login; nobody's again by a sign-out that came late."""
    hits = [PAGE, hit("in", HOUR, "alice"), hit("out", 30, logout=True, late=3 * HOUR)]
    await stitch_into(warehouse, hits, Policy(), size=1)
    alice, nobody = user_person("shop", "alice"), device_person("shop", "phone")

    (found,) = explain(to(warehouse), AuditPolicy(Policy()), "page", "shop")

    assert (found.on_arrival.person_id, found.on_arrival.rule) == (nobody, "never")
    assert [(d.decided_at, d.person_id, d.user_id, d.attribution, d.event_id) for d in found.history] == [
        (when(HOUR), alice, "alice", "backfilled", "in"),
        (when(30 + 3 * HOUR), nobody, "", "anonymous", "out"),
    ]
    assert (found.person_id, found.attribution, found.answer.rule) == (nobody, "anonymous", "logout_next")


@embedded
async def test_the_aliases_that_joined_the_person(warehouse: Warehouse) -> None:
    """Who is one person, and who said so; the person before that stays known."""
    await stitch_into(warehouse, [PAGE, hit("in", HOUR, "alice")], Policy())
    said = [
        Alias(workspace="shop", event_id=f"said{n}", ts=at(n), received_at=at(n), user_id="alice", previous_id=other,
              withdrawn=withdrawn, authority="secret")
        for n, (other, withdrawn) in enumerate([("anna", False), ("bob", False), ("bob", True)])
    ]  # fmt: skip
    log = FakeLog(1)
    lines = b"\n".join(map(msgspec.json.encode, said))
    await log.append([Append(ALIASES, 0, lines, {"schema": ALIAS_SCHEMA, "count": "3"})])
    await Sink(log, warehouse).flush_once()

    (found,) = explain(to(warehouse), AuditPolicy(Policy()), "page")

    assert found.stitched_person_id == user_person("shop", "alice")
    assert found.person_id == min(user_person("shop", "alice"), user_person("shop", "anna"))
    assert (found.aliases.users, found.aliases.refused) == (("alice", "anna"), False)
    assert [(s.event_id, s.withdrawn) for s in found.aliases.statements] == [
        ("said0", False),
        ("said1", False),
        ("said2", True),
    ]
    assert "one person: alice, anna" in "\n".join(told.explanation(found))


@embedded
async def test_a_row_that_the_facts_contradict_says_so(warehouse: Warehouse) -> None:
    """Whatever the row says, the reason given is that of the facts."""
    await stitch_into(warehouse, [PAGE], Policy())
    warehouse.command(
        "INSERT INTO action_log SELECT * REPLACE ({person:UUID} AS person_id, version + 1 AS version) FROM action_log",
        {"person": user_person("shop", "mallory")},
    )

    (found,) = explain(to(warehouse), AuditPolicy(Policy()), "page")

    assert not found.agrees
    assert "the facts say anonymous" in "\n".join(told.explanation(found))


@embedded
async def test_texts_of_trackers_cannot_move_a_cursor(warehouse: Warehouse) -> None:
    """Control characters in IDs and names are shown as what they are not."""
    evil = "\x1b[2J\u202eevil\n"
    await stitch_into(warehouse, [hit("page", 0, "al\x1bice", name=evil), hit(evil, 1)], Policy())
    ask = to(warehouse)

    lines = [line for e in ("page", evil) for found in explain(ask, POLICY, e) for line in told.explanation(found)]

    assert len(lines) > 10
    assert [line for line in lines if not line.isprintable()] == []


def test_nothing_is_found_of_an_event_nobody_sent(reader: Warehouse) -> None:
    """No explanation rather than an empty one."""
    found: list[Explanation] = list(explain(to(reader), POLICY, "nope' OR 1=1 --"))

    assert found == []
