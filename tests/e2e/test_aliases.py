"""An operator joins two users and parts them again; a tracker may not, unless its site lets it."""

import json
import time
import urllib.request
from typing import Any

import pytest

from tests.support.deadline import wait_until
from tests.support.deployment import Deployment

VISIBLE_WITHIN_S = 5
NOW_MS = int(time.time() * 1_000)


def send(deployment: Deployment, path: str, body: Any, key: str = "joined") -> None:
    request = urllib.request.Request(f"{deployment.url}{path}?key={key}", json.dumps(body).encode())
    request.add_header("Content-Type", "application/json")
    urllib.request.urlopen(request, timeout=10).close()


def persons(deployment: Deployment, *users: str) -> list[list[str]]:
    """The user IDs of each person one of these users is."""
    sql = (
        "SELECT user_ids FROM persons WHERE workspace = 'joined' AND hasAny(user_ids, {users:Array(String)}) ORDER BY 1"
    )
    return [row[0] for row in deployment.query(sql, {"users": list(users)})]


def signed_in(deployment: Deployment, *users: str) -> None:
    """One login each, on a device of their own."""
    hits = [
        {"type": "identify", "event_id": f"login-{u}", "anonymous_id": f"of-{u}", "user_id": u, "ts": NOW_MS}
        for u in users
    ]
    send(deployment, "/v1/hits", hits)
    wait_until(lambda: persons(deployment, *users) == [[user] for user in users], 30)


@pytest.mark.timeout(180)
def test_alias_and_unalias(deployment: Deployment) -> None:
    """Said, and every report shows one person; withdrawn, and all is as it was. Each command says what it changed."""
    users = ["ada", "ada@home", "bea"]
    signed_in(deployment, *users)
    began = time.monotonic()
    joined = deployment.seamline("alias", "ada", "ada@home", "--workspace", "joined")
    took_s = time.monotonic() - began

    assert (0, "") == (joined.returncode, joined.stderr)
    assert "ada and ada@home are one person" in joined.stdout
    assert [["ada", "ada@home"], ["bea"]] == persons(deployment, *users)
    journey = deployment.seamline("journey", "ada@home", "--workspace", "joined", "--json").stdout.splitlines()
    assert {"login-ada", "login-ada@home"} == {json.loads(line)["event_id"] for line in journey}
    assert took_s < VISIBLE_WITHIN_S

    parted = deployment.seamline("unalias", "ada@home", "ada", "--workspace", "joined")
    assert (0, "ada@home and ada are two persons\n") == (parted.returncode, parted.stdout)
    assert [["ada"], ["ada@home"], ["bea"]] == persons(deployment, *users)


@pytest.mark.timeout(180)
def test_what_cannot_be_done_is_said(deployment: Deployment) -> None:
    """A withdrawal that leaves them one person through others; one of what was never said; a word for nobody."""
    signed_in(deployment, "cleo", "cleo2", "cleo3")
    for other in ("cleo2", "cleo3"):
        assert 0 == deployment.seamline("alias", "cleo", other, "--workspace", "joined").returncode
    assert 0 == deployment.seamline("alias", "cleo2", "cleo3", "--workspace", "joined").returncode

    through = deployment.seamline("unalias", "cleo2", "cleo3", "--workspace", "joined", "--json")
    assert (1, True) == (through.returncode, json.loads(through.stdout)["one_person"])
    never = deployment.seamline("unalias", "cleo", "dora", "--workspace", "joined")
    assert (1, "nobody ever stated that cleo and dora are one person\n") == (never.returncode, never.stderr)
    login = deployment.seamline("unalias", "cleo", "of-cleo", "--workspace", "joined")
    assert (1, True) == (login.returncode, "That is a login, not a statement" in login.stderr)
    assert 2 == deployment.seamline("alias", "cleo", "undefined", "--workspace", "joined").returncode
    assert 2 == deployment.seamline("alias", "cleo", "cleo", "--workspace", "joined").returncode


@pytest.mark.timeout(120)
def test_a_page_key_cannot_join_two_users(deployment: Deployment) -> None:
    """An attacker reads the key off the page and says that the victim is them, in every protocol that can."""
    signed_in(deployment, "mallory", "victim")
    claims = [
        ("/v1/alias", {"userId": "mallory", "previousId": "victim", "writeKey": "joined"}),
        ("/e/", {"api_key": "joined", "event": "$create_alias", "distinct_id": "mallory",
                 "properties": {"distinct_id": "mallory", "alias": "victim"}}),
        ("/e/", {"api_key": "joined", "event": "$merge_dangerously", "distinct_id": "mallory",
                 "properties": {"distinct_id": "mallory", "alias": "victim"}}),
    ]  # fmt: skip
    for path, body in claims:
        send(deployment, path, body)
    mark = {"type": "track", "event_id": "after-the-attack", "anonymous_id": "of-mallory", "user_id": "mallory"}
    send(deployment, "/v1/hits", [mark])
    seen = "SELECT count() FROM actions WHERE workspace = 'joined' AND event_id = 'after-the-attack'"
    wait_until(lambda: deployment.query(seen) == [[1]], 30)

    said = "SELECT count() FROM alias_statements WHERE workspace = 'joined' AND user_id = 'mallory'"
    assert ([[0]], [["mallory"], ["victim"]]) == (deployment.query(said), persons(deployment, "mallory", "victim"))
