"""Readers cannot disturb ingest: it shares a process and two processors with the heaviest questions there are."""

import re
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor

from pipeline.questions import QuestionRefused, questions
from pipeline.settings import load_settings
from tests.support.deadline import wait_until
from tests.support.deployment import Embedded
from tests.support.generator import Shape, world
from tests.support.ledger import NONE, differences, in_workspaces
from tests.support.sender import Sender

READERS = 20
SLOWEST_S = 2.0  # of a request, on a machine that does other things too
STORED_WITHIN_S = 15
# Every number has to be looked at: a second or more of every processor there is.
HEAVY = "SELECT count() < 100 FROM numbers_mt(15000000) WHERE sipHash64(number, {reader:UInt8}) = 1"


def _asked(deployment: Embedded, reader: int) -> str:
    with questions(load_settings(deployment.environ)) as ask:
        try:
            return str(ask(HEAVY, {"reader": reader})[1])
        except QuestionRefused as refused:
            return str(refused)


def _stored(deployment: Embedded) -> float:
    with urllib.request.urlopen(f"{deployment.url}/metrics", timeout=10) as reply:
        found = re.search(r"^seamline_sink_rows_total (\S+)$", reply.read().decode(), re.MULTILINE)
    return float(found[1]) if found else 0.0


def test_twenty_heavy_questions_at_once_do_not_disturb_ingest(embedded: Embedded) -> None:
    """Every hit is taken at the first try and soon, and is stored while they are still being worked on."""
    hits = in_workspaces(world(91, Shape(hits=2_000, devices=200)).hits, "queried")
    sender, slowest_s, before = Sender(embedded.url), 0.0, _stored(embedded)
    with ThreadPoolExecutor(READERS) as readers:
        answers = [readers.submit(_asked, embedded, reader) for reader in range(READERS)]
        for start in range(0, len(hits), 20):
            began_s = time.monotonic()
            sender.send(hits[start : start + 20])
            slowest_s = max(slowest_s, time.monotonic() - began_s)
        rows = len({sent.key for sent in hits})
        wait_until(lambda: _stored(embedded) - before >= rows, STORED_WITHIN_S)
        waiting = sum(not answer.done() for answer in answers)
        said = {re.sub(r".*TIMEOUT_EXCEEDED.*", "too slow", answer.result()) for answer in answers}

    assert (len(hits), 0, True) == (len(sender.acknowledged), sender.retries, waiting > 0)
    assert slowest_s < SLOWEST_S
    assert said <= {"[[1]]", "too slow"}
    assert NONE == differences(embedded, hits)
