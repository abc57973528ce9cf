"""Links re-attribute exactly the rows they cover, whenever and however often they are applied."""

import itertools
import random
import uuid

import msgspec
import pytest

from pipeline.identity.ids import device_person, user_person
from pipeline.model import Action, Link
from pipeline.warehouse.client import Warehouse
from tests.support.actions import action, at, link, ndjson

ALICE, BOB, NOBODY = user_person("shop", "alice"), user_person("shop", "bob"), device_person("shop", "phone")


def apply(warehouse: Warehouse, *links: Link) -> None:
    """As one flush does."""
    batch = str(uuid.uuid4())
    lines = [{"batch": batch, **msgspec.to_builtins(each)} for each in links]
    warehouse.insert_rows("links_staged", b"\n".join(map(msgspec.json.encode, lines)))
    warehouse.apply_links(batch)


def persons(warehouse: Warehouse) -> dict[str, str]:
    """Event to person."""
    return dict(warehouse.query("SELECT event_id, person_id FROM actions ORDER BY event_id").rows)  # type: ignore[arg-type]


def test_both_ends_are_inclusive_to_the_millisecond(warehouse: Warehouse) -> None:
    """A link is a closed span of event time."""
    ms = 1 / 60_000
    minutes = {"a": 10 - ms, "b": 10, "c": 15, "d": 20, "e": 20 + ms}
    warehouse.insert_rows("action_log", ndjson(*(action(name, when) for name, when in minutes.items())))

    apply(warehouse, link(10, 20, version=2))

    assert persons(warehouse) == {"a": NOBODY, "b": ALICE, "c": ALICE, "d": ALICE, "e": NOBODY}


def test_a_row_is_itself_but_for_its_person(warehouse: Warehouse) -> None:
    """Every other field survives the rewrite, byte for byte."""
    row = action(
        "a", name="näme", url="https://x/?q='\\\t", properties={"b": 1, "a": [1, {"c": "\"\\n"}]}, traits={"x": None},
        revenue=1.5, currency="EUR", bot=True, clock="corrected", ip="10.0.0.0", campaign_term="t", logout=True,
        protocol="matomo", day="2020-02-29", late=True,
    )  # fmt: skip
    warehouse.insert_rows("action_log", ndjson(row))
    changed = ("person_id", "stitched_person_id", "attribution", "version", "late")
    before = warehouse.query(f"SELECT * EXCEPT ({', '.join(changed)}) FROM actions").rows

    apply(warehouse, link(0, 0, version=9, attribution="carried"))

    assert before == warehouse.query(f"SELECT * EXCEPT ({', '.join(changed)}) FROM actions").rows
    assert warehouse.query(f"SELECT {', '.join(changed)} FROM actions").rows == [[ALICE, ALICE, "carried", 9, False]]


def test_a_row_with_a_user_is_never_touched(warehouse: Warehouse) -> None:
    """It is identified as that user, whatever the device says."""
    warehouse.insert_rows("action_log", ndjson(action("a", user="bob"), action("b")))

    apply(warehouse, link(-60, 60, version=2))

    assert persons(warehouse) == {"a": BOB, "b": ALICE}


def test_a_row_that_got_a_user_since_is_not_touched_by_its_older_self(warehouse: Warehouse) -> None:
    """Only the newest version of a row is looked at: the older one had no user ID."""
    warehouse.insert_rows("action_log", ndjson(action("a", version=1)))
    warehouse.insert_rows("action_log", ndjson(action("a", user="bob", device="phone", version=2)))

    apply(warehouse, link(-60, 60, version=3))

    assert persons(warehouse) == {"a": BOB}


def test_only_lower_versions_are_covered(warehouse: Warehouse) -> None:
    """Rows of the record that decided, and of later ones, already know."""
    warehouse.insert_rows("action_log", ndjson(*(action(f"v{version}", version=version) for version in (1, 2, 3))))

    apply(warehouse, link(-60, 60, version=2))

    assert persons(warehouse) == {"v1": ALICE, "v2": NOBODY, "v3": NOBODY}


def test_other_devices_and_workspaces_are_left_alone(warehouse: Warehouse) -> None:
    """Also those whose names only begin alike."""
    places = {"a": ("shop", "phone"), "b": ("shop", "phone2"), "c": ("shop2", "phone"), "d": ("shop", "Phone")}
    warehouse.insert_rows("action_log", ndjson(*(action(e, workspace=w, device=d) for e, (w, d) in places.items())))

    apply(warehouse, link(-60, 60, version=2))

    assert [event for event, person in persons(warehouse).items() if person == ALICE] == ["a"]


@pytest.mark.parametrize("device", ["a'b", "a\\b", "tab\there", "é😀", "a\nb", "`", "{x:String}"])
def test_a_device_may_be_called_anything(warehouse: Warehouse, device: str) -> None:
    """It comes from outside."""
    warehouse.insert_rows("action_log", ndjson(action("a", device=device)))

    apply(warehouse, link(-60, 60, version=2, device=device))

    assert persons(warehouse) == {"a": ALICE}


def test_the_newest_link_wins_within_a_flush_and_across_flushes_in_any_order(warehouse: Warehouse) -> None:
    """Overlapping decisions of four records, in every order, together and one by one, and twice."""
    links = [
        link(0, 30, version=2, user="alice"), link(10, 40, version=3, user="bob"),
        link(20, 25, version=4, user=""), link(0, 5, version=5, user="bob"),
    ]  # fmt: skip
    rows = [
        action(f"e{minutes:02}", minutes, device="phone") for minutes in (-1, 0, 5, 7, 10, 19, 20, 25, 26, 30, 35, 41)
    ]
    expected = {
        "e-1": NOBODY, "e00": BOB, "e05": BOB, "e07": ALICE, "e10": BOB, "e19": BOB, "e20": NOBODY, "e25": NOBODY,
        "e26": BOB, "e30": BOB, "e35": BOB, "e41": NOBODY,
    }  # fmt: skip
    here: list[Action] = []
    flushes: dict[int, list[Link]] = {0: [], 1: [], 2: [], 3: []}
    for number, order in enumerate(itertools.permutations(links)):
        workspace = f"w{number}"
        here += [msgspec.structs.replace(row, workspace=workspace) for row in rows]
        mine = [msgspec.structs.replace(each, workspace=workspace) for each in order]
        for step, part in enumerate([mine] if number % 2 else [mine[:1], mine[1:3], mine[:2], mine[3:]]):
            flushes[step] += part
    warehouse.insert_rows("action_log", ndjson(*here))
    for flush in flushes.values():
        apply(warehouse, *flush)

    found = warehouse.query("SELECT DISTINCT event_id, person_id FROM actions ORDER BY 1").rows

    assert found == sorted(map(list, expected.items()))


def test_applying_again_or_late_changes_nothing(warehouse: Warehouse) -> None:
    """A replay after a crash, and a stalled old owner that wakes."""
    old, new = link(0, 60, version=2, user="bob"), link(0, 60, version=3, user="alice")
    warehouse.insert_rows("action_log", ndjson(*(action(f"e{m}", m) for m in (0, 30, 60))))
    apply(warehouse, old)
    apply(warehouse, new)
    before = warehouse.query("SELECT * FROM actions ORDER BY event_id").rows
    stored = warehouse.query("SELECT count() FROM action_log").rows

    apply(warehouse, old)
    apply(warehouse, new)
    apply(warehouse, old, new)

    assert before == warehouse.query("SELECT * FROM actions ORDER BY event_id").rows
    assert stored == warehouse.query("SELECT count() FROM action_log").rows


def test_a_row_replayed_after_its_link_stays_linked(warehouse: Warehouse) -> None:
    """The link's version is higher than the row's own."""
    warehouse.insert_rows("action_log", ndjson(action("a")))
    apply(warehouse, link(-60, 60, version=2))

    warehouse.insert_rows("action_log", ndjson(action("a"), action("a")))

    assert persons(warehouse) == {"a": ALICE}


def test_the_history_of_decisions_is_kept(warehouse: Warehouse) -> None:
    """Every link once, with who, when and why; the newest that covers an action explains it."""
    links = [link(0, 30, version=2, event_id="l1"), link(0, 30, version=3, event_id="l2", user="")]
    apply(warehouse, *links)
    apply(warehouse, *links)

    rows = warehouse.query("SELECT start, end, user_id, event_id FROM identity_links FINAL ORDER BY version").rows

    assert rows == [[at(0), at(30), "alice", "l1"], [at(0), at(30), "", "l2"]]


def test_only_the_devices_of_the_links_are_read(warehouse: Warehouse) -> None:
    """The key leads to them: a flush costs by its links, not by the table."""
    sql = "SELECT * FROM action_log FINAL PREWHERE (workspace, device) IN (SELECT workspace, device FROM links_staged)"
    rows = [action(f"e{n}", n % 60, device=f"d{n % 1_000:04}") for n in range(20_000)]
    warehouse.insert_rows("action_log", ndjson(*rows))
    apply(warehouse, link(0, 60, version=2, device="d0500"))

    plan = "\n".join(row[0] for row in warehouse.query(f"EXPLAIN indexes = 1 {sql}").rows)
    granules = [
        line.split("Granules:")[1].split("/") for line in plan.splitlines() if "Granules:" in line and "/" in line
    ]

    assert "(workspace, device) in 1-element set" in plan
    assert min(int(used) for used, _ in granules) <= 3 < int(granules[0][1])


def test_random_links_agree_with_a_plain_model(warehouse: Warehouse) -> None:
    """Two hundred rows, sixty links, many flushes: the highest link above the row's version, or the row itself."""
    chance = random.Random(7)
    rows = [
        action(f"e{n}", chance.randrange(100), device=f"d{chance.randrange(3)}", version=chance.randrange(1, 40),
               user=chance.choice(["", "", "", "carol"]))
        for n in range(200)
    ]  # fmt: skip
    links = []
    for version in range(1, 61):
        start = chance.randrange(100)
        end, device = start + chance.randrange(40), f"d{chance.randrange(3)}"
        links.append(link(start, end, version=version, device=device, user=chance.choice(["alice", "bob", ""])))
    warehouse.insert_rows("action_log", ndjson(*rows))
    for _ in range(8):
        apply(warehouse, *chance.sample(links, 15))
    apply(warehouse, *links)

    def person(row: object) -> str:
        covering = [
            each for each in links
            if each.device == row.device and each.start <= row.ts <= each.end and each.version > row.version  # type: ignore[attr-defined]
        ]  # fmt: skip
        newest = max(covering, key=lambda each: each.version, default=row)
        return row.person_id if row.user_id else newest.person_id  # type: ignore[attr-defined, no-any-return]

    assert persons(warehouse) == {row.event_id: person(row) for row in sorted(rows, key=lambda row: row.event_id)}
