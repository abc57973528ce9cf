"""Whatever a stage counts has a metric, and the operator's page names every metric there is."""

import re
from pathlib import Path

import httpx
import msgspec
from prometheus_client.parser import text_string_to_metric_families

from pipeline.ingest.app import IngestApp
from pipeline.ingest.counts import Counts
from pipeline.settings import load_settings
from pipeline.sink.figures import Figures as SinkFigures
from pipeline.stitch.figures import current
from pipeline.stitch.worker import Report
from pipeline.stitch.worker_figures import Figures as StitchFigures
from pipeline.telemetry.health import Health
from pipeline.telemetry.histogram import seconds
from pipeline.telemetry.lag import Lag
from pipeline.telemetry.metrics import INGEST, SINK, STITCH, text
from tests.support.fake_log import FakeLog

PAGE = Path(__file__).parents[2] / "deploy" / "README.md"
MEANINGS = (*INGEST.values(), *STITCH.values(), *SINK.values())


def fields(*structs: type[msgspec.Struct]) -> set[str]:
    return {field for struct in structs for field in struct.__struct_fields__}


async def test_every_number_has_a_metric(tmp_path: Path) -> None:
    """A figure that nobody can watch is not counted."""
    settings = load_settings({"SEAMLINE_DATA": str(tmp_path)})
    app = IngestApp(settings.sites, FakeLog(), settings.ingest)
    counted = {name for name in (*vars(Counts()), "unaccounted") if not name.startswith("_")}
    looked_up = current(StitchFigures(), Lag(), None, 0, [])

    assert counted | app._now().keys() == INGEST.keys()
    assert (fields(StitchFigures) - {"checkpoint_at_s"}) | looked_up.keys() | {"partitions"} == STITCH.keys()
    assert fields(SinkFigures) | {"unaccounted", "retries", "behind_seconds", "lag", "lag_seconds"} == SINK.keys()


def test_numbers_are_read_back_as_they_are() -> None:
    """Counters, gauges, one a guard; what is not known is left out, and no label can break the text."""
    told = text(
        SINK, {"rows": 12, "flush_seconds": 0.25, "suspects": {"busy_id": 3, 'a"\n': 1}, "behind_seconds": None}
    )
    found = {
        (s.name, *s.labels.values()): s.value for f in text_string_to_metric_families(told.decode()) for s in f.samples
    }

    assert {
        ("seamline_sink_rows_total",): 12, ("seamline_sink_flush_seconds",): 0.25,
        ("seamline_suspects", "busy_id"): 3, ("seamline_suspects", 'a"\n'): 1,
    } == found  # fmt: skip


def test_a_histogram_is_cumulative() -> None:
    """Each observation is in every bucket whose bound it does not pass; a clock that goes back took no time."""
    took = seconds()
    for value in (0.001, 0.2, 0.2, 7_200.0, -3.0):
        took.observe(value)
    told = text(STITCH, {"latency_seconds": took}).decode()
    (family,) = text_string_to_metric_families(told)
    buckets = {s.labels["le"]: s.value for s in family.samples if s.name.endswith("_bucket")}
    others = {s.name: s.value for s in family.samples if not s.name.endswith("_bucket")}

    assert (buckets["0.001"], buckets["0.1"], buckets["0.25"], buckets["3600.0"], buckets["+Inf"]) == (2, 2, 4, 4, 5)
    assert {"seamline_stitch_latency_seconds_count": 5, "seamline_stitch_latency_seconds_sum": 7_200.401} == others


def test_the_operators_page_names_them_all() -> None:
    """Each with its labels and what it is, in the words of the metric itself, and nothing that is not there."""
    expected = {
        f"| `{meaning.told_as}{'{' + ', '.join(meaning.labels) + '}' if meaning.labels else ''}` | {meaning.what} |"
        for meaning in MEANINGS
    }
    named = set(re.findall(r"^\| `seamline_.*$", PAGE.read_text(), re.M))

    assert expected == named


def test_names_follow_their_units() -> None:
    """A duration says seconds, a share of nothing is left to guess, and no two metrics have one name."""
    names = [meaning.name for meaning in MEANINGS]

    assert len(set(names)) == len(names)
    assert [m.name for m in MEANINGS if m.kind == "counter" and m.name.endswith(("_seconds", "_total"))] == []
    assert [name for name in names if re.search(r"_(ms|millis|s)$", name)] == []


async def test_a_worker_tells_them() -> None:
    """Beside its health, to whoever may reach its port."""
    health = Health(
        lambda: True, lambda: True, lambda: Report([], None, StitchFigures()), lambda: text(STITCH, {"hits": 7})
    )
    port = await health.start("127.0.0.1", 0)
    reply = await _get(f"http://127.0.0.1:{port}/metrics")
    await health.close()

    assert "seamline_stitch_hits_total 7.0" in reply


async def _get(url: str) -> str:
    async with httpx.AsyncClient() as client:
        answer = await client.get(url)
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return answer.text
