"""The books balance: what arrived is visible, refused and counted, or rejected and named; nothing vanishes."""

import json
import urllib.error
import urllib.request

from pipeline.limits import BODY_BYTES_MAX
from tests.support.deadline import wait_until
from tests.support.deployment import Deployment

GOOD, WRONG = 40, 7
_COUNT = "SELECT count() FROM actions WHERE workspace = 'books'"
_LETTERS = "SELECT count() FROM dead_letters"


def _post(url: str, body: bytes) -> tuple[int, dict[str, object]]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body), timeout=10) as reply:
            return reply.status, json.loads(reply.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def test_every_item_of_a_mixed_batch_is_accounted_for(deployment: Deployment) -> None:
    """Good items become actions although their batch mates do not; each wrong one is answered with field and reason."""
    good = [{"type": "page", "event_id": f"good-{n}", "anonymous_id": f"device-{n}"} for n in range(GOOD)]
    wrong = [{"type": "page", "anonymous_id": 7}, {"type": "page", "ts": "yesterday"}, {"ts": 1}, 3, None, [], "x"]
    rejected_before = _rejected(deployment)
    status, reply = _post(f"{deployment.url}/v1/hits?key=books", json.dumps([*good, *wrong]).encode())

    assert (200, GOOD, WRONG) == (status, reply["accepted"], len(reply["rejected"]))  # type: ignore[arg-type]
    assert all({"index", "field", "reason"} == set(item) for item in reply["rejected"])  # type: ignore[attr-defined]
    wait_until(lambda: deployment.query(_COUNT)[0][0] == GOOD, 30, "every good item is visible")

    assert WRONG == _rejected(deployment) - rejected_before


def test_what_cannot_be_read_is_answered_and_never_a_fault(deployment: Deployment) -> None:
    """Malformed, unknown, oversized: a 4xx that says what was wrong."""
    hits = f"{deployment.url}/v1/hits"
    answers = {
        "malformed": _post(f"{hits}?key=books", b'[{"type":'),
        "unknown key": _post(f"{hits}?key=nobody", b"[]"),
        "oversized": _post(f"{hits}?key=books", b"[" + b" " * BODY_BYTES_MAX + b"]"),
    }

    assert {"malformed": 400, "unknown key": 401, "oversized": 413} == {
        what: code for what, (code, _) in answers.items()
    }
    assert all(reply for _, reply in answers.values())


def _rejected(deployment: Deployment) -> float:
    with urllib.request.urlopen(f"{deployment.url}/metrics", timeout=10) as reply:
        lines = reply.read().decode().splitlines()
    counted = [line for line in lines if 'site="books-site"' in line and 'outcome="rejected"' in line]
    return sum(float(line.rsplit(" ", 1)[1]) for line in counted)
