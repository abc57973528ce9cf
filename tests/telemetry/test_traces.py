"""Spans of requests, batches and checkpoints: one trace, nobody's values, nothing imported when nobody asked."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from pipeline.ingest.traced import TracedIngest
from pipeline.log.port import HITS, STITCHED, Append, Log, LogUnavailable
from pipeline.protocols import native
from pipeline.stitch.traced import traced
from pipeline.telemetry import traces as traces_module
from pipeline.telemetry.traces import LINKS_MAX, Traces
from pipeline.telemetry.tracing import TRACEPARENT, CannotTrace, TraceSettings, trace_settings, tracing
from tests.ingest.test_publisher import GatedLog
from tests.protocols.build import NOW_MS, UUID, sites
from tests.stitch.memory_log import MemoryLog
from tests.stitch.worker_parts import Parts
from tests.support.collector import collecting
from tests.support.deadline import until
from tests.support.fake_log import FakeLog
from tests.support.http_server import call, ingest_settings, post_hits

CANARY = "canary7f3a"
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED, UNSAMPLED = f"00-{TRACE}-{SPAN}-01", f"00-{TRACE}-{SPAN}-00"


class Made:
    """Traces in memory."""

    def __init__(self) -> None:
        self._memory = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._memory))
        self.traces = Traces(provider)

    @property
    def spans(self) -> list[Any]:
        """Those that ended, in that order."""
        return list(self._memory.get_finished_spans())

    def named(self, name: str) -> list[Any]:
        """Those of that name."""
        return [span for span in self.spans if span.name == name]


@pytest.fixture
def made() -> Iterator[Made]:
    """Closed at the end."""
    made = Made()
    yield made
    made.traces.close()


@asynccontextmanager
async def running(made: Made, folder: Path, log: Log, **changes: Any) -> AsyncIterator[TracedIngest]:
    """An ingest whose requests are spans."""
    settings = ingest_settings(folder, **changes)
    app = TracedIngest(made.traces, sites(), log, settings, lambda: NOW_MS, 500)
    await app.start()
    try:
        yield app
    finally:
        await app.stop()


def links(span: Any) -> list[int]:
    """IDs of the spans it is linked to."""
    return [link.context.span_id for link in span.links]


async def test_a_request_says_what_became_of_it(made: Made, tmp_path: Path) -> None:
    """Protocol, site, how many hits, status, outcome, and the ID that its reply and its hits have."""
    log = FakeLog(1)
    async with running(made, tmp_path, log) as app:
        answer = await post_hits(app, b'[{"event_id":"a"},{"event_id":"b"}]')
        await call(app, "POST", "/v1/hits", b"nope", {"authorization": "Bearer page-key"})
        await call(app, "GET", "/health/ready")
        await call(app, "OPTIONS", "/v1/hits")

    good, bad = made.named("POST native")
    assert {
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "seamline.protocol": "native",
        "seamline.site": "web",
        "seamline.hits": 2,
        "seamline.aliases": 0,
        "seamline.outcome": "accepted",
        "seamline.request_id": answer.headers["x-request-id"],
    } == dict(good.attributes)
    assert (400, "refused", 0) == tuple(
        bad.attributes[name] for name in ("http.response.status_code", "seamline.outcome", "seamline.hits")
    )
    assert ["POST native", "POST native", "publish"] == sorted(span.name for span in made.spans)


async def test_a_batch_belongs_to_its_first_request_and_every_request_to_its_batch(made: Made, tmp_path: Path) -> None:
    """Its records carry its context."""
    log = GatedLog(1)
    log.gate.clear()
    async with running(made, tmp_path, log) as app:
        before = asyncio.create_task(post_hits(app, b"[{}]"))
        await until(lambda: log.calls, what="the first batch is being written")
        asked = [asyncio.create_task(post_hits(app, b"[{}]")) for _ in range(3)]
        await until(lambda: app.counts.in_flight == 4, what="three more wait")
        log.gate.set()
        await asyncio.gather(before, *asked)

    alone, together = made.named("publish")
    requests = [span for span in made.named("POST native") if links(span) == [together.context.span_id]]
    assert (1, 3) == (alone.attributes["seamline.requests"], together.attributes["seamline.requests"])
    assert [3, "log"] == [len(requests), together.attributes["seamline.outcome"]]
    assert {together.parent.span_id, *links(together)} == {span.context.span_id for span in requests}
    carried = [record.headers[TRACEPARENT].split("-")[1:3] for record in log.records[HITS, 0]]
    contexts = [span.context for span in (alone, together)]
    assert [[f"{context.trace_id:032x}", f"{context.span_id:016x}"] for context in contexts] == carried


async def test_what_waits_in_the_spool_stays_a_part_of_its_trace(made: Made, tmp_path: Path) -> None:
    """The span says where the hits went; drained later, the record still has its context."""
    log = GatedLog(1)
    log.error = LogUnavailable("away")
    async with running(made, tmp_path, log) as app:
        await post_hits(app, b"[{}]")
        log.error = None
        await until(lambda: log.records[HITS, 0], what="the spool is drained")

    (publish,) = made.named("publish")
    assert "spool" == publish.attributes["seamline.outcome"]
    assert f"{publish.context.span_id:016x}" in log.records[HITS, 0][0].headers[TRACEPARENT]


@pytest.mark.parametrize(("peer", "believed"), [("10.0.0.9", True), ("203.0.113.77", False)])
async def test_only_a_trusted_proxy_says_of_which_trace_a_request_is(
    made: Made, tmp_path: Path, peer: str, believed: bool
) -> None:
    """Anybody else could fill ours, or have theirs sampled for ever."""
    async with running(made, tmp_path, FakeLog(1), trusted_proxies=(ip_network("10.0.0.0/8"),)) as app:
        headers = {"authorization": "Bearer page-key", TRACEPARENT: SAMPLED}
        await call(app, "POST", "/v1/hits", b"[{}]", headers, client=(peer, 4711))

    (request,) = made.named("POST native")
    assert believed == (f"{request.context.trace_id:032x}" == TRACE)
    assert believed == (request.parent is not None)


async def test_what_is_not_sampled_is_not_sampled_further_on(made: Made, tmp_path: Path) -> None:
    """No span, and the records say so: whoever reads them does not begin a trace of their own."""
    log = FakeLog(1)
    async with running(made, tmp_path, log, trusted_proxies=(ip_network("10.0.0.0/8"),)) as app:
        headers = {"authorization": "Bearer page-key", TRACEPARENT: UNSAMPLED}
        await call(app, "POST", "/v1/hits", b"[{}]", headers, client=("10.0.0.9", 1))

    assert [] == made.spans
    assert [TRACE, "00"] == log.records[HITS, 0][0].headers[TRACEPARENT].split("-")[1::2]


async def test_no_span_has_anybodys_values(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not out of bodies, queries, paths, keys or headers, not of what the protocol broke on, whatever the answer."""
    body = f'[{{"event_id":"{CANARY}","user_id":"{CANARY}","url":"https://x/?{CANARY}","type":"{CANARY}"}}]'.encode()
    headers = {"authorization": "Bearer page-key", "tracestate": f"a={CANARY}", TRACEPARENT: CANARY, "baggage": CANARY}
    log = GatedLog(1)
    async with running(made, tmp_path, log) as app:
        for path in ("/v1/hits", "/matomo.php", f"/{CANARY}/matomo.php", f"/webhooks/{UUID}", f"/webhooks/{CANARY}"):
            await call(app, "POST", path, body, headers, query=f"key={CANARY}&uid={CANARY}")
            await call(app, "GET", path, b"", {"x-request-id": CANARY}, query=f"idsite=1&rec=1&uid={CANARY}")
        log.error = ValueError(CANARY)
        await call(app, "POST", "/v1/hits", body, headers)
        monkeypatch.setattr(native, "_take", breaks)
        await call(app, "POST", "/v1/hits", body, headers)
    with pytest.raises(ValueError, match=CANARY), made.traces.span("store", "consumer"):
        breaks()

    told = "".join(span.to_json() for span in made.spans)
    assert len(made.spans) > 9
    assert [False, False] == [CANARY in told, UUID in told]
    assert "fault" == made.named("POST native")[-1].status.description
    assert "ValueError" == made.named("store")[0].status.description


def breaks(*_: Any) -> None:
    """A bug whose exception quotes the hit."""
    raise ValueError(CANARY)


async def test_a_workers_checkpoint_goes_on_with_the_trace_of_its_hits(made: Made, tmp_path: Path) -> None:
    """Linked to the other records', and what it appends carries it on; where the records stood is said."""
    log = MemoryLog(partitions=1)
    line = b'{"workspace":"w","site_id":"s","event_id":"%d","ts":"2025-10-09T09:00:00.000Z","anonymous_id":"a",'
    line += b'"received_at":"2025-10-09T09:00:00.000Z","device":"d:a","day":"2025-10-09"}'
    other = f"00-{'1' * 32}-{'2' * 16}-01"
    for number, parent in enumerate((SAMPLED, other, SAMPLED)):
        await log.append([Append(HITS, 0, line % number, {"schema": "hit/1", "count": "1", TRACEPARENT: parent})])
    parts = Parts(log, tmp_path)
    parts.checkpoints.store = traced(made.traces, parts.checkpoints.store)  # as the worker puts them together
    await parts.stitch_all()
    parts.cache.close()

    spans = made.named("stitch")
    assert TRACE == f"{spans[0].context.trace_id:032x}"
    assert int(SPAN, 16) == spans[0].parent.span_id
    assert "0/3" in spans[-1].attributes["seamline.positions"]
    assert 3 == sum(span.attributes["seamline.hits"] for span in spans)
    carried = {record.headers[TRACEPARENT].split("-")[2] for record in log.records[STITCHED, 0]}
    assert {f"{span.context.span_id:016x}" for span in spans} == carried


def test_links_of_a_span_are_bounded(made: Made) -> None:
    """And nothing that W3C would not have written is one; the same one counts once."""
    others = [f"00-{number:032x}-{number:016x}-01" for number in range(1, 500)]
    with made.traces.span("store", "consumer", [SAMPLED, SAMPLED, "", "nonsense", f"00-{'0' * 32}-{SPAN}-01", *others]):
        pass

    (store,) = made.spans
    assert (int(SPAN, 16), LINKS_MAX - 1) == (store.parent.span_id, len(store.links))


def test_spans_reach_the_collector_that_the_environment_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """With its headers, under its name for the service or ours; what waits is sent at the end."""
    with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20collectors-key")
        with tracing("ingest", trace_settings(os.environ)) as traces:
            assert traces is not None
            traces.begin("publish", "producer", [SAMPLED], {"seamline.records": 3}).end()
        monkeypatch.setenv("OTEL_SERVICE_NAME", "shop-ingest")
        with tracing("ingest", trace_settings(os.environ)) as traces:
            assert traces is not None
            traces.begin("publish", "producer").end()

    first, second = collector.spans
    assert ("seamline-ingest", TRACE, SPAN, {"seamline.records": 3}) == (
        first.service,
        first.trace,
        first.parent,
        first.said,
    )
    assert ("shop-ingest", "") == (second.service, second.parent)
    assert b"Bearer collectors-key" in collector.bytes


def test_a_collector_that_is_away_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The end comes; what waited is given up."""
    monkeypatch.setattr(traces_module, "_CLOSE_S", 0.1)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://192.0.2.1:4318")
    with tracing("ingest", trace_settings(os.environ)) as traces:
        assert traces is not None
        traces.begin("publish", "producer").end()
        began_s = time.monotonic()

    assert time.monotonic() - began_s < 2


@pytest.mark.parametrize(
    ("given", "endpoint"),
    [
        ({}, ""),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a"}, "http://a"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://b/v1/traces"}, "http://b/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://b"}, "http://b"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a", "OTEL_SDK_DISABLED": "True"}, ""),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a", "OTEL_TRACES_EXPORTER": "none"}, ""),
    ],
)
def test_the_fields_own_variables_decide(given: dict[str, str], endpoint: str) -> None:
    """As OpenTelemetry documents them."""
    assert endpoint == trace_settings(given).endpoint


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        (TraceSettings("collector:4317"), "expected http://host:port or https://host:port, got 'collector:4317'"),
        (TraceSettings("http://a", "grpc"), "OTEL_EXPORTER_OTLP_PROTOCOL: expected http/protobuf, got 'grpc'"),
    ],
)
def test_what_cannot_be_spoken_is_refused_at_the_start(settings: TraceSettings, why: str) -> None:
    """By the variable's name, with what was expected."""
    with pytest.raises(CannotTrace, match=why), tracing("ingest", settings):
        pytest.fail("it began")


WITHOUT = "import sys; sys.modules['opentelemetry'] = None; from pipeline.cli import main; sys.exit(main())"


@pytest.mark.parametrize("stage", ["up", "ingest", "stitch", "sink"])
def test_without_the_extra_a_stage_says_what_to_install(stage: str, tmp_path: Path) -> None:
    """And ends; it does not go on without the spans that were asked for."""
    environ = {
        **os.environ,
        "SEAMLINE_DATA": str(tmp_path),
        "SEAMLINE_PORT": "0",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318",
    }
    environ |= {} if stage == "up" else {"SEAMLINE_LOG": "kafka://127.0.0.1:1"}
    words = [sys.executable, "-c", WITHOUT, stage]
    done = subprocess.run(words, env=environ, capture_output=True, text=True, timeout=60, check=False)

    assert 1 == done.returncode
    assert "pip install 'seamline[otel]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_nothing_of_it_is_imported_when_nobody_asked() -> None:
    """Every stage that could make spans is there, and makes none."""
    script = (
        "import sys, pipeline.stages, pipeline.up.stages\n"
        "from pipeline.telemetry.tracing import TraceSettings, tracing\n"
        "with tracing('up', TraceSettings()) as traces: assert traces is None\n"
        "print([name for name in sys.modules if name.startswith(('opentelemetry', 'google.protobuf', 'requests'))])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)

    assert "[]\n" == done.stdout
