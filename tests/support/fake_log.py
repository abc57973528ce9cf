"""The event log in memory, for tests of whoever uses a log: it passes the same contract as the real ones."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence

from pipeline.limits import APPEND_BYTES_MAX
from pipeline.log.port import Append, LogUnavailable, Record


class FakeLog:
    """`away` makes every append raise and store nothing; `loses_answers` makes it store and raise all the same."""

    def __init__(self, partitions: int = 4) -> None:
        self.away = False
        self.loses_answers = False
        self.records: dict[tuple[str, int], list[Record]] = defaultdict(list)
        self.positions: dict[tuple[str, str], dict[int, int]] = defaultdict(dict)
        self._partitions = partitions
        self._members: dict[tuple[str, str], list[FakeReader]] = defaultdict(list)
        self._closed = False
        self.news = asyncio.Event()

    async def partitions(self, topic: str) -> int:
        return self._partitions

    async def append(self, records: Sequence[Append]) -> Sequence[int]:
        if self.away or self._closed:
            raise LogUnavailable("the fake log is away")
        for record in records:
            if not 0 <= record.partition < self._partitions or len(record.value) > APPEND_BYTES_MAX:
                raise ValueError(f"no such partition, or too large: {record.partition}, {len(record.value)} bytes")
        offsets = [self._put(record) for record in records]
        self._tell()
        if self.loses_answers:
            raise LogUnavailable("the answer was lost")
        return offsets

    def _put(self, append: Append) -> int:
        kept = self.records[append.topic, append.partition]
        now_ms = int(time.time() * 1000)
        kept.append(Record(append.topic, append.partition, len(kept), append.value, dict(append.headers), now_ms))
        return len(kept) - 1

    def _tell(self) -> None:
        self.news.set()
        self.news = asyncio.Event()

    async def reader(self, topic: str, group: str) -> "FakeReader":
        return FakeReader(self, topic, self.positions[topic, group], self._members[topic, group])

    async def read(self, topic: str, partition: int, start: int, stop: int) -> AsyncIterator[Record]:
        for record in self.records[topic, partition][max(start, 0) : stop]:
            yield record

    async def span(self, topic: str) -> Mapping[int, tuple[int, int]]:
        return {partition: (0, len(self.records[topic, partition])) for partition in range(self._partitions)}

    async def committed(self, topic: str, group: str) -> Mapping[int, int]:
        return dict(self.positions[topic, group])

    async def close(self) -> None:
        self._closed = True
        self._tell()


class FakeReader:
    """The newest reader of a group has every partition."""

    def __init__(self, log: FakeLog, topic: str, stored: dict[int, int], members: "list[FakeReader]") -> None:
        self._log = log
        self._topic = topic
        self._stored = stored
        self._members = members
        self._positions: dict[int, int] | None = None
        members.append(self)

    async def fetch(self, wait_ms: int, records_max: int = 500) -> Sequence[Record]:
        deadline = asyncio.get_running_loop().time() + wait_ms / 1000
        while not (records := self._take(records_max)):
            left_s = deadline - asyncio.get_running_loop().time()
            if left_s <= 0:
                break
            await asyncio.wait([asyncio.ensure_future(self._log.news.wait())], timeout=left_s)
        return records

    def _take(self, records_max: int) -> list[Record]:
        if self._members[-1:] != [self]:
            self._positions = None
            return []
        if self._positions is None:
            self._positions = dict(self._stored)
        taken: list[Record] = []
        for partition in range(self._log._partitions):
            kept = self._log.records[self._topic, partition][self._positions.get(partition, 0) :]
            kept = kept[: records_max - len(taken)]
            self._positions[partition] = self._positions.get(partition, 0) + len(kept)
            taken += kept
        return taken

    async def commit(self, positions: Mapping[int, int]) -> None:
        if self._members[-1:] == [self]:
            self._stored.update(positions)

    async def close(self) -> None:
        if self in self._members:
            self._members.remove(self)
            self._log._tell()
