"""A copy of a stopped `seamline up` is a backup: started elsewhere, it goes on."""

import json
import shutil
import urllib.request
from pathlib import Path

import pytest

from tests.support.deadline import wait_until
from tests.support.deployment import Embedded

BEFORE = [
    {"type": "page", "event_id": "page", "anonymous_id": "laptop", "ts": "2026-11-20T09:00:00Z"},
    {"type": "identify", "event_id": "out", "anonymous_id": "phone", "user_id": "bob", "ts": "2026-11-20T09:01:00Z"},
]
AFTER = {"type": "identify", "event_id": "in", "anonymous_id": "laptop", "user_id": "al", "ts": "2026-11-20T09:05:00Z"}
SHOWN = "SELECT event_id, attribution, toString(person_id) FROM actions ORDER BY event_id"


def _send(up: Embedded, hits: object) -> None:
    request = urllib.request.Request(f"{up.url}/v1/hits?key=demo", json.dumps(hits).encode())
    with urllib.request.urlopen(request, timeout=10) as reply:
        assert not json.loads(reply.read())["rejected"]


@pytest.mark.slow
def test_a_copied_data_directory_goes_on_elsewhere(tmp_path: Path) -> None:
    """The same rows; and a login explains what only the copy knows of: its log, its states and its warehouse agree."""
    first, second = Embedded(tmp_path / "first"), Embedded(tmp_path / "second")
    (tmp_path / "first").mkdir()
    (tmp_path / "second").mkdir()
    try:
        first.start()
        _send(first, BEFORE)
        wait_until(lambda: len(first.query(SHOWN)) == len(BEFORE), 20)
        rows = first.query(SHOWN)
        assert first.stop_stage("up") == 0
        shutil.copytree(tmp_path / "first" / "data", tmp_path / "second" / "data", symlinks=True)

        second.start()
        restored = second.query(SHOWN)
        _send(second, [AFTER])
        expected = [("in", "identified"), ("out", "identified"), ("page", "backfilled")]
        wait_until(lambda: [(row[0], row[1]) for row in second.query(SHOWN)] == expected, 20)
    finally:
        first.stop()
        second.stop()

    assert rows == restored
