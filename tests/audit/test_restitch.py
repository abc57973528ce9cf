"""A policy that changed is applied to the past when asked for: every row as if it had always been in force."""

import json
from pathlib import Path

import pytest

from pipeline.identity.policy import Policy
from pipeline.limits import DAY_MS
from tests.support.deployment import Embedded, sites_file
from tests.support.generator import Shape, world
from tests.support.ledger import NONE, differences
from tests.support.sender import Sender

WORKSPACE = "shop0"
SHORT = Policy(2 * DAY_MS, users_per_device_max=2)
WORLD = world(52, Shape(hits=3_000, devices=120, days=20, late_days=2, workspaces=1)).hits


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_new_policy_reaches_the_past(tmp_path: Path) -> None:
    """Before: the audit says which rows differ. After: none, each row by the oracle under the new policy, and what
    comes later is stitched by it too. Done twice, nothing changes."""
    early, late = WORLD[:2_400], WORLD[2_400:]
    up = Embedded(tmp_path, sites_file(tmp_path, [WORKSPACE]))
    up.start()
    try:
        Sender(up.url).send(early)
        assert NONE == differences(up, early)
        up.stop_stage("up")
        up.set(SEAMLINE_LOOKBACK_DAYS="2", SEAMLINE_USERS_PER_DEVICE_MAX="2")
        up.start_stage("up")
        before = up.seamline("audit", "--json")
        assert (1, True) == (before.returncode, json.loads(before.stdout)["differing"] > 0)

        done = up.seamline("restitch")
        assert (0, "") == (done.returncode, done.stderr)
        assert json.loads(done.stdout)["rows"] == json.loads(before.stdout)["differing"]
        assert NONE == differences(up, early, policy=SHORT)
        assert 0 == up.seamline("audit").returncode
        assert 0 == json.loads(up.seamline("restitch").stdout)["rows"]

        Sender(up.url).send(late)
        assert NONE == differences(up, WORLD, policy=SHORT)
        assert 0 == up.seamline("audit").returncode
    finally:
        up.stop()
