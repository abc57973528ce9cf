"""A version meets the disk of another: what an older one left is gone on with, what a newer one left is not touched."""

import asyncio
import hashlib
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline.identity.policy import Policy
from pipeline.ingest.spool import Spool
from pipeline.limits import MIB
from pipeline.log.file_format import NewerFormat
from pipeline.log.local import LocalLog
from pipeline.log.port import ALIASES, DEAD_LETTERS, HITS, STITCHED, Append, Record
from pipeline.model import STATE_SCHEMA
from pipeline.stitch.local import GROUP, LocalStitch
from pipeline.stitch.worker_cache import Mark, StateCache
from tests.golden.disks import CACHE, LOG, SINK_READ, SPOOL, contents, left_behind, unpacked
from tests.golden.written import FOLDER, Kept, golden, versions
from tests.stitch.memory_log import MemoryLog
from tests.stitch.worker_parts import EPOCH, Parts

VERSIONS = versions()
every_version = pytest.mark.parametrize("version", VERSIONS)
HOW = "\n".join(
    [
        "The format of a file has changed. It is on people's disks as older versions wrote it:",
        "- raise the number of its format, and bring files of the one before to it when they are opened;",
        "- keep `python -m tests.golden.written NEXT_VERSION` beside the rest, or make that of the next one anew.",
    ]
)


def opened(name: str) -> Callable[[Path], Any]:
    """How this version opens the file of that name, given its path."""
    return {
        LOG: LocalLog,
        SPOOL: lambda path: Spool(path.parent, MIB),
        CACHE: lambda path: StateCache(path.parent),
    }[name]


def kept_of(version: str, *schemas: str) -> list[Kept]:
    """The same day's golden records."""
    was = golden(FOLDER / version)
    return [one for schema in schemas for one in was[schema]]


def kept(records: Sequence[Append | Record]) -> list[Kept]:
    """In the form of golden files."""
    return [Kept(record.topic, dict(record.headers), record.value.decode()) for record in records]


async def test_what_is_left_today_is_in_the_newest_golden_files(tmp_path: Path) -> None:
    """Tables, numbers of formats, and every row: whoever changes one keeps what the version before left."""
    left = await left_behind(tmp_path / "today")

    for name, path in left.items():
        was = unpacked(FOLDER / VERSIONS[-1], name, tmp_path / "was")
        assert contents(was) == contents(path), f"{name}\n{HOW}"


@every_version
def test_a_spool_of_every_version_is_drained(version: str, tmp_path: Path) -> None:
    """Its records come in order and whole, none is taken for damage, and more go behind them."""
    unpacked(FOLDER / version, SPOOL, tmp_path)
    spool = Spool(tmp_path, MIB)
    assert spool.put([Append(HITS, 0, b"{}", {})])
    chunk = spool.oldest(MIB)
    spool.drop(chunk)

    assert kept_of(version, "hit/1", "alias/1") == kept(chunk.records[:-1])
    assert (0, 0) == (spool.damaged, spool.count)
    spool.close()


@every_version
async def test_a_log_of_every_version_has_its_records_and_positions(version: str, tmp_path: Path) -> None:
    """What waits for a stage is still before it, and what it has read is not read again."""
    log = LocalLog(unpacked(FOLDER / version, LOG, tmp_path))
    found = {topic: [r async for r in log.read(topic, 0, 0, 99)] for topic in (HITS, ALIASES, STITCHED, DEAD_LETTERS)}
    sink = await log.reader(STITCHED, "sink")
    waits = await sink.fetch(0)
    position = await log.committed(HITS, GROUP)
    await log.close()

    broken = found[HITS].pop()
    assert kept_of(version, "hit/1") == kept(found[HITS])
    assert kept_of(version, "alias/1") == kept(found[ALIASES])
    assert kept_of(version, "action/1", "link/1") == kept(found[STITCHED])
    assert kept_of(version, "dead-letter/1") == kept(found[DEAD_LETTERS])
    assert {0: broken.offset + 1} == position
    assert found[STITCHED][SINK_READ:] == waits


@every_version
async def test_up_goes_on_where_every_version_stopped(version: str, tmp_path: Path) -> None:
    """It knows who signed in: a page that comes late is hers; and nothing is stitched twice."""
    log = LocalLog(unpacked(FOLDER / version, LOG, tmp_path))
    _, before = (await log.span(STITCHED))[0]
    await log.append([late(version)])
    stop = asyncio.Event()
    stop.set()
    await LocalStitch(log, Policy(), EPOCH).run(stop)
    (action,) = [r async for r in log.read(STITCHED, 0, before, before + 99)]
    await log.close()

    assert hers(version) == whose(action.value.decode())


@every_version
async def test_a_cache_of_every_version_is_gone_on_with(version: str, tmp_path: Path) -> None:
    """A worker that begins with it reads the changelog from its mark, and knows who signed in."""
    (state,) = kept_of(version, STATE_SCHEMA)
    unpacked(FOLDER / version, CACHE, tmp_path)
    log = MemoryLog(partitions=1)
    await log.append([late(version), Append(state.topic, 0, b"not read again: the mark is behind it", state.headers)])
    parts = Parts(log, tmp_path)
    mark = parts.cache.mark(0)
    await parts.stitch_all()
    parts.cache.close()

    assert Mark(1, EPOCH * 2**48) == mark
    assert hers(version) == whose(log.lines(STITCHED, "action/1")[0].decode())
    assert [] == log.records[DEAD_LETTERS, 0]


def late(version: str) -> Append:
    """A page of before the login that comes after all else."""
    (was,) = kept_of(version, "hit/1")
    return Append(HITS, 0, was.value.split("\n")[0].replace('"before"', '"late"').encode(), {"schema": "hit/1"})


def hers(version: str) -> tuple[str, str]:
    """Whose the page was that came in time."""
    return whose(kept_of(version, "action/1")[0].value.split("\n")[0])


def whose(action: str) -> tuple[str, str]:
    """Person and attribution."""
    said = msgspec.json.decode(action)
    return said["person_id"], said["attribution"]


@pytest.mark.parametrize("name", [SPOOL, LOG, CACHE])
def test_a_file_of_a_newer_format_is_refused_and_not_touched(name: str, tmp_path: Path) -> None:
    """The error names the file, its format and the newest that is read; and so it is for whoever tries again."""
    path = of_tomorrow(name, tmp_path)
    before = digest(path)

    for _ in range(2):
        with pytest.raises(NewerFormat) as refused:
            opened(name)(path)
        assert f"{path} is a" in str(refused.value)
        assert "of format 7, this version of Seamline reads up to format 1." in str(refused.value)
    assert before == digest(path)
    assert [] == [other for other in tmp_path.iterdir() if "damaged" in other.name]


@pytest.mark.parametrize("name", [SPOOL, CACHE])
def test_a_file_that_does_not_say_its_format_is_of_the_first(name: str, tmp_path: Path) -> None:
    """0.1.0 wrote no number into these; from the first start of a later one on they have it."""
    path = unpacked(FOLDER / "0.1.0", name, tmp_path)
    rows = contents(path)["rows"]
    assert 0 == contents(path)["user_version"]
    opened(name)(path).close()

    assert (1, rows) == (contents(path)["user_version"], contents(path)["rows"])


def test_a_spool_of_the_first_version_is_opened_on_a_full_disk(tmp_path: Path) -> None:
    """What waits there can be read: that its format cannot be written down keeps nobody from it."""
    path = unpacked(FOLDER / "0.1.0", SPOOL, tmp_path)
    words = [sys.executable, "-c", WITHOUT_ROOM, str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True)

    assert "".join(one.value for one in kept_of("0.1.0", "hit/1", "alias/1")) == done.stdout
    assert 0 == contents(path)["user_version"]


WITHOUT_ROOM = """
import pathlib, resource, sys
from pipeline.ingest.spool import Spool
resource.setrlimit(resource.RLIMIT_FSIZE, (0, -1))  # every write to a file fails; nobody need be root
for record in Spool(pathlib.Path(sys.argv[1]), 2**20).oldest(2**20).records:
    sys.stdout.buffer.write(record.value)
"""
WORKER = """
import sys, pathlib
from pipeline.identity.policy import Policy
from pipeline.stitch.worker import WorkerSettings, run_worker
sys.exit(run_worker(WorkerSettings("127.0.0.1:1", 1, Policy(), pathlib.Path(sys.argv[1]))))
"""
STARTS = {
    "up": (LOG, "log", ["-m", "pipeline.cli", "up", "--port", "0"], {}, 1),
    "ingest": (SPOOL, "spool", ["-m", "pipeline.cli", "ingest", "--port", "0"], {"SEAMLINE_LOG": "kafka://[::1]:1"}, 1),
    "drain": (SPOOL, "spool", ["-m", "pipeline.cli", "drain"], {"SEAMLINE_LOG": "kafka://[::1]:1"}, 1),
    "stitch": (CACHE, "stitch", ["-c", WORKER], {}, 2),
}


@pytest.mark.parametrize("stage", STARTS)
def test_a_stage_says_so_and_ends(stage: str, tmp_path: Path) -> None:
    """After a downgrade: one sentence, an exit code of its own kind, no trace of calls."""
    name, folder, words, settings, code = STARTS[stage]
    path = of_tomorrow(name, tmp_path / folder)
    environ = {**os.environ, "SEAMLINE_DATA": str(tmp_path), **settings}
    done = subprocess.run(
        [sys.executable, *words, str(tmp_path)][: None if words[0] == "-c" else -1],
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert code == done.returncode
    assert f"{path} is a" in done.stderr
    assert "Traceback" not in done.stderr


def of_tomorrow(name: str, folder: Path) -> Path:
    """A file of today whose number says that it is not."""
    path = unpacked(FOLDER / VERSIONS[-1], name, folder)
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode=DELETE")  # whoever opens it properly would change that first
        db.execute("PRAGMA user_version=7")
    return path


def digest(path: Path) -> str:
    """Of all its bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
