"""What running stages write about hits of all kinds: lines for machines, and nobody's values."""

import json
import re
import urllib.error
import urllib.request

from tests.support.deadline import wait_until
from tests.support.deployment import Deployment

SENT = "00000000-0000-4000-8000-0000000000aa"
_URL = "https://shop.example/?mail=canary@example.com"
_HIT = {"type": "page", "event_id": "canary-event", "anonymous_id": "canary-device", "url": _URL}
BODIES = (
    [_HIT, {**_HIT, "type": "identify", "event_id": "canary-login", "user_id": "canary-user"}],
    [{**_HIT, "ts": "canary"}],
    [{**_HIT, "user_id": "canary" * 60}],
    {"canary": {"canary": ["canary"]}},
)


def _post(url: str, body: bytes) -> tuple[int, str]:
    """The status, and the request's ID in the reply."""
    request = urllib.request.Request(url, body, {"X-Request-Id": SENT, "X-Forwarded-For": "198.51.100.77"})
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:
            return reply.status, reply.headers["x-request-id"]
    except urllib.error.HTTPError as refused:
        return refused.code, refused.headers["x-request-id"]


def test_hits_good_and_bad_leave_no_value_in_any_log(deployment: Deployment) -> None:
    """Of every stage, since it first started; and what it warns of is an object a line."""
    bodies = [json.dumps(body).encode() for body in BODIES] + [b"canary", b'{"canary', b"\xff canary"]
    answers = [_post(f"{deployment.url}/v1/hits?key=golden&user=canary-user", body) for body in bodies]
    answers.append(_post(f"{deployment.url}/v1/hits?key=canary-key", bodies[0]))
    answers.append(_post(f"{deployment.url}/canary/matomo.php?idsite=canary&uid=canary-user", b""))
    shown = "SELECT count() FROM actions WHERE workspace = 'golden' AND anonymous_id = 'canary-device'"
    wait_until(lambda: deployment.query(shown)[0][0] >= 2, 60)

    assert {SENT} == {request for _, request in answers}
    assert {200, 400, 401} <= {status for status, _ in answers}
    for name in deployment.stages:
        said = deployment.said(name)
        assert "canary" not in said
        assert "198.51.100.77" not in said
        assert "Traceback" not in said
        told = [line for line in said.splitlines() if re.search("warning|error|critical", line, re.I)]
        assert all(json.loads(line)["stage"] == name for line in told)
