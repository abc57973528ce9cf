"""What guards notice, how much of it, and nothing that is below their thresholds; nothing they notice is dropped."""

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any
from unittest import mock

import msgspec
import pytest

from pipeline.cli import main
from pipeline.identity.ids import user_person
from pipeline.identity.merges import merges
from pipeline.identity.policy import Policy
from pipeline.limits import (
    ACTIONS_PER_DAY_MAX,
    DAY_MS,
    DEVICES_PER_USER_MAX,
    EVERYWHERE_DEVICES_MIN,
    LOGINS_PER_DAY_MAX,
    LOOKBACK_MS,
    USERS_PER_BUCKET_MAX,
    USERS_PER_DEVICE_MAX,
)
from pipeline.model import Alias, Hit
from pipeline.questions import QuestionRefused, to
from pipeline.suspects import GUARDS, LISTED_MAX, Found, Numbers, found
from pipeline.times import iso, ms_of
from pipeline.warehouse.client import Warehouse
from tests.audit.stitched_world import stitch_into
from tests.protocols.build import counted, matomo, native, only, sites
from tests.support.actions import NOON, action, ndjson
from tests.support.generator import Shape, world

DAY = DAY_MS // 60_000  # minutes
LATEST_MS = ms_of(NOON)
Capture = pytest.CaptureFixture[str]


def fill(
    warehouse: Warehouse, number: int, device: str, user: str = "''", at: str = "number", illegal: str = "''"
) -> None:
    """So many rows; each argument is SQL over `number`, `at` seconds before noon."""
    warehouse.command(
        f"""
        INSERT INTO action_log (
            workspace, site_id, event_id, ts, received_at, device, day, anonymous_id, user_id, illegal_id, attribution,
            version
        )
        SELECT
            'shop', 'www', concat({device}, '/', toString(number)), at, at, concat('d:', {device}), toDate(at),
            {device}, {user}, {illegal}, if({user} = '', 'anonymous', 'identified'), 1
        FROM
        (
            SELECT number, toDateTime64('2026-09-01 12:00:00', 3, 'UTC') - ({at}) AS at FROM numbers({number})
        )
        """
    )


def listed(warehouse: Warehouse, **numbers: Any) -> dict[tuple[str, str], int]:
    """(guard, ID) to count, as the command asks, hence within its limits: 10 s, 10,000 rows, 2 GiB."""
    guards = list(found(to(warehouse), Numbers(**numbers)))
    assert [guard.unanswered for guard in guards] == [""] * len(GUARDS)
    return {(guard.guard, suspect.id): suspect.count for guard in guards for suspect in guard.worst}


def sent_in(hits: list[Hit], lookback_ms: int = LOOKBACK_MS) -> dict[str, Any]:
    """Users by (workspace, device), devices by (workspace, user): of the lookback before each workspace's newest."""
    facts = [hit for hit in hits if hit.user_id or hit.logout]
    newest = {hit.workspace: max(ms_of(h.ts) for h in facts if h.workspace == hit.workspace) for hit in facts}
    users, devices = dict[tuple[str, str], set[str]](), dict[tuple[str, str], set[str]]()
    for hit in facts:
        if hit.user_id and hit.anonymous_id and ms_of(hit.ts) > newest[hit.workspace] - lookback_ms:
            users.setdefault((hit.workspace, hit.anonymous_id), set()).add(hit.user_id)
            devices.setdefault((hit.workspace, hit.user_id), set()).add(hit.anonymous_id)
    return {"users": users, "devices": devices}


def test_nothing_is_noticed_in_nothing(warehouse: Warehouse) -> None:
    """No rows, no suspects; and one person on one device is none."""
    assert listed(warehouse) == {}
    fill(warehouse, 100, "'laptop'", "'alice'", "number * 3600")
    assert listed(warehouse) == {}


@pytest.mark.parametrize("warehouse_url", ["chdb"], indirect=True)
async def test_of_a_world_only_what_is_in_it(warehouse: Warehouse) -> None:
    """Counted by hand from what was sent; and every action is still there."""
    hits = [sent.hit() for sent in world(5, Shape(hits=1_500, devices=40, days=40)).hits]
    await stitch_into(warehouse, hits, Policy())
    rows = warehouse.query("SELECT guard, workspace, id, count FROM suspects").rows
    by = {name: {(w, i): n for g, w, i, n in rows if g == name} for name in GUARDS}
    sent = sent_in(hits)

    assert by["shared_device"] == {at: len(users) for at, users in sent["users"].items() if len(users) > 1}
    assert by["user_on_many_devices"] == {
        at: len(devices) for at, devices in sent["devices"].items() if len(devices) > DEVICES_PER_USER_MAX
    }
    assert all(number > USERS_PER_BUCKET_MAX for number in by["page_claims_many"].values())
    assert [by[name] for name in ("id_everywhere", "illegal_id", "busy_id", "many_logins", "refused_component")] == [
        {}
    ] * 5
    assert warehouse.query("SELECT count() FROM actions").rows == [
        [len({(h.workspace, h.device, h.event_id) for h in hits})]
    ]


def test_devices_of_several_users_and_which_of_them_is_a_kiosk(warehouse: Warehouse) -> None:
    """By the setting; users of longer ago than the lookback do not count, and one user is no sharing."""
    fill(warehouse, 2, "'tablet'", "concat('u', toString(number))")
    fill(warehouse, USERS_PER_DEVICE_MAX + 1, "'kiosk'", "concat('u', toString(number))")
    fill(warehouse, 2, "'sold'", "concat('u', toString(number))", f"number * {LOOKBACK_MS // 1000}")
    told = "SELECT id, what FROM suspects WHERE guard = 'shared_device' ORDER BY count"

    assert listed(warehouse) == {("shared_device", "tablet"): 2, ("shared_device", "kiosk"): 6}
    assert warehouse.query(told).rows == [["tablet", "2 users"], ["kiosk", "6 users: a kiosk"]]
    two = list(found(to(warehouse), Numbers(users_per_device_max=1)))
    assert all(s.what.endswith("kiosk") for guard in two for s in guard.worst)
    assert listed(warehouse, lookback_ms=LOOKBACK_MS + DAY_MS)["shared_device", "sold"] == 2


def test_users_on_too_many_devices(warehouse: Warehouse) -> None:
    """One more than the threshold, over the days of a lookback; not as many as it."""
    for user, number in (("many", DEVICES_PER_USER_MAX + 1), ("few", DEVICES_PER_USER_MAX)):
        fill(warehouse, number, f"concat('{user}', toString(number))", f"'{user}'", "number * 86400")

    assert listed(warehouse) == {("user_on_many_devices", "many"): DEVICES_PER_USER_MAX + 1}


def test_an_id_that_is_suddenly_everywhere(warehouse: Warehouse) -> None:
    """Ten times its days before; not what was everywhere all along, nor one that is on a few devices."""
    number = EVERYWHERE_DEVICES_MIN
    fill(warehouse, 10, "concat('old', toString(number))", "'demo'", "86400 * (number + 1)")
    fill(warehouse, number, "concat('new', toString(number))", "'demo'")
    fill(warehouse, number - 1, "concat('small', toString(number))", "'small'")
    fill(warehouse, number * 20, "concat('usual', toString(number))", "'usual'", "intDiv(number, 20) * 86400")
    everywhere = {key: count for key, count in listed(warehouse).items() if key[0] == "id_everywhere"}
    sentence = "SELECT what FROM suspects WHERE guard = 'id_everywhere' AND id = 'demo'"

    assert everywhere == {("id_everywhere", "demo"): number, ("id_everywhere", "usual"): number * 20}
    assert warehouse.query(sentence).rows == [[f"{number} devices in a day, 1 a day before"]]


def test_an_id_on_a_share_of_all_devices(warehouse: Warehouse) -> None:
    """Five in a hundred devices; with fewer than a hundred a share says nothing."""
    fill(warehouse, 5, "concat('its', toString(number))", "'crew'", "number * 86400")
    fill(warehouse, 94, "concat('d', toString(number))", "concat('u', toString(number))")
    assert listed(warehouse) == {}
    fill(warehouse, 1, "'one more'", "'u'")
    assert listed(warehouse) == {("id_everywhere", "crew"): 5}
    fill(warehouse, 1, "'one too many'", "'v'")
    assert listed(warehouse) == {}


def test_devices_that_are_busier_than_anybody(warehouse: Warehouse) -> None:
    """By actions and by logins, of a day; the same row again is the same row."""
    fill(warehouse, ACTIONS_PER_DAY_MAX + 1, "'busy'", at="number / 10")
    fill(warehouse, ACTIONS_PER_DAY_MAX, "'quiet'", at="number / 10")
    fill(warehouse, ACTIONS_PER_DAY_MAX, "'quiet'", at="number / 10")
    fill(warehouse, LOGINS_PER_DAY_MAX + 1, "'server'", "'alice'", "number")
    fill(warehouse, LOGINS_PER_DAY_MAX, "'laptop'", "'bob'", "number")

    assert listed(warehouse) == {
        ("busy_id", "busy"): ACTIONS_PER_DAY_MAX + 1,
        ("many_logins", "server"): LOGINS_PER_DAY_MAX + 1,
    }


def test_a_page_that_names_more_users_than_can_be_told_apart(warehouse: Warehouse) -> None:
    """Within one half hour; the same number in two is no claim."""
    for device, apart_s in (("liar", 1), ("shop", 100)):
        fill(
            warehouse,
            USERS_PER_BUCKET_MAX + 1,
            f"'{device}'",
            "concat('u', toString(number))",
            f"{apart_s} * number + 1",
        )
    claims = {key: count for key, count in listed(warehouse).items() if key[0] == "page_claims_many"}

    assert claims == {("page_claims_many", "liar"): USERS_PER_BUCKET_MAX + 1}


def test_ten_thousand_on_a_cookie_a_hundred_thousand_devices_and_a_chain_of_ten_thousand(warehouse: Warehouse) -> None:
    """Listed, with their counts, within the limits of a question; nothing is dropped."""
    fill(warehouse, 10_000, "'cookie'", "concat('u', toString(number))", "number / 10 + 1")
    fill(warehouse, 100_000, "concat('dev', toString(number))", "'everybody'", "number % 80000")
    _chain(warehouse, 10_000)
    component = min(user_person("shop", f"a{number}") for number in range(10_001))

    assert listed(warehouse) == {
        ("id_everywhere", "everybody"): 100_000,
        ("refused_component", component): 10_001,
        ("user_on_many_devices", "everybody"): 100_000,
        ("page_claims_many", "cookie"): 10_000,
        ("many_logins", "cookie"): 10_000,
        ("shared_device", "cookie"): 10_000,
    }
    assert warehouse.query("SELECT count() FROM actions").rows == [[110_000]]


def _chain(warehouse: Warehouse, number: int) -> None:
    """Each user is the one before: refused, and as the sink writes it."""
    said = [
        Alias(workspace="shop", event_id=f"e{n}", ts=NOON, received_at=iso(LATEST_MS + n), user_id=f"a{n + 1}",
              previous_id=f"a{n}", authority="secret")
        for n in range(number)
    ]  # fmt: skip
    warehouse.insert_rows("aliases_staged", b"\n".join(b'{"batch":"b",' + msgspec.json.encode(s)[1:] for s in said))
    warehouse.insert_rows("person_merges", ndjson(*merges("shop", said)))


def test_a_few_who_are_joined_are_no_suspects(warehouse: Warehouse) -> None:
    """Nor anybody who is one person by as many aliases as a person can have."""
    _chain(warehouse, 49)
    assert listed(warehouse) == {}
    _chain(warehouse, 50)
    assert list(listed(warehouse).values()) == [51]


def test_a_hit_without_a_legal_id_says_so_in_its_row(warehouse: Warehouse) -> None:
    """What came instead, never a value: of the site's own list and patterns, and of what is too long, no word."""
    where = sites(illegal_ids=["Acme Demo"], illegal_id_patterns=[r"tmp-\d+"])
    given = ("null", "acme demo", "tmp-4711", "x" * 256, "erased:alice@example.com", "alice")
    hits = [only(native({"type": "page", "user_id": user, "anonymous_id": "a1"}, where=where)) for user in given]
    both = native({"type": "page", "user_id": "Undefined", "anonymous_id": "0000"}, where=where)

    assert [hit.illegal_id for hit in hits] == [
        "user_id: null",
        "user_id: (site's own list)",
        "user_id: (site's own list)",
        "user_id: (too long)",
        "user_id: (erased:…)",
        "",
    ]
    assert only(both).illegal_id == "anonymous_id: 0000, user_id: undefined"
    assert counted(both) == [("illegal_id", "anonymous_id: 0000"), ("illegal_id", "user_id: undefined")]
    assert only(matomo({"uid": "guest"})).illegal_id == "user_id: guest"


@pytest.mark.parametrize("warehouse_url", ["chdb"], indirect=True)
async def test_what_came_instead_of_an_id_is_counted_per_site_and_word(warehouse: Warehouse) -> None:
    """Through the stitcher and the sink; a retry is the same hit."""
    made = [
        msgspec.structs.replace(
            only(native({"type": "page", "user_id": word, "anonymous_id": device, "event_id": f"{word}{device}"})),
            site_id=site,
        )
        for site, word, device in (
            ("www", "null", "a"),
            ("www", "NULL", "b"),
            ("app", "null", "d"),
            ("www", "bob", "c"),
        )
    ]
    await stitch_into(warehouse, [*made, made[1]], Policy())
    sql = "SELECT site_id, id, count, what FROM suspects ORDER BY site_id"
    noted = "SELECT count(), countIf(illegal_id != ''), countIf(illegal_id != '' AND user_id != '') FROM actions"

    assert warehouse.query(sql).rows == [
        ["app", "user_id: null", 1, "1 hits on 1 devices"],
        ["www", "user_id: null", 2, "2 hits on 2 devices"],
    ]
    assert warehouse.query(noted).rows == [[4, 3, 0]]


def test_the_view_has_the_command_s_numbers(warehouse: Warehouse) -> None:
    """Who reads `suspects` sees what `seamline doctor` lists."""
    fill(warehouse, 40, "'liar'", "concat('u', toString(number))", "number + 1")
    fill(warehouse, 21, "concat('many', toString(number))", "'many'")
    fill(warehouse, 3, "'x'", illegal="'user_id: null'")
    rows = warehouse.query("SELECT guard, id, count FROM suspects").rows

    assert {(guard, id_): count for guard, id_, count in rows} == listed(warehouse)
    assert len(rows) == 5


def test_a_guard_that_cannot_answer_keeps_no_other_back(warehouse: Warehouse) -> None:
    """And says why."""
    fill(warehouse, 2, "'tablet'", "concat('u', toString(number))")
    questions = to(warehouse)

    def ask(sql: str, parameters: Mapping[str, Any]) -> tuple[list[str], list[list[Any]]]:
        if parameters["guard"] == "id_everywhere":
            raise QuestionRefused("10 s are over")
        return questions(sql, parameters)

    guards = {guard.guard: guard for guard in found(ask, Numbers())}

    assert guards["id_everywhere"] == Found("id_everywhere", unanswered="10 s are over")
    assert guards["shared_device"].number == 1


def test_the_sentence_quotes_what_a_page_sent(warehouse: Warehouse) -> None:
    """As YAML reads it; of a pseudonym the ID behind it has to be named, which only the site knows."""
    hidden = "k1:" + "ab" * 32
    lines = [
        action(f"{device}{n}", n, device=device, user=f"u{n}", site_id="www")
        for device in ('a"] \x1b[2J', hidden)
        for n in range(6)
    ]
    warehouse.insert_rows("action_log", ndjson(*lines))
    settings = dict(warehouse.query("SELECT id, setting FROM suspects").rows)

    assert '["a\\"] \\u001B[2J"]' in settings['a"] \x1b[2J']
    assert "[the ID behind this pseudonym]" in settings[hidden]


@pytest.fixture
def cli(warehouse_url: str, tmp_path: Any) -> Iterator[None]:
    """Commands ask this test's warehouse."""
    names = {"SEAMLINE_WAREHOUSE": warehouse_url, "SEAMLINE_DATA": str(tmp_path)}
    with mock.patch.dict(os.environ, names):
        yield


@pytest.mark.usefixtures("cli")
def test_the_command_lists_suspects_and_families_are_no_alarm(warehouse: Warehouse, capsys: Capture) -> None:
    """The worst first, twenty of a guard, no control characters. Shared devices alone end with 0."""
    assert (main(["doctor"]), capsys.readouterr().out) == (0, "nothing to see\n")
    fill(warehouse, LISTED_MAX * 2 + 5, "concat('\x1bd', toString(intDiv(number, 2)))", "concat('u', toString(number))")
    fill(warehouse, 7, "'kiosk'", "concat('w', toString(number))")

    assert main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "shared_device: 23 (devices that several users signed in on)"
    assert lines[1].startswith("  shop/www  kiosk  7 users: a kiosk, 2026-09-01 11:59 to 2026-09-01 12:00")
    assert 'policy.illegal_ids: ["kiosk"]' in lines[2]
    assert lines[-1] == "  and 3 more"
    assert all(line.isprintable() for line in lines)
    assert main(["doctor", "--workspace", "nowhere"]) == 0


@pytest.mark.usefixtures("cli")
def test_the_command_s_json(warehouse: Warehouse, capsys: Capture) -> None:
    """One object: every guard, also those that noticed nothing."""
    fill(warehouse, 3, "'x'", illegal="'user_id: null'")

    assert main(["doctor", "--json"]) == 1
    guards = {guard["guard"]: guard for guard in json.loads(capsys.readouterr().out)["guards"]}
    assert list(guards) == list(GUARDS)
    assert (guards["illegal_id"]["number"], guards["busy_id"]["worst"]) == (1, [])
    assert guards["illegal_id"]["worst"][0]["what"] == "3 hits on 1 devices"
