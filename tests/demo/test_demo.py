"""`seamline demo` as a newcomer runs it: what it prints is what the rules say, and it leaves nothing behind."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from pathlib import Path

import pytest

from pipeline.demo.day import read_day
from pipeline.identity.policy import Policy
from pipeline.times import ms_of
from tests.demo.test_day import hits_of
from tests.support.deadline import wait_until
from tests.support.deployment import free_port
from tests.support.oracle import oracle

DEMO = (sys.executable, "-m", "pipeline.cli", "demo")
WITHIN_S = 30  # the promise; on a quiet machine it takes a fifth
ENDS_WITHIN_S = 60


def run(*words: str) -> str:
    """Run it to its end; what it printed. Fails unless it ends with 0."""
    done = subprocess.run([*DEMO, *words], capture_output=True, text=True, timeout=ENDS_WITHIN_S, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


def test_it_prints_what_the_rules_make_of_the_day() -> None:
    """Hits, devices, visitors, persons and attributions equal the oracle's; the journey shows both devices."""
    hits = [hit for recorded in read_day() for hit in hits_of(recorded, ms_of(recorded.at))]
    answers = oracle(hits, Policy())
    how = Counter(attribution for _, attribution in answers.values())
    visitors = len({hit.user_id or hit.device for hit in hits})

    began = time.monotonic()
    said = run("--exit", "--port", "0")
    took_s = time.monotonic() - began

    journey = said.partition("One of them: ")[2]
    assert f"{len(hits):>6,} hits from {len({hit.device for hit in hits})} devices\n" in said
    assert f"{visitors:>6,} visitors, as a tracker without stitching counts them\n" in said
    assert f"{len({person for person, _ in answers.values()}):>6,} persons, stitched\n" in said
    assert {name: int(count) for count, name in re.findall(r"^ +(\d+) (\w+)  ", said, re.M)} == dict(how)
    assert took_s < WITHIN_S
    assert re.match(r"u-\d+, \d+ actions on 2 devices", journey)
    assert re.search(r" desktop .* page .* backfilled$", journey, re.M)
    assert re.search(r" smartphone .* page ", journey)


@pytest.mark.timeout(180)
def test_a_directory_that_holds_the_day_is_shown_as_it_is(tmp_path: Path) -> None:
    """The second run replays nothing, and finds the same."""
    first, second = (run("--exit", "--port", "0", "--data", str(tmp_path)) for _ in range(2))

    assert "already holds" not in first
    assert "already holds" in second
    assert _found(first) == _found(second)


def _found(said: str) -> str:
    """What it says of the day, wherever it listens."""
    return re.sub(r"127\.0\.0\.1:\d+", "here", said[said.index(" hits from ") - 6 : said.index("shop on two")])


def test_it_stays_up_until_it_is_told_to_stop_and_leaves_nothing(tmp_path: Path) -> None:
    """The shop answers; Ctrl-C ends it with 0, and its directory is gone."""
    port = free_port()
    output = tmp_path / "said"
    with output.open("wb") as out:
        environ = {**os.environ, "TMPDIR": str(tmp_path)}
        running = subprocess.Popen([*DEMO, "--port", str(port)], stdout=out, stderr=subprocess.STDOUT, env=environ)
    try:
        wait_until(lambda: "shop on two devices" in output.read_text(), ENDS_WITHIN_S, "the demo's addresses")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/demo/", timeout=5) as page:
            shown = page.read().decode()
        running.send_signal(signal.SIGINT)
        code = running.wait(ENDS_WITHIN_S)
    finally:
        running.kill()
        running.wait()

    assert (code, "The shop on a laptop" in shown) == (0, True)
    assert [left.name for left in tmp_path.iterdir()] == ["said"]


def test_a_port_that_is_taken_is_no_end(tmp_path: Path) -> None:
    """Whoever has something on 8080 still gets to see it, and is told where."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = run("--exit", "--port", str(port), "--data", str(tmp_path / "data"))

    assert f"port {port} is taken: listening on another\n" in said
    assert f":{port}/demo/" not in said
