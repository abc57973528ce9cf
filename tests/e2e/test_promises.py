"""What a user notices: how soon a login explains the past, and that a broker may go away."""

import json
import time
import urllib.request

import pytest

from tests.support.deadline import wait_until
from tests.support.deployment import Cluster, Deployment
from tests.support.generator import Shape, world
from tests.support.kafka_broker import KafkaBroker
from tests.support.ledger import NONE, differences, in_workspaces
from tests.support.sender import Sender

CLAIMED_WITHIN_S = 5
_ATTRIBUTIONS = (
    "SELECT event_id, attribution FROM actions WHERE workspace = 'golden' AND anonymous_id = {device:String}"
)


def _send(deployment: Deployment, *hits: dict[str, object]) -> None:
    request = urllib.request.Request(f"{deployment.url}/v1/hits?key=golden", json.dumps(hits).encode())
    with urllib.request.urlopen(request, timeout=10) as reply:
        assert {"accepted": len(hits), "rejected": []} == json.loads(reply.read())


def test_a_login_explains_the_past_within_five_seconds(deployment: Deployment) -> None:
    """The page is visible and nobody's; seconds after the login it is hers, at the place where it stood."""
    device = {"device": "claimed-laptop"}
    at_ms = int(time.time() * 1_000) - 60_000
    page = {"type": "page", "event_id": "page", "anonymous_id": device["device"], "ts": at_ms}
    login = {"type": "identify", "event_id": "login", "anonymous_id": device["device"], "user_id": "alice"}
    _send(deployment, page)
    wait_until(lambda: deployment.query(_ATTRIBUTIONS, device) == [["page", "anonymous"]], 30)

    _send(deployment, {**login, "ts": at_ms + 30_000})

    expected = [["login", "identified"], ["page", "backfilled"]]
    wait_until(lambda: sorted(deployment.query(_ATTRIBUTIONS, device)) == expected, CLAIMED_WITHIN_S)


@pytest.mark.slow
@pytest.mark.kafka
@pytest.mark.timeout(240)
def test_hits_are_taken_while_the_broker_is_away(cluster: Cluster, kafka: KafkaBroker) -> None:
    """Acknowledged from the spool of this node while Kafka is frozen; stitched like any other when it is back."""
    hits = in_workspaces(world(77, Shape(hits=600, devices=40)).hits, "tail")
    sender = Sender(cluster.url)
    kafka.freeze()
    try:
        sender.send(hits)
    finally:
        kafka.thaw()

    assert (len(hits), 0) == (len(sender.acknowledged), sender.retries)
    assert NONE == differences(cluster, hits, within_s=90)
