"""What running workers tell of themselves: everything that alerts and dashboards ask for, and books that balance."""

import json
import re
import urllib.error
import urllib.request

from pipeline.stitch.figures import Figures
from pipeline.stitch.worker_figures import Figures as WorkerFigures
from pipeline.telemetry.metrics import STITCH
from tests.deploy.promql import missing, told
from tests.deploy.test_alerts import EXPRESSIONS
from tests.support.deadline import wait_until
from tests.support.deployment import Deployment

KEY = "golden"  # a workspace that others use too: what is counted here is what comes in between
PHONE = "watched-phone"
# What only a member of a Kafka group can count, and `seamline up` has none.
OF_KAFKA = {STITCH[name].told_as for name in set(WorkerFigures.__struct_fields__) - set(Figures.__struct_fields__)}


def _scrape(deployment: Deployment) -> str:
    pages = []
    for name in deployment.stages:
        with urllib.request.urlopen(deployment.address(name) + "/metrics", timeout=10) as reply:
            pages.append(reply.read().decode())
    return "".join(pages)


def _numbers(page: str, name: str, **labels: str) -> float:
    """The sum of the samples with these labels."""
    found = 0.0
    for line in page.splitlines():
        head, _, value = line.rpartition(" ")
        if re.match(rf"{name}(\{{|$)", head) and all(f'{label}="{text}"' in head for label, text in labels.items()):
            found += float(value)
    return found


def _send(deployment: Deployment, hits: object) -> None:
    body = json.dumps(hits).encode()
    request = urllib.request.Request(f"{deployment.url}/v1/hits?key={KEY}", body)
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:
            reply.read()
    except urllib.error.HTTPError as refused:
        assert refused.code == 400


def test_running_workers_tell_what_alerts_and_dashboards_ask_for(deployment: Deployment) -> None:
    """Each metric by its name and labels, as soon as a worker has looked how much waits."""

    def lacking() -> set[str]:
        names = told(_scrape(deployment))
        return {what for expression in EXPRESSIONS for what in missing(expression, names)}

    expected = OF_KAFKA if len(deployment.stages) == 1 else set[str]()
    wait_until(lambda: lacking() <= expected, 30, "everything is told")


def test_the_books_of_running_workers_balance(deployment: Deployment) -> None:
    """Hits, a login that explains the past, and nonsense: each is counted once everywhere, and none is left over."""
    site = {"site": f"{KEY}-site"}
    before = _scrape(deployment)
    pages = [{"type": "page", "event_id": f"m{n}", "anonymous_id": PHONE} for n in range(7)]
    _send(deployment, pages)
    _send(deployment, [{"type": "identify", "event_id": "in", "anonymous_id": PHONE, "user_id": "alice"}])
    _send(deployment, [{"type": "page", "event_id": "no", "anonymous_id": PHONE, "ts": "yesterday"}])
    shown = f"SELECT count() FROM actions WHERE workspace = '{KEY}' AND anonymous_id = '{PHONE}'"
    wait_until(lambda: deployment.query(shown) == [[len(pages) + 1]], 60)
    wait_until(lambda: _numbers(_scrape(deployment), "seamline_sink_in_flight_lines") == 0, 30)
    after = _scrape(deployment)

    def more(name: str, **labels: str) -> float:
        return _numbers(after, name, **labels) - _numbers(before, name, **labels)

    assert (8, 1) == (
        more("seamline_ingest_hits_total", outcome="accepted", **site),
        more("seamline_ingest_hits_total", outcome="rejected", **site),
    )
    assert 8 == more("seamline_ingest_read_hits_total") == more("seamline_stitch_read_hits_total")
    assert 8 == more("seamline_stitch_actions_total") == more("seamline_sink_rows_total")
    assert 1 == more("seamline_stitch_actions_total", attribution="identified")
    for left_over in ("ingest_unaccounted_hits", "stitch_unaccounted_hits", "sink_unaccounted_lines"):
        assert 0 == _numbers(after, f"seamline_{left_over}")
    for took in ("ingest_publish", "ingest_reply", "stitch_latency", "stitch_checkpoint", "sink_latency"):
        assert 0 < more(f"seamline_{took}_seconds_count")
