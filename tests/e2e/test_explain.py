"""An analyst asks why, and gets the login that decided, before and after an alias, on either deployment."""

import json
import time

import pytest

from tests.e2e.test_aliases import send
from tests.support.deadline import wait_until
from tests.support.deployment import Deployment

NOW_MS = int(time.time() * 1_000) - 600_000


@pytest.mark.timeout(120)
def test_explain_and_audit(deployment: Deployment) -> None:
    """Who, by which login, under which aliases; and every row is as the facts have it."""
    page = {"type": "page", "event_id": "why-page", "anonymous_id": "of-why", "ts": NOW_MS}
    login = {**page, "type": "identify", "event_id": "why-login", "user_id": "why", "ts": NOW_MS + 60_000}
    send(deployment, "/v1/hits", [page])
    send(deployment, "/v1/hits", [login])
    how = "SELECT attribution FROM actions WHERE workspace = 'joined' AND event_id = 'why-page'"
    wait_until(lambda: deployment.query(how) == [["backfilled"]], 30)
    assert 0 == deployment.seamline("alias", "why", "why@home", "--workspace", "joined").returncode

    told = deployment.seamline("explain", "why-page", "--workspace", "joined", "--json")
    document = told.stdout
    assert (0, "") == (told.returncode, told.stderr)
    assert {"why", "why-login", "why@home", "backfilled"} <= _texts(json.loads(document))
    assert 0 == deployment.seamline("audit", "--workspace", "joined").returncode
    assert 1 == deployment.seamline("explain", "no-such-event").returncode


def _texts(value: object) -> set[str]:
    """Every text anywhere in the document."""
    if isinstance(value, dict):
        return {text for inner in value.values() for text in _texts(inner)}
    if isinstance(value, list):
        return {text for inner in value for text in _texts(inner)}
    return {str(value)}
