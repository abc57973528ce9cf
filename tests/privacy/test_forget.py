"""Somebody forgotten is in no byte of the data directory, comes back by no replay, and leaves nothing to anybody."""

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.deadline import wait_until
from tests.support.deployment import Embedded
from tests.support.story import Story, holders, page

pytestmark = [pytest.mark.timeout(240), pytest.mark.slow]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("forget")


@pytest.fixture(scope="module")
def up(folder: Path) -> Iterator[Embedded]:
    """One for all: each test has a person and devices of its own."""
    deployment = Embedded(folder)
    deployment.start()
    yield deployment
    deployment.stop()


def test_no_file_holds_her_and_nobody_inherits(up: Embedded, folder: Path) -> None:
    """Devices of hers alone go whole, aliases with them; on the tablet only the others' rows are left, as they were.

    Sent again by a client that still has them, her hits are not taken: not those with her name, and not those without.
    """
    story = Story(up, "canary7f3a", "family-tablet")
    before = [row for row in story.rows() if row[0][-1] in "45678"]
    assert holders(folder, story.canary)

    done = up.seamline("forget", story.her)
    assert (0, "") == (done.returncode, done.stderr)
    certificate = json.loads(done.stdout)
    assert story.canary not in done.stdout
    assert (2, 2, 1) == (certificate["users"], certificate["devices"], certificate["stubs"])
    assert [] == holders(folder, story.canary)
    assert before == story.rows()
    for user in (story.her, story.her_too):
        assert 1 == up.seamline("export", user).returncode

    story.send(*story.history)
    assert before == story.rows()
    assert [] == holders(folder, story.canary)


def test_a_replay_from_nought_revives_nothing(up: Embedded, folder: Path) -> None:
    """The log itself was rewritten: read again into an empty warehouse, it gives what is there now. Her time on the
    tablet stays hers, though nobody knows who that was: nobody else is given it."""
    story = Story(up, "canary51bd", "shared-tablet")
    assert 0 == up.seamline("forget", story.her).returncode
    after = story.rows()
    up.stop_stage("up")
    shutil.rmtree(folder / "data" / "warehouse")
    with closing(sqlite3.connect(folder / "data" / "log" / "log.db")) as log, log:
        log.execute("DELETE FROM positions")
        log.execute("DELETE FROM device_states")
    up.start_stage("up")
    wait_until(lambda: story.rows() == after, 60)
    assert [] == holders(folder, story.canary)

    story.send(page(story.tablet, 9, 12.5), page(story.tablet, 10, 20.5))
    assert {f"{story.tablet}-10": "anonymous"} == {row[0]: row[2] for row in story.rows() if row not in after}


def test_a_device_that_nobody_signed_in_on(up: Embedded, folder: Path) -> None:
    """By its anonymous ID. Where others sign in, only what was nobody's goes."""
    story = Story(up, "canary9c2e", "library-tablet")
    story.send(page("loner-canary", 1, 30))
    assert 0 == up.seamline("forget", "loner-canary", "--device").returncode
    assert [] == holders(folder, "loner-canary")
    assert 8 == len(story.rows())

    assert 0 == up.seamline("forget", story.tablet, "--device").returncode
    assert 5 == len(story.rows())
    assert {"backfilled", "identified", "carried"} >= {row[2] for row in story.rows()}


def test_somebody_who_was_never_here(up: Embedded) -> None:
    """Is suppressed all the same, and nobody loses anything."""
    story = Story(up, "canary0a44", "school-tablet")
    before = story.rows()
    done = up.seamline("forget", "never-seen")

    assert (0, 0) == (done.returncode, sum(json.loads(done.stdout)["row_versions"].values()))
    assert before == story.rows()


def test_a_crash_in_the_middle_is_mended_by_asking_again(up: Embedded, folder: Path) -> None:
    """Killed twice while it is at work, early and late; then asked once more: theirs is gone, all else is not."""
    story = Story(up, "canary3d77", "train-tablet")
    before = [row for row in story.rows() if row[0][-1] in "45678"]
    for pause_s in (0.9, 2.5):
        asked = subprocess.Popen(
            [sys.executable, "-m", "pipeline.cli", "forget", story.her],
            env={**os.environ, **up.environ}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        with contextlib.suppress(subprocess.TimeoutExpired):
            asked.wait(pause_s)
        up.kill("up")
        asked.wait(30)
        up.start_stage("up")

    done = up.seamline("forget", story.her)
    assert (0, "") == (done.returncode, done.stderr)
    assert [] == holders(folder, story.canary)
    assert before == story.rows()
    assert 0 == up.seamline("audit").returncode


def test_it_ends_although_hits_keep_coming(up: Embedded, folder: Path) -> None:
    """While others go on: none of their acknowledged hits is lost, and nothing of hers is left."""
    story, done = Story(up, "canary6b1f", "bus-tablet"), threading.Event()
    sent: list[str] = []

    def go_on() -> None:
        while not done.is_set():
            hit = page("passer-by", len(sent), 40)
            body = json.dumps([hit]).encode()
            urllib.request.urlopen(f"{up.url}/v1/hits?key=demo", body, timeout=30).close()
            sent.append(hit["event_id"])

    others = threading.Thread(target=go_on)
    others.start()
    try:
        forgotten = up.seamline("forget", story.her)
    finally:
        done.set()
        others.join()

    assert (0, "") == (forgotten.returncode, forgotten.stderr)
    assert [] == holders(folder, story.canary)
    count = "SELECT count() FROM actions WHERE anonymous_id = 'passer-by'"
    wait_until(lambda: up.query(count) == [[len(sent)]], 60, f"{len(sent)} actions of a passer-by")
