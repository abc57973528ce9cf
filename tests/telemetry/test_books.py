"""Each worker's books balance whatever comes, and say what became of it."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline.ingest.spool import Spool
from pipeline.limits import MIB
from pipeline.log.port import HITS, STITCHED, Append, Record
from pipeline.model import ALIAS_SCHEMA, HIT_SCHEMA, LINK_SCHEMA, MARK_SCHEMA, Hit
from pipeline.sink.accounts import Accounts
from pipeline.sink.batch import sort
from pipeline.stitch import partition as partition_module
from pipeline.times import iso
from tests.stitch.memory_log import MemoryLog
from tests.stitch.worker_parts import Parts, appends_of
from tests.support.fake_log import FakeLog
from tests.support.generator import Shape, world
from tests.support.http_server import post_hits, running


async def test_stitch_knows_what_became_of_every_hit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Actions by attribution, a line nobody can read, a kind nobody knows, a record that brings out a bug."""
    log = MemoryLog(2)
    hits = world(16, Shape(hits=300, devices=20)).hits
    await log.append(appends_of(hits, 20, 2))
    good = hits[0].line()
    await log.append([Append(HITS, 0, good + b"\n[]\n" + good, {"schema": HIT_SCHEMA, "count": "3"})])
    await log.append([Append(HITS, 1, b"1\n2", {"schema": "hit/9", "count": "2"})])
    unlucky = hits[150].head().event_id
    real = partition_module.stitch

    def breaks(heads: Any, *rest: Any) -> Any:
        if any(head.event_id == unlucky for head in heads):
            raise ZeroDivisionError("a bug")
        return real(heads, *rest)

    monkeypatch.setattr(partition_module, "stitch", breaks)
    parts = Parts(log, tmp_path)
    await parts.stitch_all()
    parts.cache.close()
    figures = parts.figures
    buried = figures.dead_letters["stitch_failed"]

    assert figures.unaccounted == 0
    assert figures.read == len(hits) + 5
    assert {"bad_hit": 1, "unknown_schema": 2, "stitch_failed": buried} == figures.dead_letters
    assert 0 < buried <= 20
    assert figures.poisoned == 1
    assert sum(figures.actions.values()) == sum(r.lines for r in parts.stitched() if r.headers["schema"] == "action/1")
    assert figures.checkpoint_hits.sum == figures.hits
    assert sum(figures.latency_seconds.counts) == len(log.records[HITS, 0] + log.records[HITS, 1])


async def test_ingest_knows_what_became_of_every_hit(tmp_path: Path) -> None:
    """Accepted, shed because nothing could be durable, and refused before they were hits at all."""
    log = FakeLog()
    async with running(tmp_path, log, spool_bytes_max=300) as app:
        assert 200 == (await post_hits(app, b'[{"event_id":"a"},{"event_id":"b"}]')).status
        log.away = True
        assert 503 == (await post_hits(app, b'[{"event_id":"c"}]')).status
        assert 400 == (await post_hits(app, b"nope")).status
        counts = app.counts

    assert (counts.unaccounted, counts.in_flight) == (0, 0)
    assert counts.read == sum(n for (_, _, outcome, _), n in counts.hits.items() if outcome in {"accepted", "shed"})
    assert sum(counts.reply_seconds.counts) == 3
    assert sum(counts.publish_seconds.counts) == sum(counts.batch_hits.counts) == 2


async def test_a_sink_knows_what_became_of_every_line() -> None:
    """A row, a refused one, a link, a mark, a statement, and a kind nobody knows; while at work it is in flight."""
    lines = {"action/1": b'{"a":1}\n{"b":2}', LINK_SCHEMA: b"{}", MARK_SCHEMA: b"{}", "merge/7": b"1\n2"}
    records = [
        Record(STITCHED, 0, at, value, {"schema": schema, "count": str(value.count(b"\n") + 1)}, 1_000 + at)
        for at, (schema, value) in enumerate(lines.items())
    ]
    accounts = Accounts(FakeLog(), {STITCHED: "sink", "aliases": "sink-aliases"})
    batch = sort(records, ("action/1", LINK_SCHEMA, MARK_SCHEMA))
    accounts.took(STITCHED, batch)
    assert (accounts.figures.in_flight, accounts.figures.unaccounted) == (6, 0)
    assert b'seamline_sink_lag_seconds{topic="stitched"}' in accounts.metrics(0, 0)

    accounts.flushed(STITCHED, batch, 1, 0, 0.0)
    said = sort([Record("aliases", 0, 0, b"{}\n{}\n{}", {"schema": ALIAS_SCHEMA, "count": "3"}, 0)], (ALIAS_SCHEMA,))
    accounts.took("aliases", said)
    accounts.heard("aliases", said, 1, 1, 1)
    figures = accounts.figures

    assert b"seamline_sink_lag_seconds{" not in accounts.metrics(0, 0)
    assert (figures.in_flight, figures.unaccounted, figures.read) == (0, 0, 9)
    assert (figures.rows, figures.links, figures.marks, figures.refused) == (1, 1, 1, 4)
    assert (figures.aliases, figures.aliases_erased) == (1, 1)


def test_a_spool_says_since_when_its_oldest_record_waits(tmp_path: Path) -> None:
    """By the hit's own arrival, so that a restart does not make it young."""

    def record(arrived_ms: int) -> Append:
        hit = Hit(workspace="w", site_id="s", event_id="e", ts=iso(1), received_at=iso(arrived_ms), device="", day="")
        return Append(HITS, 0, msgspec.json.encode(hit), {"schema": HIT_SCHEMA, "count": "1"})

    spool = Spool(tmp_path, MIB)
    assert spool.oldest_ms == 0
    spool.put([record(1_700_000_000_123), record(1_700_000_060_000)])
    spool.put([record(1_800_000_000_000)])
    spool.close()
    again = Spool(tmp_path, MIB)
    assert again.oldest_ms == 1_700_000_000_123

    again.drop(again.oldest(1))
    assert again.oldest_ms == 1_700_000_060_000
    again.drop(again.oldest(MIB))
    assert again.oldest_ms == 0
    again.put([Append(HITS, 0, b"not of ours", {})])
    assert (again.count, again.oldest_ms) == (1, 0)
    again.close()
