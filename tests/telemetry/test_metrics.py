"""Whatever a stage counts has a metric, and the operator's page names every metric there is."""

import re
from pathlib import Path

import httpx
import msgspec
from prometheus_client.parser import text_string_to_metric_families

from pipeline.ingest.counts import Counts
from pipeline.ingest.metrics import IngestCollector
from pipeline.sink.figures import Figures as SinkFigures
from pipeline.stitch.worker import Report
from pipeline.stitch.worker_figures import Figures as StitchFigures
from pipeline.telemetry.health import Health
from pipeline.telemetry.metrics import SINK, STITCH, exposition, text

PAGE = Path(__file__).parents[2] / "deploy" / "README.md"


def fields(*structs: type[msgspec.Struct]) -> set[str]:
    return {field for struct in structs for field in struct.__struct_fields__}


def test_every_number_has_a_metric() -> None:
    """A figure that nobody can watch is not counted."""
    assert fields(StitchFigures, Report) - {"figures"} == STITCH.keys()
    assert fields(SinkFigures) | {"retries", "behind_seconds"} == SINK.keys()


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


def test_the_operators_page_names_them_all() -> None:
    """And nothing that is not there."""
    ingest = exposition(IngestCollector(Counts(), list))
    own = {f.name + "_total" for f in text_string_to_metric_families(ingest.decode())}
    theirs = {meaning.name + "_total" * meaning.counts for meaning in (*STITCH.values(), *SINK.values())}
    named = set(re.findall(r"^\| `(seamline_[a-z_]+)", PAGE.read_text(), re.M))

    assert own | theirs == {name for name in named if not name.startswith("seamline_ingest_") or name in own}


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
