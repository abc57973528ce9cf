"""The log in one SQLite file: the contract, and what only it promises."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pipeline.log.file_format import NewerFormat
from pipeline.log.local import LocalLog, LocalWriter, LogInUse
from pipeline.log.port import HITS, STITCHED
from tests.log.contract import HEADERS, PARTITIONS, LogContract, drain, entry, values


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[LocalLog]:
    log = LocalLog(tmp_path / "log.db", partitions=PARTITIONS)
    yield log
    await log.close()


def now_ms() -> int:
    return int(time.time() * 1000)


class TestLocalLog(LogContract):
    """On disk."""

    @pytest.fixture
    def topic(self) -> str:
        return HITS


async def test_records_positions_and_identity_survive_reopening(tmp_path: Path) -> None:
    log = LocalLog(tmp_path / "log.db", partitions=2)
    await log.append([entry(HITS, "a", 1), entry(HITS, "b", 1)])
    reader = await log.reader(HITS, "g")
    await drain(reader, 2)
    await reader.commit({1: 1})
    log_id = log.log_id
    await log.close()

    again = LocalLog(tmp_path / "log.db", partitions=7)
    assert log_id == again.log_id
    assert 2 == await again.partitions(HITS)
    assert {1: 1} == dict(await again.committed(HITS, "g"))
    assert ["b"] == values(await drain(await again.reader(HITS, "g"), 1))
    assert [2] == list(await again.append([entry(HITS, "c", 1)]))
    await again.close()


async def test_a_new_file_is_another_log(tmp_path: Path) -> None:
    logs = [LocalLog(tmp_path / name) for name in ("a.db", "b.db")]
    assert logs[0].log_id != logs[1].log_id
    for log in logs:
        await log.close()


async def test_the_file_is_refused_while_it_is_open_and_free_afterwards(tmp_path: Path, log: LocalLog) -> None:
    with pytest.raises(LogInUse, match="already open, in process"):
        LocalLog(tmp_path / "log.db")
    await log.close()
    await LocalLog(tmp_path / "log.db").close()


async def test_a_file_of_another_format_is_refused_with_its_number(tmp_path: Path, log: LocalLog) -> None:
    await log.write(lambda writer: writer.execute("PRAGMA user_version=99"))
    await log.close()
    with pytest.raises(NewerFormat, match="format 99"):
        LocalLog(tmp_path / "log.db")


class TestWrite:
    """One transaction on the writing thread."""

    async def test_appends_positions_and_sql_become_visible_together(self, log: LocalLog) -> None:
        def work(writer: LocalWriter) -> int:
            writer.execute("CREATE TABLE devices (name TEXT)")
            writer.executemany("INSERT INTO devices VALUES (?)", [("d:1",), ("d:2",)])
            writer.commit(HITS, "stitch", {0: 5})
            return writer.append(STITCHED, 0, b"row", HEADERS)

        assert 0 == await log.write(work)
        assert [("d:1",), ("d:2",)] == log.connect().execute("SELECT name FROM devices").fetchall()
        assert {0: 5} == dict(await log.committed(HITS, "stitch"))
        assert ["row"] == values(await drain(await log.reader(STITCHED, "sink"), 1))

    async def test_an_exception_undoes_all_of_it_and_none_of_its_neighbours(self, log: LocalLog) -> None:
        """All calls go into one transaction: the gate holds its thread until the last of them waits."""
        gate = threading.Event()

        async def open_gate() -> None:
            gate.set()

        def fails(writer: LocalWriter) -> None:
            writer.append(HITS, 0, b"undone", HEADERS)
            writer.commit(HITS, "g", {0: 1})
            writer.append("unheard-of", 0, b"undone", HEADERS)
            raise KeyError("a bug")

        held = log.write(lambda writer: gate.wait(5))
        calls = [held, log.append([entry(HITS, "before")]), log.write(fails), log.append([entry(HITS, "after")])]
        _, before, failed, after, _ = await asyncio.gather(*calls, open_gate(), return_exceptions=True)
        assert ([0], [1]) == (before, after)
        assert isinstance(failed, KeyError)
        assert {} == dict(await log.committed(HITS, "g"))
        assert ["before", "after"] == values(await drain(await log.reader(HITS, "g"), 2))
        assert [0] == list(await log.append([entry("unheard-of", "first")]))

    async def test_a_wrong_statement_fails_its_caller_only(self, log: LocalLog) -> None:
        with pytest.raises(Exception, match="no such table"):
            await log.write(lambda writer: writer.execute("SELECT * FROM nowhere"))
        assert [0] == list(await log.append([entry(HITS, "a")]))

    async def test_sql_sees_what_was_appended_before_it(self, log: LocalLog) -> None:
        def work(writer: LocalWriter) -> int:
            writer.append(HITS, 0, b"a", HEADERS)
            return int(writer.execute("SELECT count(*) FROM records")[0][0])

        assert 1 == await log.write(work)


class TestGroups:
    """Readers of one group in one process."""

    async def test_the_newest_reader_has_every_partition_and_commits_of_the_older_are_ignored(
        self, log: LocalLog, caplog: pytest.LogCaptureFixture
    ) -> None:
        await log.append([entry(HITS, "a")])
        older = await log.reader(HITS, "g")
        await drain(older, 1)
        newer = await log.reader(HITS, "g")
        await older.commit({0: 1})
        assert {} == dict(await log.committed(HITS, "g"))
        assert "another reader has its partitions" in caplog.text
        assert [] == list(await older.fetch(0))
        assert ["a"] == values(await drain(newer, 1))

    async def test_every_partition_gets_its_turn_when_all_have_more_than_a_fetch_takes(self, log: LocalLog) -> None:
        await log.append([entry(HITS, "x", i % PARTITIONS) for i in range(40)])
        reader = await log.reader(HITS, "g")
        seen = {record.partition for _ in range(PARTITIONS) for record in await reader.fetch(0, records_max=2)}
        assert set(range(PARTITIONS)) == seen


class TestRetention:
    """`expire` removes old records from the head."""

    async def test_old_records_that_every_group_has_read_go_and_the_others_stay(self, log: LocalLog) -> None:
        await log.append([entry(HITS, str(i)) for i in range(10)])
        for group, position in (("fast", 9), ("slow", 4)):
            await (await log.reader(HITS, group)).commit({0: position})
        assert 4 == await log.expire(HITS, now_ms() + 1)
        assert (4, 10) == (await log.span(HITS))[0]
        assert [str(i) for i in range(4, 10)] == values([r async for r in log.read(HITS, 0, 0, 99)])
        assert 0 == await log.expire(HITS, now_ms() + 1)

    async def test_a_group_that_has_read_nothing_holds_everything_until_it_is_dropped(self, log: LocalLog) -> None:
        await log.append([entry(HITS, "a"), entry(HITS, "b", 1)])
        await log.reader(HITS, "new")
        assert 0 == await log.expire(HITS, now_ms() + 1)
        await log.drop_group(HITS, "new")
        assert 2 == await log.expire(HITS, now_ms() + 1)

    async def test_records_that_are_not_old_stay_and_other_topics_too(self, log: LocalLog) -> None:
        await log.append([entry(HITS, "a"), entry(STITCHED, "b")])
        assert 0 == await log.expire(HITS, now_ms() - 60_000)
        assert 1 == await log.expire(HITS, now_ms() + 1)
        assert (0, 1) == (await log.span(STITCHED))[0]

    async def test_offsets_go_on_after_everything_expired_and_the_log_was_reopened(self, tmp_path: Path) -> None:
        log = LocalLog(tmp_path / "log.db")
        await log.append([entry(HITS, str(i)) for i in range(300)])
        assert 300 == await log.expire(HITS, now_ms() + 1)
        assert {0: (300, 300)} == dict(await log.span(HITS))
        await log.close()
        again = LocalLog(tmp_path / "log.db")
        assert [300] == list(await again.append([entry(HITS, "next")]))
        assert {0: (300, 301)} == dict(await again.span(HITS))
        await again.close()

    async def test_what_expired_is_nowhere_in_the_files(self, tmp_path: Path, log: LocalLog) -> None:
        secret = b"alice@example.org was here " * 400
        await log.append([entry(HITS, secret) for _ in range(50)])
        await log.append([entry(HITS, "kept", 1)])
        assert 51 == await log.expire(HITS, now_ms() + 1)
        assert not any(b"alice@example.org" in file.read_bytes() for file in tmp_path.iterdir())

    async def test_the_file_stays_bounded_and_shrinks_after_a_burst(self, tmp_path: Path, log: LocalLog) -> None:
        """Ten rounds of 4 MB leave a file of one round, and less than half of a burst of 16 MB stays."""

        async def round_of(megabytes: int) -> int:
            await log.append([entry(HITS, b"x" * 500_000) for _ in range(megabytes * 2)])
            await log.expire(HITS, now_ms() + 1)
            return (tmp_path / "log.db").stat().st_size

        assert max([await round_of(4) for _ in range(10)]) < 6_000_000
        assert await round_of(16) < 8_000_000


async def test_every_commit_is_synced_and_every_deletion_overwritten(log: LocalLog) -> None:
    """A kill cannot show a missing sync, only a power cut could: so the file's own word is asked."""

    def pragmas(writer: LocalWriter) -> list[object]:
        return [writer.execute(f"PRAGMA {name}")[0][0] for name in ("journal_mode", "synchronous", "secure_delete")]

    assert ["wal", 2, 1] == await log.write(pragmas)
