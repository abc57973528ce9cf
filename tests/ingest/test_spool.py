"""The spool on disk: order, bound, lock, kill, torn and damaged files, and a full disk."""

import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from hypothesis.strategies import integers

from pipeline.ingest.spool import Spool, SpoolLocked
from pipeline.limits import MIB
from tests.support.deadline import wait_until
from tests.support.http_server import records


def values(spool: Spool, bytes_max: int = MIB) -> list[str]:
    """Everything in it, oldest first, as one reader would take it, without dropping."""
    return [record.value.decode() for record in spool.oldest(bytes_max).records]


def drained(spool: Spool, bytes_max: int = MIB) -> list[str]:
    """Everything in it, chunk by chunk."""
    found = []
    while spool.count:
        chunk = spool.oldest(bytes_max)
        found += [record.value.decode() for record in chunk.records]
        spool.drop(chunk)
    return found


def test_records_come_back_in_order_and_whole(tmp_path: Path) -> None:
    """Topic, partition, headers and value; over several chunks; and after another process opened it."""
    spool = Spool(tmp_path, MIB)
    put = records("a", "b") + records("c", partition=3)
    assert spool.put(put[:2])
    assert spool.put(put[2:])
    spool.close()

    again = Spool(tmp_path, MIB)
    assert put == again.oldest(MIB).records
    assert ["a", "b", "c"] == drained(again, bytes_max=1)
    assert (0, 0) == (again.count, again.bytes)
    again.close()


def test_the_bound_holds_and_all_of_a_batch_or_none(tmp_path: Path) -> None:
    """At the bound it is taken, past it not; what is drained makes room again."""
    spool = Spool(tmp_path, 10_000)
    assert spool.put(records("x" * 8_000))
    room = 10_000 - spool.bytes

    assert not spool.put(records("y", "z" * room))
    assert spool.put(records("y" * (room - 128)))
    assert 10_000 == spool.bytes
    assert not spool.put(records(""))
    spool.drop(spool.oldest(1))
    assert spool.put(records("later"))
    assert ["y" * (room - 128), "later"] == values(spool)
    spool.close()


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    """It names the file; when the first is gone, the next may have it."""
    spool = Spool(tmp_path, MIB)
    code = f"from pathlib import Path; from pipeline.ingest.spool import Spool; Spool(Path({str(tmp_path)!r}), 9999)"
    refused = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert "SpoolLocked" in refused.stderr
    assert str(tmp_path) in refused.stderr
    with pytest.raises(SpoolLocked):
        Spool(tmp_path, MIB)
    spool.close()
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


_WRITER = """
import sys
import tempfile
from pathlib import Path
from pipeline.ingest.spool import Spool
from pipeline.log.port import Append
spool = Spool(Path(sys.argv[1]), 10**9)
for n in range(10**6):
    assert spool.put([Append("hits", 0, b"%d" % n, {"schema": "hit/1", "count": "1"})])
    print(n, flush=True)
"""


def test_a_kill_loses_nothing_acknowledged(tmp_path: Path) -> None:
    """SIGKILL in the middle of writing, six times: what was said to be on disk is there, in order, once."""
    told = 0
    for round_ in range(6):
        output = tmp_path / f"said-{round_}"
        with output.open("wb") as said:
            writer = subprocess.Popen([sys.executable, "-c", _WRITER, str(tmp_path / "spool")], stdout=said)
        wait_until(lambda path=output: path.read_bytes().count(b"\n") > 20, 30, "the writer writes")
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
        acknowledged = [line for line in output.read_text().splitlines(keepends=True) if line.endswith("\n")]
        told = len(acknowledged)

        spool = Spool(tmp_path / "spool", MIB)
        kept = drained(spool)
        spool.close()
        assert [str(n) for n in range(len(kept))] == kept
        assert told <= len(kept) <= told + 1
    assert told > 20


def _file(folder: Path) -> Path:
    return folder / "spool.sqlite3"


def _filled(folder: Path, number: int = 40) -> None:
    spool = Spool(folder, MIB)
    for n in range(number):
        spool.put(records(f"{n:04d}" + "x" * 3_000))
    spool.close()


def test_a_torn_tail_is_cut_off(tmp_path: Path) -> None:
    """The write-ahead log ends in the middle of a page, as after a power loss: whole transactions stay."""
    code = _WRITER.replace("10**6", "30") + "import os; os._exit(0)"
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, stdout=subprocess.DEVNULL)
    wal = tmp_path / "spool.sqlite3-wal"
    os.truncate(wal, wal.stat().st_size - 1_000)

    spool = Spool(tmp_path, MIB)
    assert [str(n) for n in range(29)] == drained(spool)
    assert spool.damaged == 0
    spool.close()


@pytest.mark.parametrize("column", ["value", "headers", "topic", "partition"])
def test_a_flipped_byte_costs_one_record(tmp_path: Path, column: str) -> None:
    """It is skipped, counted, and kept aside for people; its neighbours come through."""
    _filled(tmp_path, 3)
    with sqlite3.connect(_file(tmp_path)) as db:
        changed = {"value": "x'00'", "headers": "'{}'", "topic": "'other'", "partition": "7"}[column]
        db.execute(f"UPDATE records SET {column} = {changed} WHERE id = 2")
    db.close()

    spool = Spool(tmp_path, MIB)
    assert ["0000", "0002"] == [text[:4] for text in drained(spool)]
    assert (1, 0, 0) == (spool.damaged, spool.count, spool.bytes)
    assert [(2,)] == spool._db.execute("SELECT id FROM damaged").fetchall()
    spool.close()


@pytest.mark.parametrize("damage", [b"", b"not a database at all" * 500])
def test_a_file_that_is_no_database_is_put_aside(tmp_path: Path, damage: bytes) -> None:
    """A new one takes its place; an empty one is as good as new."""
    _filled(tmp_path, 3)
    _file(tmp_path).write_bytes(damage)

    spool = Spool(tmp_path, MIB)
    assert spool.put(records("new"))
    assert ["new"] == drained(spool)
    assert bool(damage) == (spool.damaged > 0) == (tmp_path / "spool.sqlite3.damaged-1").exists()
    spool.close()


def test_what_can_be_read_of_a_damaged_file_is_saved(tmp_path: Path) -> None:
    """Pages in the middle are garbage: the records around them come through, in order, and the lost are counted."""
    _filled(tmp_path)
    content = bytearray(_file(tmp_path).read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 8192] = b"\xa5" * 8192
    _file(tmp_path).write_bytes(content)

    spool = Spool(tmp_path, MIB)
    saved = [int(text[:4]) for text in drained(spool)]
    assert saved == sorted(saved)
    assert len(saved) >= 35
    assert len(saved) + spool.damaged == 40 + 1  # and the file itself
    assert (tmp_path / "spool.sqlite3.damaged-1").exists()
    spool.close()


def test_a_full_disk_refuses_and_recovers(tmp_path: Path) -> None:
    """SQLite's own limit on pages stands in for the disk's: an error, nothing torn, and room again later."""
    spool = Spool(tmp_path, 10 * MIB)
    spool.put(records("first"))
    pages = spool._db.execute("PRAGMA page_count").fetchone()[0]
    spool._db.execute(f"PRAGMA max_page_count = {pages + 4}")

    with pytest.raises(sqlite3.OperationalError, match="full"):
        spool.put(records("y" * 100_000))
    assert ["first"] == values(spool)
    assert 1 == spool.count
    spool._db.execute("PRAGMA max_page_count = 100000")
    assert spool.put(records("second"))
    assert ["first", "second"] == drained(spool)
    spool.close()


def test_an_empty_spool_gives_its_space_back(tmp_path: Path) -> None:
    """And leaves nothing of what passed through it."""
    spool = Spool(tmp_path, 10 * MIB)
    for _ in range(8):
        spool.put(records("canary" * 80_000))
    drained(spool)

    assert _file(tmp_path).stat().st_size < 64 * 1024
    assert b"canary" not in _file(tmp_path).read_bytes()
    spool.close()


class SpoolModel(RuleBasedStateMachine):
    """The spool against a list: any puts, drains and reopenings in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="spool-model-"))
        self.spool = Spool(self.folder, 4_000)
        self.model: list[str] = []
        self.next = 0

    @rule(sizes=st.lists(integers(0, 900), min_size=1, max_size=4))
    def put(self, sizes: list[int]) -> None:
        texts = [f"{self.next + n}:" + "x" * size for n, size in enumerate(sizes)]
        self.next += len(texts)
        fits = sum(len(text) + 128 for text in self.model + texts) <= 4_000
        assert fits == self.spool.put(records(*texts))
        self.model += texts if fits else []

    @precondition(lambda self: self.model)
    @rule(bytes_max=integers(1, 5_000), rows_max=integers(1, 5))
    def drain_some(self, bytes_max: int, rows_max: int) -> None:
        chunk = self.spool.oldest(bytes_max, rows_max)
        texts = [record.value.decode() for record in chunk.records]
        assert texts == self.model[: len(texts)]
        assert 1 <= len(texts) <= rows_max
        self.spool.drop(chunk)
        del self.model[: len(texts)]

    @rule()
    def reopen(self) -> None:
        self.spool.close()
        self.spool = Spool(self.folder, 4_000)

    @invariant()
    def counts_are_right(self) -> None:
        assert len(self.model) == self.spool.count
        assert sum(len(text) + 128 for text in self.model) == self.spool.bytes

    def teardown(self) -> None:
        self.spool.close()


TestSpoolModel = SpoolModel.TestCase
TestSpoolModel.settings = settings(max_examples=15, stateful_step_count=25, deadline=None)
