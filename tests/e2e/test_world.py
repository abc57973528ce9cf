"""50,000 random hits of 2,000 devices through HTTP to SQL, in both modes, against the oracle."""

import time
from collections import Counter

import pytest

from pipeline.identity.policy import Policy
from pipeline.limits import HOUR_MS
from tests.support.deployment import Deployment
from tests.support.generator import Shape, world
from tests.support.ledger import NONE, differences
from tests.support.oracle import oracle
from tests.support.sender import Sender

ATTRIBUTIONS = "SELECT attribution, count() FROM actions WHERE startsWith(workspace, 'shop') GROUP BY 1 ORDER BY 1"


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_attributions_equal_the_oracle(deployment: Deployment) -> None:
    """80 days, up to 25 days late, kiosks, bursts, ties in one millisecond, 10 % duplicates: every row's person."""
    now_ms = int(time.time() * 1_000)
    shape = Shape(hits=50_000, devices=2_000, days=80, late_days=25, duplicate_share=0.1, end_ms=now_ms - 2 * HOUR_MS)
    hits = world(2026, shape).hits
    Sender(deployment.url).send(hits)

    assert NONE == differences(deployment, hits, within_s=120)

    expected = Counter(answer[1] for answer in oracle((sent.head() for sent in hits), Policy()).values())
    actual = dict(deployment.query(ATTRIBUTIONS))
    assert dict(expected) == actual
