"""`seamline up` as a newcomer meets it: ready soon, answers while it runs and when it does not, stops politely."""

import json
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from tests.support.deadline import wait_until
from tests.support.deployment import Embedded

READY_SECONDS_MAX = 10
HITS = [
    {"type": "page", "event_id": "e1", "anonymous_id": "laptop", "ts": "2026-11-20T09:00:00Z", "name": "Shoes"},
    {"type": "identify", "event_id": "e2", "anonymous_id": "laptop", "user_id": "alice", "ts": "2026-11-20T09:05:00Z"},
    {"type": "page", "event_id": "e3", "anonymous_id": "phone", "ts": "2026-11-20T18:00:00Z", "name": "Cart"},
    {"type": "identify", "event_id": "e4", "anonymous_id": "phone", "user_id": "alice", "ts": "2026-11-20T18:01:00Z"},
]


def _seamline(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pipeline.cli", *words], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.slow
def test_a_newcomers_first_minutes(tmp_path: Path) -> None:
    """Start, send with a page key, ask in SQL and for a journey, stop, ask again, start again: all of it there."""
    up = Embedded(tmp_path)
    data = str(tmp_path / "data")
    began = time.monotonic()
    up.start()
    ready_seconds = time.monotonic() - began
    try:
        request = urllib.request.Request(f"{up.url}/v1/hits?key=demo", json.dumps(HITS).encode())
        with urllib.request.urlopen(request, timeout=10) as reply:
            assert {"accepted": 4, "rejected": []} == json.loads(reply.read())
        wait_until(lambda: up.query("SELECT count() FROM actions")[0][0] == len(HITS), 10)

        running = _seamline("query", "SELECT event_id, attribution FROM actions ORDER BY ts", "--json", "--data", data)
        journey = _seamline("journey", "alice", "--data", data)
        assert 0 == up.stop_stage("up")
        stopped = _seamline("query", "SELECT event_id, attribution FROM actions ORDER BY ts", "--json", "--data", data)
    finally:
        up.stop()

    expected = [("e1", "backfilled"), ("e2", "identified"), ("e3", "backfilled"), ("e4", "identified")]
    assert expected == [tuple(json.loads(line).values()) for line in running.stdout.splitlines()]
    assert running.stdout == stopped.stdout
    assert ["laptop", "laptop", "phone", "phone"] == [
        word for line in journey.stdout.splitlines() for word in line.split() if word in ("laptop", "phone")
    ]
    assert ready_seconds < READY_SECONDS_MAX


def test_a_second_process_on_the_same_directory_is_refused(tmp_path: Path) -> None:
    """Two writers would destroy the data; the second says so and leaves. The first ends on Ctrl-C, with 0."""
    up = Embedded(tmp_path)
    up.start()
    try:
        second = _seamline("up", "--data", str(tmp_path / "data"), "--port", "0")
        interrupted = up.stage("up").stop(signal.SIGINT)
    finally:
        up.stop()

    assert (1, 0) == (second.returncode, interrupted)
    assert "in use" in second.stderr or "already" in second.stderr, second.stderr


def test_bad_sql_is_an_error_message_and_not_a_traceback(tmp_path: Path) -> None:
    """The warehouse's own words, and exit code 1."""
    up = Embedded(tmp_path)
    up.start()
    try:
        bad = _seamline("query", "SELECT nothing FROM nowhere", "--data", str(tmp_path / "data"))
        escape = _seamline("query", "SELECT * FROM file('/etc/hostname')", "--data", str(tmp_path / "data"))
    finally:
        up.stop()

    assert (1, 1) == (bad.returncode, escape.returncode)
    assert "nowhere" in bad.stderr and "Traceback" not in bad.stderr
    assert "not allowed" in escape.stderr


def test_a_question_waits_for_an_up_that_is_starting(tmp_path: Path) -> None:
    """Whoever asks a second too early gets the answer a second later, not the engine's complaint about a lock."""
    up = Embedded(tmp_path)
    up.stage("up").begin()
    try:
        wait_until((tmp_path / "data" / "log" / "log.db.lock").exists, 20)
        early = _seamline("query", "SELECT count() FROM actions", "--json", "--data", str(tmp_path / "data"))
    finally:
        up.stop()

    assert (0, '{"count()": 0}\n') == (early.returncode, early.stdout), early.stderr
