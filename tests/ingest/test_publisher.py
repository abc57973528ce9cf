"""Hits become records, and nobody hears "durable" before they are: publisher and backlog on a log that misbehaves."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from pipeline.ingest import publisher as module
from pipeline.ingest.backlog import FAILED, FULL, Backlog
from pipeline.ingest.counts import Counts
from pipeline.ingest.publisher import CLOSING, FAULT, OVERLOADED, Publisher
from pipeline.ingest.spool import SpoolLocked
from pipeline.limits import MIB, RECORD_BYTES_MAX
from pipeline.log.partition import partition_of
from pipeline.log.port import Append, LogUnavailable
from pipeline.model import Hit
from pipeline.times import iso
from tests.protocols.build import NOW_MS
from tests.support.deadline import until
from tests.support.fake_log import FakeLog
from tests.support.http_server import decoded, hits_in


class GatedLog(FakeLog):
    """A fake log whose appends wait for the gate; `calls` are what was asked of it."""

    def __init__(self, partitions: int = 4) -> None:
        super().__init__(partitions)
        self.gate = asyncio.Event()
        self.gate.set()
        self.calls: list[list[Append]] = []
        self.error: Exception | None = None

    async def append(self, records: Sequence[Append]) -> Sequence[int]:
        self.calls.append(list(records))
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return await super().append(records)


def hit(number: int, device: str = "", size: int = 0) -> Hit:
    """A hit told apart by its event ID."""
    name = device or f"d:{number}"
    properties = {"filling": "x" * size} if size else {}
    return Hit(
        workspace="shop",
        site_id="web",
        event_id=str(number),
        ts=iso(NOW_MS),
        received_at=iso(NOW_MS),
        device=name,
        day="2025-11-22",
        properties=properties,
    )


@asynccontextmanager
async def publishing(
    folder: Path, log: FakeLog, linger_ms: tuple[int, int] = (1, 1), deadline_ms: int = 10_000, spool_bytes: int = MIB
) -> AsyncIterator[tuple[Publisher, Backlog, Counts]]:
    """A publisher with its backlog, started and in the end stopped."""
    counts = Counts()
    made: list[Publisher] = []

    async def write(records: Sequence[Append]) -> bool:
        return await made[0].write(records)

    backlog = Backlog(folder, spool_bytes, write, counts)
    made.append(Publisher(log, backlog, counts, linger_ms, deadline_ms))
    await backlog.open()
    await made[0].start()
    try:
        yield made[0], backlog, counts
    finally:
        await made[0].stop()
        await backlog.close()


def ids(log: FakeLog) -> list[str]:
    """Event IDs in the log, in order within a partition."""
    return [found.event_id for found in hits_in(log)]


async def test_durable_is_said_after_the_append_and_not_before(tmp_path: Path) -> None:
    """The log has the record in its hands and has not answered: nobody is told anything."""
    log = GatedLog()
    log.gate.clear()
    async with publishing(tmp_path, log) as (publisher, _, _):
        waiting = asyncio.create_task(publisher.publish([hit(1)]))
        await until(lambda: log.calls, what="the append is under way")

        assert not waiting.done()
        log.gate.set()
        assert "" == await waiting
    assert ["1"] == ids(log)


async def test_requests_that_come_together_go_out_together(tmp_path: Path) -> None:
    """One record a partition, its headers true, its hits in order, and the partition is the device's."""
    log = GatedLog(partitions=3)
    async with publishing(tmp_path, log, linger_ms=(20, 20)) as (publisher, _, _):
        fates = await asyncio.gather(*(publisher.publish([hit(n), hit(1_000 + n)]) for n in range(50)))

    assert [""] * 50 == fates
    assert 1 == len(log.calls)
    assert 3 == len(log.calls[0])
    assert sorted(ids(log), key=int) == sorted((str(n) for k in range(50) for n in (k, 1_000 + k)), key=int)
    for (_, partition), kept in log.records.items():
        for record in kept:
            numbers = [int(found.event_id) % 1_000 for found in decoded(record.value, record.headers)]
            assert numbers == sorted(numbers)
            assert {partition} == {partition_of("shop", f.device, 3) for f in decoded(record.value, record.headers)}


async def test_what_comes_during_a_write_is_the_next_batch(tmp_path: Path) -> None:
    """One writer: order holds within a device, however slow the log."""
    log = GatedLog()
    log.gate.clear()
    async with publishing(tmp_path, log) as (publisher, _, _):
        first = asyncio.create_task(publisher.publish([hit(1, "d:one")]))
        await until(lambda: log.calls, what="the first append is under way")
        later = [asyncio.create_task(publisher.publish([hit(n, "d:one")])) for n in range(2, 30)]
        await until(lambda: publisher.waiting_bytes > 28 * 100, what="the others wait")
        log.gate.set()
        await asyncio.gather(first, *later)

    assert [str(n) for n in range(1, 30)] == ids(log)
    assert 2 == len(log.calls)


async def test_a_record_is_split_at_its_bound(tmp_path: Path) -> None:
    """512 KiB; a hit is never split."""
    log = GatedLog(partitions=1)
    async with publishing(tmp_path, log) as (publisher, _, _):
        assert "" == await publisher.publish([hit(n, size=60_000) for n in range(20)])

    sizes = [len(record.value) for record in log.calls[0]]
    assert 3 == len(sizes)
    assert max(sizes) <= RECORD_BYTES_MAX
    assert [str(n) for n in range(20)] == ids(log)


async def test_a_large_batch_does_not_linger(tmp_path: Path) -> None:
    """Two MiB are enough company."""
    log = GatedLog()
    async with publishing(tmp_path, log, linger_ms=(60_000, 60_000)) as (publisher, _, _):
        async with asyncio.timeout(10):
            assert "" == await publisher.publish([hit(n, size=60_000) for n in range(40)])


@pytest.mark.parametrize(("devices", "linger_ms"), [(1, 5), (10, 10), (64, 15)])
async def test_linger_follows_the_records(tmp_path: Path, devices: int, linger_ms: int) -> None:
    """Between 5 and 15 ms: about a thousand records a second, however many partitions the hits meet."""
    async with publishing(tmp_path, FakeLog(64), linger_ms=(5, 15)) as (publisher, _, counts):
        spread = {partition_of("shop", f"d:{n}", 64): hit(n) for n in range(5_000)}
        await publisher.publish([spread[p] for p in range(devices)])

        assert devices == counts.events["log_records"]
        assert linger_ms == round(publisher._linger_s * 1_000)


async def test_memory_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Past the bound a request is told to come again; nothing of it is kept."""
    monkeypatch.setattr(module, "BUFFER_BYTES_MAX", 10_000)
    log = GatedLog()
    log.gate.clear()
    async with publishing(tmp_path, log) as (publisher, _, _):
        first = asyncio.create_task(publisher.publish([hit(1, size=8_000)]))
        await until(lambda: log.calls, what="the append is under way")
        second = asyncio.create_task(publisher.publish([hit(2, size=8_000)]))
        await until(lambda: publisher.waiting_bytes > 16_000, what="the second waits")

        assert OVERLOADED == await publisher.publish([hit(3)])
        log.gate.set()
        assert ["", ""] == [await first, await second]
    assert ["1", "2"] == sorted(ids(log))


async def test_stopping_writes_what_waits_and_takes_no_more(tmp_path: Path) -> None:
    """However long it would have lingered."""
    log = GatedLog()
    async with publishing(tmp_path, log, linger_ms=(60_000, 60_000)) as (publisher, _, _):
        waiting = asyncio.create_task(publisher.publish([hit(1)]))
        await until(lambda: publisher.waiting_bytes, what="the hit waits")
        await publisher.stop()

        assert "" == await waiting
        assert CLOSING == await publisher.publish([hit(2)])
    assert ["1"] == ids(log)


async def test_a_waiter_that_leaves_changes_nothing(tmp_path: Path) -> None:
    """A cancelled request's hits are written all the same, and its neighbours are told."""
    log = GatedLog()
    log.gate.clear()
    async with publishing(tmp_path, log) as (publisher, _, _):
        leaving, staying = (asyncio.create_task(publisher.publish([hit(n)])) for n in (1, 2))
        await until(lambda: log.calls, what="the append is under way")
        leaving.cancel()
        log.gate.set()
        assert "" == await staying
    assert ["1", "2"] == sorted(ids(log))


@pytest.mark.parametrize("how", ["away", "silent", "broken"])
async def test_while_the_log_is_away_the_spool_has_it(tmp_path: Path, how: str) -> None:
    """It raises, does not answer within the deadline, or breaks in a way nobody foresaw: the hit is on disk."""
    log = GatedLog()
    if how == "away":
        log.away = True
    elif how == "silent":
        log.gate.clear()
    else:
        log.error = OSError("nobody foresaw this")
    async with publishing(tmp_path, log, deadline_ms=50) as (publisher, backlog, counts):
        assert "" == await publisher.publish([hit(1)])
        assert (1, 1) == (backlog.records, counts.events["spooled_records"])
        assert [] == ids(log)
        assert counts.events["log_timeouts" if how == "silent" else "log_errors"] >= 1

        log.away, log.error = False, None
        log.gate.set()
        await until(lambda: backlog.empty, 15, "the spool drains")
    assert {"1"} == set(ids(log))


async def test_order_holds_through_the_spool(tmp_path: Path) -> None:
    """While anything waits on disk, what is new goes behind it, even when the log is back."""
    log = GatedLog(partitions=1)
    log.away = True
    async with publishing(tmp_path, log) as (publisher, backlog, counts):
        for n in range(1, 6):
            assert "" == await publisher.publish([hit(n)])
        log.away = False
        for n in range(6, 30):
            assert "" == await publisher.publish([hit(n)])
        await until(lambda: backlog.empty, 15, "the spool drains")
        for n in range(30, 33):
            assert "" == await publisher.publish([hit(n)])

        assert [str(n) for n in range(1, 33)] == ids(log)
        # The spool is empty a moment before that is counted.
        await until(lambda: counts.events["drained_records"] == counts.events["spooled_records"], 15, "it is counted")


async def test_a_lost_answer_is_a_duplicate_not_a_loss(tmp_path: Path) -> None:
    """The log had it and could not say so: an error means unknown."""
    log = FakeLog()
    log.loses_answers = True
    async with publishing(tmp_path, log) as (publisher, backlog, _):
        assert "" == await publisher.publish([hit(1)])
        await until(lambda: len(ids(log)) >= 2, what="the drain tries")
        log.loses_answers = False
        await until(lambda: backlog.empty, 15, "the spool drains")
    assert {"1"} == set(ids(log))
    assert len(ids(log)) >= 2


async def test_what_was_spooled_is_drained_by_the_next_process(tmp_path: Path) -> None:
    """Before anything new."""
    log = FakeLog(partitions=1)
    log.away = True
    async with publishing(tmp_path, log) as (publisher, _, _):
        assert "" == await publisher.publish([hit(1)])
    log.away = False
    async with publishing(tmp_path, log) as (publisher, backlog, _):
        assert "" == await publisher.publish([hit(2)])
        await until(lambda: backlog.empty, what="the spool drains")
    assert ["1", "2"] == ids(log)


async def test_a_full_spool_is_a_no(tmp_path: Path) -> None:
    """And yes again when it has drained."""
    log = FakeLog()
    log.away = True
    async with publishing(tmp_path, log, spool_bytes=5_000) as (publisher, backlog, _):
        assert "" == await publisher.publish([hit(1, size=3_000)])
        assert FULL == await publisher.publish([hit(2, size=3_000)])
        log.away = False
        await until(lambda: backlog.empty, 15, "the spool drains")
        assert "" == await publisher.publish([hit(3, size=3_000)])
    assert ["1", "3"] == sorted(ids(log))


async def test_a_disk_that_refuses_is_a_no(tmp_path: Path) -> None:
    """Counted; the next attempt is made all the same."""
    log = FakeLog()
    log.away = True
    async with publishing(tmp_path, log) as (publisher, backlog, counts):
        assert backlog._spool is not None
        backlog._spool._db.execute("PRAGMA query_only = ON")
        assert FAILED == await publisher.publish([hit(1)])
        assert 1 == counts.events["spool_errors"]
        backlog._spool._db.execute("PRAGMA query_only = OFF")
        assert "" == await publisher.publish([hit(2)])


async def test_a_fault_of_ours_reaches_the_waiters(tmp_path: Path) -> None:
    """They are told to come again, it is counted and logged, and the next batch is written."""
    log = FakeLog()
    log.away = True
    async with publishing(tmp_path, log) as (publisher, backlog, counts):
        spool, backlog._spool = backlog._spool, None
        assert FAULT == await publisher.publish([hit(1)])
        assert 1 == counts.events["publisher_faults"]
        backlog._spool = spool
        log.away = False
        assert "" == await publisher.publish([hit(2)])


class Late(FakeLog):
    """That does not even say how many partitions it has while it is away."""

    async def partitions(self, topic: str) -> int:
        if self.away:
            raise LogUnavailable("away")
        return await super().partitions(topic)


async def test_no_partition_is_guessed_while_the_log_is_away(tmp_path: Path) -> None:
    """A guess would put a device into two of them: hits wait, and go to their own partition in their order."""
    log = Late(partitions=3)
    log.away = True
    async with publishing(tmp_path, log) as (publisher, backlog, _):
        assert [""] * 30 == [await publisher.publish([hit(n, f"d:{n % 5}"), hit(n + 100)]) for n in range(30)]
        log.away = False
        await until(lambda: backlog.empty, 15, "the backlog is drained")
        assert "" == await publisher.publish([hit(30, "d:0")])

    assert misplaced(log, 3) == []
    assert ["0", "5", "10", "15", "20", "25", "30"] == [h.event_id for h in hits_in(log) if h.device == "d:0"]


async def test_a_spool_may_be_older_than_the_topics(tmp_path: Path) -> None:
    """Other partitions than when it was written: each line of a record goes to its own, all others stay."""
    old = FakeLog(partitions=4)
    old.away = True
    async with publishing(tmp_path, old) as (publisher, _, _):
        assert "" == await publisher.publish([hit(n) for n in range(40)])
    new = FakeLog(partitions=6)
    async with publishing(tmp_path, new) as (_, backlog, _):
        await until(lambda: backlog.empty, 15, "the backlog is drained")

    assert misplaced(new, 6) == []
    assert sorted(map(str, range(40))) == sorted(ids(new))


def misplaced(log: FakeLog, partitions: int) -> list[str]:
    """Events that stand elsewhere than any other of their device."""
    return [
        found.event_id
        for number in range(partitions)
        for found in hits_in(log, number)
        if partition_of(found.workspace, found.device, partitions) != number
    ]


async def test_two_processes_do_not_share_a_spool(tmp_path: Path) -> None:
    """The second is refused before it takes a single hit."""
    async with publishing(tmp_path, FakeLog()):
        with pytest.raises(SpoolLocked):
            async with publishing(tmp_path, FakeLog()):
                pass


async def test_a_damaged_spool_is_mended_while_running(tmp_path: Path) -> None:
    """Garbage in the file: it is put aside, what can be read goes on, and new hits flow."""
    log = FakeLog(partitions=1)
    log.away = True
    async with publishing(tmp_path, log, spool_bytes=16 * MIB) as (publisher, backlog, _):
        for n in range(1, 9):
            assert "" == await publisher.publish([hit(n, size=60_000)])
        spool = backlog._spool
        assert spool is not None
        await backlog._in_thread(lambda: spool._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())
        file = tmp_path / "spool.sqlite3"
        content = bytearray(file.read_bytes())
        content[len(content) // 2 : len(content) // 2 + 40_000] = b"\xa5" * 40_000
        file.write_bytes(content)
        await backlog._in_thread(lambda: spool._db.execute("PRAGMA shrink_memory").fetchall())
        log.away = False
        await until(lambda: backlog.empty, 20, "the spool is mended and drains")
        assert "" == await publisher.publish([hit(99)])

        assert ids(log)[-1] == "99"
        saved = set(ids(log)) - {"99"}
        assert len(saved) >= 5
        assert len(saved) + backlog.damaged == 8 + 1  # and the file itself
