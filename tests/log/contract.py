"""What every event log promises, as one suite: subclass it with a `log` fixture and a `topic` fixture.

`topic` names a fresh topic of four partitions. A test that needs true ends and positions takes `exact_offsets`.
"""

import asyncio
import time
from collections.abc import Sequence

import pytest

from pipeline.limits import APPEND_BYTES_MAX
from pipeline.log.port import Append, Log, LogUnavailable, Reader, Record
from tests.support.deadline import until

PARTITIONS = 4
HEADERS = {"schema": "hit/1", "count": "1"}


def entry(topic: str, value: str | bytes, partition: int = 0) -> Append:
    return Append(topic, partition, value.encode() if isinstance(value, str) else value, HEADERS)


def values(records: Sequence[Record]) -> list[str]:
    return [record.value.decode() for record in records]


async def drain(reader: Reader, count: int, within_s: float = 15.0) -> list[Record]:
    """Fetch until `count` records came."""
    found: list[Record] = []

    async def enough() -> bool:
        found.extend(await reader.fetch(200))
        return len(found) >= count

    await until(enough, within_s, f"{count} records")
    return found


class LogContract:
    """Subclass it and give `log` and `topic`."""

    @pytest.fixture
    def exact_offsets(self) -> None:
        """Ends and positions are true here."""

    async def test_a_topic_has_its_partitions(self, log: Log, topic: str) -> None:
        assert PARTITIONS == await log.partitions(topic)

    async def test_offsets_count_from_nought_in_each_partition(self, log: Log, topic: str) -> None:
        entries = [entry(topic, "a", 0), entry(topic, "b", 1), entry(topic, "c", 0), entry(topic, "d", 3)]
        assert [0, 0, 1, 0] == list(await log.append(entries))
        assert [2] == list(await log.append([entry(topic, "e", 0)]))

    async def test_appending_nothing_gives_nothing(self, log: Log) -> None:
        assert [] == list(await log.append([]))

    async def test_a_record_comes_back_as_it_went_in(self, log: Log, topic: str) -> None:
        value, headers = bytes(range(256)), {"schema": "hit/1", "count": "7", "origin": "Überlingen"}
        before_ms = int(time.time() * 1000) - 1
        (offset,) = await log.append([Append(topic, 2, value, headers)])
        (record,) = await drain(await log.reader(topic, "g"), 1)
        assert (topic, 2, offset, value, headers) == (
            record.topic,
            record.partition,
            record.offset,
            record.value,
            dict(record.headers),
        )
        assert before_ms <= record.timestamp_ms <= int(time.time() * 1000) + 1

    async def test_a_record_of_the_greatest_size_comes_back(self, log: Log, topic: str) -> None:
        value = b"x" * APPEND_BYTES_MAX
        await log.append([entry(topic, value), entry(topic, value)])
        assert [value, value] == [record.value for record in await drain(await log.reader(topic, "g"), 2)]

    @pytest.mark.parametrize("wrong", ["too large", "no such partition"])
    async def test_a_call_with_a_wrong_record_stores_none_of_it(self, log: Log, topic: str, wrong: str) -> None:
        bad = entry(topic, b"x" * (APPEND_BYTES_MAX + 1)) if wrong == "too large" else entry(topic, "x", PARTITIONS)
        with pytest.raises(ValueError):
            await log.append([entry(topic, "good"), bad])
        await log.append([entry(topic, "next")])
        assert ["next"] == values(await drain(await log.reader(topic, "g"), 1))

    async def test_order_within_a_partition_is_the_order_of_the_calls(self, log: Log, topic: str) -> None:
        """Also for calls that were not awaited one by one, and whatever their records' sizes."""
        names = [f"{i}" for i in range(60)]
        calls = [log.append([entry(topic, names[i]), entry(topic, names[i + 1] * 30_000)]) for i in range(0, 60, 2)]
        offsets = [offset for call in await asyncio.gather(*calls) for offset in call]
        records = await drain(await log.reader(topic, "g"), 60)
        assert list(range(60)) == offsets
        assert [name if i % 2 == 0 else name * 30_000 for i, name in enumerate(names)] == values(records)

    async def test_a_fetch_takes_no_more_than_asked_and_loses_nothing(self, log: Log, topic: str) -> None:
        await log.append([entry(topic, str(i), i % PARTITIONS) for i in range(20)])
        reader = await log.reader(topic, "g")
        sizes, found = [], []

        async def all_there() -> bool:
            records = await reader.fetch(200, records_max=3)
            sizes.append(len(records))
            found.extend(values(records))
            return len(found) >= 20

        await until(all_there, 15)
        assert {str(i) for i in range(20)} == set(found)
        assert max(sizes) <= 3

    async def test_a_fetch_with_nothing_to_read_returns_after_its_wait(self, log: Log, topic: str) -> None:
        reader = await log.reader(topic, "g")
        started = time.monotonic()
        assert [] == list(await reader.fetch(150))
        assert 0.1 <= time.monotonic() - started < 5

    async def test_an_append_ends_the_wait_of_a_fetch(self, log: Log, topic: str) -> None:
        reader = await log.reader(topic, "g")
        waiting = asyncio.create_task(reader.fetch(20_000))
        await log.append([entry(topic, "news")])
        assert ["news"] == values(await asyncio.wait_for(waiting, 10))

    async def test_what_was_not_committed_is_read_again(self, log: Log, topic: str) -> None:
        await log.append([entry(topic, str(i)) for i in range(5)])
        reader = await log.reader(topic, "g")
        await drain(reader, 5)
        await reader.commit({0: 3})
        await reader.close()
        assert ["3", "4"] == values(await drain(await log.reader(topic, "g"), 2))

    async def test_groups_read_independently(self, log: Log, topic: str) -> None:
        await log.append([entry(topic, "a"), entry(topic, "b")])
        first = await log.reader(topic, "g1")
        assert ["a", "b"] == values(await drain(first, 2))
        await first.commit({0: 2})
        assert ["a", "b"] == values(await drain(await log.reader(topic, "g2"), 2))

    async def test_positions_are_absent_until_committed(self, log: Log, topic: str, exact_offsets: None) -> None:
        await log.append([entry(topic, "a", 1)])
        assert {} == dict(await log.committed(topic, "g"))
        reader = await log.reader(topic, "g")
        await drain(reader, 1)
        await reader.commit({1: 1})
        assert {1: 1} == dict(await log.committed(topic, "g"))
        assert {} == dict(await log.committed(topic, "other"))

    async def test_a_new_reader_of_a_group_misses_nothing(self, log: Log, topic: str) -> None:
        """Between them two readers see every record; when one leaves, the other gets the rest."""
        first, second = await log.reader(topic, "g"), await log.reader(topic, "g")
        await log.append([entry(topic, str(i), i % PARTITIONS) for i in range(8)])
        seen: set[str] = set()

        async def both_saw_all() -> bool:
            for reader in (first, second):
                seen.update(values(await reader.fetch(100)))
            return len(seen) == 8

        await until(both_saw_all, 15)
        await second.close()
        await log.append([entry(topic, f"late {i}", i) for i in range(PARTITIONS)])
        late = {f"late {i}" for i in range(PARTITIONS)}

        async def first_saw_the_rest() -> bool:
            seen.update(values(await first.fetch(100)))
            return late <= seen

        await until(first_saw_the_rest, 15)

    async def test_a_reader_that_left_stores_nothing(self, log: Log, topic: str, exact_offsets: None) -> None:
        """Its partitions may be another's by now; the commit is not an error."""
        await log.append([entry(topic, "a"), entry(topic, "b")])
        first = await log.reader(topic, "g")
        await drain(first, 2)
        await first.close()
        await first.commit({0: 2})
        assert {} == dict(await log.committed(topic, "g"))

    async def test_a_bounded_read_gives_exactly_its_range(self, log: Log, topic: str, exact_offsets: None) -> None:
        await log.append([entry(topic, str(i), 1) for i in range(10)])
        await log.append([entry(topic, "elsewhere", 0)])

        async def read(start: int, stop: int) -> list[str]:
            return values([record async for record in log.read(topic, 1, start, stop)])

        assert ["3", "4", "5"] == await read(3, 6)
        assert [str(i) for i in range(10)] == await read(0, 1_000)
        assert [] == await read(4, 4)
        assert [] == await read(10, 20)
        assert {} == dict(await log.committed(topic, "g"))

    async def test_the_span_is_what_is_kept(self, log: Log, topic: str, exact_offsets: None) -> None:
        assert dict.fromkeys(range(PARTITIONS), (0, 0)) == dict(await log.span(topic))
        await log.append([entry(topic, "a", 1), entry(topic, "b", 1), entry(topic, "c", 3)])
        assert {0: (0, 0), 1: (0, 2), 2: (0, 0), 3: (0, 1)} == dict(await log.span(topic))

    async def test_a_closed_log_takes_nothing(self, log: Log, topic: str) -> None:
        await log.append([entry(topic, "a")])
        await log.close()
        with pytest.raises(LogUnavailable):
            await log.append([entry(topic, "b")])
        await log.close()
