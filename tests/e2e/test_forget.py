"""Somebody is forgotten by a cluster whose workers go on, and every row finds its person anew beside them."""

import json
import time
import urllib.request
from pathlib import Path

import pytest

from pipeline.model import Alias
from pipeline.orders import state
from pipeline.privacy.suppression import user_hash
from pipeline.settings import load_settings
from pipeline.times import iso
from tests.support.deadline import wait_until
from tests.support.deployment import Cluster
from tests.support.story import Story, holders, login, page

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]
STRINGS = """
    SELECT table, name FROM system.columns
    WHERE database = currentDatabase() AND type IN ('String', 'LowCardinality(String)') AND table IN (
        SELECT name FROM system.tables
        WHERE database = currentDatabase() AND (engine LIKE '%MergeTree' OR engine = 'Memory')
    )
"""


def holding(cluster: Cluster, canary: str) -> set[str]:
    """The tables in which some version of some row holds the canary."""
    looks = [
        f"SELECT '{table}' FROM {table} WHERE position({column}, {{canary:String}}) > 0"
        for table, column in cluster.query(STRINGS)
    ]
    return {row[0] for row in cluster.query(" UNION ALL ".join(looks), {"canary": canary})}


def forgotten(cluster: Cluster, story: Story) -> dict[str, object]:
    done = cluster.seamline("forget", story.her, "--workspace", "gone")
    assert (0, "") == (done.returncode, done.stderr)
    assert story.canary not in done.stdout
    certificate: dict[str, object] = json.loads(done.stdout)
    return certificate


def say(cluster: Cluster, one: str, other: str) -> None:
    """Put an operator's statement on the log, and do not wait for what becomes of it."""
    now = iso(time.time_ns() // 1_000_000)
    words = {"workspace": "gone", "event_id": f"{one}={other}", "ts": now, "received_at": now, "authority": "operator"}
    state(load_settings(cluster.environ), Alias(user_id=one, previous_id=other, **words))  # type: ignore[arg-type]


def _taken_again(cluster: Cluster, story: Story) -> float:
    """How many hits of people who were forgotten ingest has refused, after one more of hers."""
    story.send(story.history[1])
    with urllib.request.urlopen(f"{cluster.url}/metrics", timeout=10) as reply:
        lines = reply.read().decode().splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if 'detail="erased"' in line)


def test_nothing_but_the_log_holds_her_and_nobody_inherits(
    cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The warehouse and the stitch worker's disk are clean at once, and the certificate names the day when the log is.

    Her hits that come again are not stitched, no statement names her again, and a worker that begins without its disk
    reads the old device states and does not know her.
    """
    story = Story(cluster, "canary88d1", "cluster-tablet", key="gone")
    before = [row for row in story.rows() if row[0][-1] in "45678"]
    assert {"action_log", "identity_facts", "alias_statements"} <= holding(cluster, story.canary)

    certificate = forgotten(cluster, story)
    assert (2, 2, 1) == (certificate["users"], certificate["devices"], certificate["stubs"])
    assert str(certificate["log_until"]) > str(certificate["erased_at"])
    assert set() == holding(cluster, story.canary)
    assert before == story.rows()
    stitch = Path(cluster.environ["SEAMLINE_DATA"]) / "stitch"
    assert [] == holders(stitch, story.canary)

    story.send(*story.history)
    say(cluster, story.her, "bob")
    say(cluster, "dora", "dora@work")
    said = "SELECT previous_id FROM alias_statements WHERE workspace = 'gone' AND user_id IN ({her:String}, 'dora')"
    wait_until(lambda: cluster.query(said, {"her": story.her}) == [["dora@work"]], 30)
    assert (set(), before) == (holding(cluster, story.canary), story.rows())

    wait_until(lambda: _taken_again(cluster, story) > 0, 30, "ingest refuses her")

    assert 0 == cluster.stop_stage("stitch")
    for file in stitch.glob("stitch-state.sqlite*"):
        file.unlink()
    cluster.start_stage("stitch")
    story.send(page(story.tablet, 9, 12.5), page(story.tablet, 10, 20.5), login(story.tablet, 11, 20.2, "cleo"))
    wait_until(lambda: len(story.rows()) == len(before) + 2, 30)
    assert ([], set()) == (holders(stitch, story.canary), holding(cluster, story.canary))
    audit = cluster.seamline("audit", "--workspace", "gone")
    assert (0, "") == (audit.returncode, audit.stderr)


def test_restitch_beside_workers(cluster: Cluster) -> None:
    """Under a new epoch, by the policy that the workers have too; by another one it says so and changes nothing."""
    story = Story(cluster, "canary19aa", "restitched-tablet", key="gone")
    before = story.rows()
    done = cluster.seamline("restitch")
    assert (0, "") == (done.returncode, done.stderr)
    told = json.loads(done.stdout)
    assert before == story.rows()

    story.send(page(story.tablet, 9, 24), login(story.tablet, 10, 25, "bob"))
    wait_until(lambda: len(story.rows()) == len(before) + 2, 30)
    newest = "SELECT max(version) FROM action_log WHERE workspace = 'gone'"
    assert told["epoch"] == cluster.query(newest)[0][0] >> 48
    assert 0 == cluster.seamline("audit", "--workspace", "gone").returncode

    cluster.set(SEAMLINE_LOOKBACK_DAYS="7")
    try:
        refused = cluster.seamline("restitch")
    finally:
        cluster.set(SEAMLINE_LOOKBACK_DAYS="30")
    assert 1 == refused.returncode
    assert "restart the workers first" in refused.stderr


def test_another_key_changes_nothing(cluster: Cluster, tmp_path: Path) -> None:
    """Workers that could not recognise her would let her in again, so the command stops before it begins."""
    story = Story(cluster, "canary5e07", "locked-tablet", key="gone")
    before, held = story.rows(), holding(cluster, story.canary)
    key = cluster.environ["SEAMLINE_ERASURE_KEY_FILE"]
    (tmp_path / "other").write_text("of nobody here, and at least 32 bytes too\n")
    try:
        for file, why in (("other", "a stitch worker has another erasure key"), ("none", "No such file")):
            cluster.set(SEAMLINE_ERASURE_KEY_FILE=str(tmp_path / file))
            refused = cluster.seamline("forget", story.her, "--workspace", "gone")
            assert (1, True) == (refused.returncode, why in refused.stderr)
    finally:
        cluster.set(SEAMLINE_ERASURE_KEY_FILE=key)

    assert (before, held) == (story.rows(), holding(cluster, story.canary))
    remembered = "SELECT count() FROM suppressions WHERE workspace = 'gone' AND hash = {hash:String}"
    subject = user_hash(Path(key).read_bytes().strip(), "gone", story.her)
    assert [[0]] == cluster.query(remembered, {"hash": subject})
