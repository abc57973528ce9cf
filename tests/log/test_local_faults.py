"""The local log when the process is killed, the disk is full, or callers give up."""

import asyncio
import resource
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.log.local import LocalLog, LocalWriter
from pipeline.log.port import HITS, LogUnavailable
from tests.log.contract import HEADERS, drain, entry, values
from tests.support.deadline import wait_until

_APPENDS_FOR_EVER = """
import asyncio, sys
from pipeline.log.local import LocalLog
from pipeline.log.port import Append

async def one(log, lane):
    for i in range(1_000_000):
        (offset,) = await log.append([Append("hits", lane % 4, f"{lane}/{i}".encode() * 50, {"schema": "hit/1"})])
        print(lane % 4, offset, f"{lane}/{i}", flush=True)

async def main():
    log = LocalLog(sys.argv[1], partitions=4)
    await asyncio.gather(*[one(log, lane) for lane in range(16)])

asyncio.run(main())
"""


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[LocalLog]:
    log = LocalLog(tmp_path / "log.db", partitions=4)
    yield log
    await log.close()


@pytest.mark.parametrize("acknowledged", [50, 700, 2_000])
async def test_what_was_acknowledged_before_a_kill_is_there_afterwards(tmp_path: Path, acknowledged: int) -> None:
    """At its offset, with its bytes, and the same lane's records in the order of its calls."""
    printed = tmp_path / "acknowledged"
    with printed.open("wb") as out:
        command = [sys.executable, "-c", _APPENDS_FOR_EVER, str(tmp_path / "log.db")]
        process = subprocess.Popen(command, stdout=out)
        wait_until(lambda: printed.read_bytes().count(b"\n") > acknowledged, 30, "appends are acknowledged")
        process.send_signal(signal.SIGKILL)
        process.wait()
    lines = printed.read_text().rsplit("\n", 1)[0].splitlines()
    log = LocalLog(tmp_path / "log.db")
    stored = {}
    for partition, (oldest, end) in (await log.span(HITS)).items():
        async for record in log.read(HITS, partition, oldest, end):
            stored[partition, record.offset] = record.value
    missing = [line for line in lines if stored.get(_place(line)) != (line.split()[2] * 50).encode()]
    assert [] == missing
    _assert_lanes_in_order(stored)
    await log.close()


def _place(line: str) -> tuple[int, int]:
    partition, offset, _ = line.split()
    return int(partition), int(offset)


def _assert_lanes_in_order(stored: dict[tuple[int, int], bytes]) -> None:
    last: dict[bytes, int] = {}
    for place in sorted(stored):
        lane, number = stored[place][: len(stored[place]) // 50].split(b"/")
        assert last.get(lane, -1) + 1 == int(number)
        last[lane] = int(number)


@contextmanager
def file_size_limit(size_bytes: int) -> Iterator[None]:
    """Writes past it fail, as on a full disk; nobody need be root."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def fill(log: LocalLog) -> list[int]:
    """Append until the log refuses; the offsets that were acknowledged."""
    offsets: list[int] = []
    with pytest.raises(LogUnavailable, match="could not be written"):
        for _ in range(100):
            offsets += await log.append([entry(HITS, b"x" * 100_000)])
    return offsets


async def test_a_full_disk_is_unavailable_and_passes(log: LocalLog) -> None:
    """Real failing writes: what was acknowledged stays, what was not takes no offset, and all goes on afterwards."""
    await log.append([entry(HITS, "before")])
    with file_size_limit(1_000_000):
        offsets = await fill(log)
        with pytest.raises(LogUnavailable):
            await log.append([entry(HITS, b"x" * 900_000)])
    assert [len(offsets) + 1] == list(await log.append([entry(HITS, "after")]))
    found = values(await drain(await log.reader(HITS, "g"), len(offsets) + 2))
    assert ["before", *["x" * 100_000] * len(offsets), "after"] == found


async def test_a_file_at_its_greatest_size_is_unavailable_until_it_may_grow(log: LocalLog) -> None:
    await log.append([entry(HITS, "before")])
    await log.write(lambda writer: writer.execute("PRAGMA max_page_count=40"))
    offsets = await fill(log)
    await log.write(lambda writer: writer.execute("PRAGMA max_page_count=1000000"))
    assert [len(offsets) + 1] == list(await log.append([entry(HITS, "after")]))


async def test_a_transaction_on_a_full_disk_leaves_nothing_behind(log: LocalLog) -> None:
    def work(writer: LocalWriter) -> None:
        writer.commit(HITS, "g", {0: 1})
        for _ in range(20):
            writer.append(HITS, 0, b"x" * 100_000, HEADERS)

    with file_size_limit(500_000), pytest.raises(LogUnavailable):
        await log.write(work)
    assert {} == dict(await log.committed(HITS, "g"))
    assert (0, 0) == (await log.span(HITS))[0]


async def test_a_disk_that_cannot_hold_the_file_is_unavailable_and_the_lock_is_free_again(tmp_path: Path) -> None:
    with file_size_limit(4_096), pytest.raises(LogUnavailable, match="cannot open"):
        LocalLog(tmp_path / "new.db")
    await LocalLog(tmp_path / "new.db").close()


async def test_a_caller_that_gives_up_harms_nobody(log: LocalLog) -> None:
    given_up = asyncio.create_task(log.append([entry(HITS, "given up")]))
    kept = asyncio.create_task(log.append([entry(HITS, "kept")]))
    await asyncio.wait([given_up], timeout=0)
    given_up.cancel()
    assert 1 == len(await kept)
    assert "kept" in values([record async for record in log.read(HITS, 0, 0, 9)])


async def test_closing_finishes_what_was_submitted(tmp_path: Path) -> None:
    log = LocalLog(tmp_path / "log.db")
    calls = [asyncio.create_task(log.append([entry(HITS, str(i))])) for i in range(50)]
    await asyncio.wait(calls, timeout=0)
    await log.close()
    assert list(range(50)) == [offset for call in calls for offset in await call]


async def test_a_waiting_reader_learns_that_the_log_was_closed(tmp_path: Path) -> None:
    log = LocalLog(tmp_path / "log.db")
    reader = await log.reader(HITS, "g")
    waiting = asyncio.create_task(reader.fetch(60_000))
    await asyncio.wait([waiting], timeout=0.02)
    await log.close()
    with pytest.raises(LogUnavailable, match="closed"):
        await waiting
