"""The embedded stitch: the oracle's answer from a real file, restarts and unreadable records included."""

import asyncio
import base64
from collections.abc import Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline.identity.policy import Policy
from pipeline.log.local import LocalLog
from pipeline.log.partition import partition_of
from pipeline.log.port import DEAD_LETTERS, HITS, STITCHED, Append, Record
from pipeline.model import DeadLetter
from pipeline.stitch import partition as partition_module
from pipeline.stitch.local import GROUP, LocalStitch
from tests.simulation.chain import Table, links_in, rows_in
from tests.support.deadline import until
from tests.support.generator import Sent, Shape, world
from tests.support.oracle import oracle

POLICY = Policy()


def _appends(hits: Sequence[Sent], per_record: int, partitions: int) -> list[Append]:
    """The hits as an ingest would batch them."""
    by_partition: dict[int, list[bytes]] = {}
    for sent in hits:
        by_partition.setdefault(partition_of(sent.workspace, sent.device, partitions), []).append(sent.line())
    return [
        Append(HITS, number, b"\n".join(lines[at : at + per_record]), {"schema": "hit/1", "count": "1"})
        for number, lines in by_partition.items()
        for at in range(0, len(lines), per_record)
    ]


@asynccontextmanager
async def _running(log: LocalLog) -> Any:
    stop = asyncio.Event()
    stitch = LocalStitch(log, POLICY, epoch=1)
    task = asyncio.create_task(stitch.run(stop))
    try:
        yield stitch
    finally:
        stop.set()
        await task


async def _caught_up(log: LocalLog) -> bool:
    ends = {number: end for number, (_, end) in (await log.span(HITS)).items()}
    return dict(await log.committed(HITS, GROUP)) == {number: end for number, end in ends.items() if end}


async def _all(log: LocalLog, topic: str) -> list[Record]:
    spans = await log.span(topic)
    return [r for number, (first, end) in spans.items() async for r in log.read(topic, number, first, end)]


def _table(records: Iterable[Record]) -> dict[tuple[str, str, str], tuple[str, str]]:
    table = Table()
    for record in records:
        table.insert(rows_in([record]))
        table.insert(list(table.covered(links_in([record]))))
    return {
        (*key, event): (r.person_id, r.attribution) for key, rows in table.devices.items() for event, r in rows.items()
    }


@pytest.mark.parametrize("partitions", [1, 3])
async def test_a_restart_between_any_records_gives_the_oracles_answer(tmp_path: Path, partitions: int) -> None:
    """A world in three parts, the stitch stopped and begun anew between them, from the state in the file."""
    hits = world(11, Shape(hits=3_000, devices=120)).hits
    log = LocalLog(tmp_path / "log.db", partitions)
    for part in (hits[:1_000], hits[1_000:1_900], hits[1_900:]):
        await log.append(_appends(part, 37, partitions))
        async with _running(log):
            await until(lambda: _caught_up(log), within_s=20)
    expected = {key: tuple(answer) for key, answer in oracle((s.head() for s in hits), POLICY).items()}

    actual = _table(await _all(log, STITCHED))
    await log.close()

    assert expected == actual


async def test_a_line_that_is_no_hit_becomes_a_dead_letter_with_its_bytes(tmp_path: Path) -> None:
    """Its neighbours in the record are stitched; the dead letter says where it stood and what was expected."""
    good = world(3, Shape(hits=2, duplicate_share=0.0)).hits[0].line()
    lines = [good, b'{"workspace":"demo"', b'{"workspace":"w","event_id":"e","ts":"yesterday"}', b"\xff\xfe"]
    lines.append(b'{"workspace":"w","event_id":"e","anonymous_id":"a","logout":true,"ts":"0001-01-01T00:00:00.000Z"}')
    log = LocalLog(tmp_path / "log.db")
    await log.append([Append(HITS, 0, b"\n".join(lines), {"schema": "hit/1", "count": "5"})])
    await log.append([Append(HITS, 0, b"old bytes", {"schema": "hit/0", "count": "1"})])
    async with _running(log):
        await until(lambda: _caught_up(log))

    letters = [_letter(line) for record in await _all(log, DEAD_LETTERS) for line in record.value.split(b"\n")]
    rows = rows_in(await _all(log, STITCHED))
    await log.close()

    assert len(rows) == 1
    assert [base64.b64decode(letter.payload) for letter in letters] == [*lines[1:], b"old bytes"]
    assert [letter.source for letter in letters] == [*(f"hits/0/0/{n}" for n in range(1, 5)), "hits/0/1"]
    assert [letter.reason for letter in letters] == ["bad_hit"] * 4 + ["unknown_schema"]
    assert "yesterday" in letters[1].detail


async def test_a_record_that_breaks_the_core_is_buried_whole_and_its_neighbours_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug of ours costs a dead letter with the original bytes, never the records around it, and nothing twice."""
    hits = world(5, Shape(hits=300, devices=10, duplicate_share=0.0)).hits
    appends = _appends(hits, 30, 1)
    unlucky = hits[100].event_id
    real = partition_module.stitch

    def breaks(heads: Any, *rest: Any) -> Any:
        if any(head.event_id == unlucky for head in heads):
            raise ZeroDivisionError("a bug")
        return real(heads, *rest)

    monkeypatch.setattr(partition_module, "stitch", breaks)
    log = LocalLog(tmp_path / "log.db")
    await log.append(appends)
    async with _running(log):
        await until(lambda: _caught_up(log))
    letters = [_letter(record.value) for record in await _all(log, DEAD_LETTERS)]
    rows = rows_in(await _all(log, STITCHED))
    await log.close()

    assert [(letter.source, letter.reason) for letter in letters] == [("hits/0/3", "stitch_failed")]
    assert base64.b64decode(letters[0].payload) == appends[3].value
    assert len(rows) == len(hits) - 30


def _letter(line: bytes) -> DeadLetter:
    return msgspec.json.decode(line, type=DeadLetter)


async def test_it_ends_although_hits_keep_coming(tmp_path: Path) -> None:
    """What was on the log when it was told to stop is stitched; what came after waits for the next start."""
    log = LocalLog(tmp_path / "log.db")
    appends = _appends(world(3, Shape(hits=400)).hits, 5, 1)
    await log.append(appends)
    stop, told = asyncio.Event(), asyncio.Event()

    async def more() -> None:
        while True:
            await log.append(appends[:1])
            told.set()

    stitching = asyncio.create_task(LocalStitch(log, POLICY, epoch=1).run(stop))
    coming = asyncio.create_task(more())
    await told.wait()
    stop.set()
    await asyncio.wait_for(stitching, 30)
    coming.cancel()
    await asyncio.wait({coming})

    assert len(appends) <= (await log.committed(HITS, GROUP))[0] < (await log.span(HITS))[0][1]
    await log.close()
