"""What is told about a person is complete and only theirs; and when one is forgotten, nobody else changes."""

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.identity.ids import user_person
from pipeline.identity.policy import Policy
from pipeline.privacy.export import export
from pipeline.questions import questions
from pipeline.settings import load_settings
from tests.support.deployment import Embedded, sites_file
from tests.support.generator import Shape, world
from tests.support.ledger import NONE, differences
from tests.support.oracle import oracle
from tests.support.sender import Sender

pytestmark = [pytest.mark.timeout(240), pytest.mark.slow]
WORKSPACE = "shop0"
HITS = world(41, Shape(hits=6_000, devices=220, days=12, workspaces=1)).hits
EXPECTED = oracle((sent.head() for sent in HITS), Policy())
Key = tuple[str, str]  # device, event ID
PERSONS = 100
_ROWS = """
    SELECT device, event_id, toString(person_id), attribution FROM actions
    WHERE cityHash64(event_id) % 8 = {page:UInt8}
"""


def ledger() -> dict[str, set[Key]]:
    """Per user of the world, the events that are theirs by the rules."""
    of_person = defaultdict(set)
    for (_, device, event_id), (person, _) in EXPECTED.items():
        of_person[person].add((device, event_id))
    users = sorted({sent.user_id for sent in HITS if sent.user_id})
    return {user: of_person[user_person(WORKSPACE, user)] for user in users}


def sharing() -> list[tuple[str, str]]:
    """Pairs of users who signed in on one device, nobody twice."""
    users: defaultdict[str, list[str]] = defaultdict(list)
    for sent in HITS:
        if sent.user_id and sent.anonymous_id and sent.user_id not in users[sent.anonymous_id]:
            users[sent.anonymous_id].append(sent.user_id)
    pairs: list[tuple[str, str]] = []
    for names in users.values():
        if len(names) == 2 and not set(names) & {user for pair in pairs for user in pair}:
            pairs.append((names[0], names[1]))
    return pairs


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    """With the whole world in it."""
    folder: Path = tmp_path_factory.mktemp("export")
    deployment = Embedded(folder, sites_file(folder, [WORKSPACE]))
    deployment.start()
    Sender(deployment.url).send(HITS)
    assert NONE == differences(deployment, HITS)
    yield deployment
    deployment.stop()


def test_an_export_is_the_ledger(up: Embedded) -> None:
    """For a hundred persons, two of them on one device: every action of theirs, and no other."""
    known = ledger()
    (one, other), (gone, _), *_ = sharing()  # the other test forgets `gone`
    chosen = [one, other, *[user for user in known if user not in (one, other, gone)]][:PERSONS]
    with questions(load_settings(up.environ)) as ask:
        told = {user: export(ask, WORKSPACE, user) for user in chosen}

    assert PERSONS == len(chosen)
    assert {user: known[user] for user in chosen} == {
        user: {(row["device"], row["event_id"]) for row in document["actions"]} for user, document in told.items()
    }
    assert all(document["user_ids"] == [user] for user, document in told.items())
    assert not known[one] & known[other]


def test_nobody_gains_or_loses_by_anothers_erasure(up: Embedded) -> None:
    """Of two who share a device one is forgotten: every row is as it was but theirs, and those of their own devices."""
    gone, _ = sharing()[1]
    done = up.seamline("forget", gone, "--workspace", WORKSPACE)
    assert (0, "") == (done.returncode, done.stderr)

    person = user_person(WORKSPACE, gone)
    signed_in = defaultdict(set)
    for sent in HITS:
        if sent.user_id:
            signed_in[sent.device].add(sent.user_id)
    own = {device for device, users in signed_in.items() if users == {gone}}
    expected = {key[1:]: how for key, how in EXPECTED.items() if how[0] != person and key[1] not in own}
    with questions(load_settings(up.environ)) as ask:
        rows = [row for page in range(8) for row in ask(_ROWS, {"page": page})[1]]
    assert expected == {(device, event): (owner, how) for device, event, owner, how in rows}
    assert 0 < json.loads(done.stdout)["row_versions"]["action_log"]

    audit = up.seamline("audit", "--workspace", WORKSPACE)
    assert 0 == audit.returncode, audit.stdout + audit.stderr
