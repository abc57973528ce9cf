"""A member of a group on a topic of the local log; it must not know how the file is read or written."""

import asyncio
import logging
from collections.abc import Mapping, Sequence

from pipeline.log.local_commits import Commits
from pipeline.log.local_reads import Reads
from pipeline.log.local_writer import LocalWriter
from pipeline.log.port import LogUnavailable, Record

_log = logging.getLogger(__name__)


class Appended:
    """What is on the log, by topic and partition, and a wake-up for whoever waits for more. One event loop."""

    def __init__(self, ends: Mapping[tuple[str, int], int]) -> None:
        self._ends: dict[str, dict[int, int]] = {}
        self._news: dict[str, asyncio.Future[None]] = {}
        self._closed = False
        self.update(ends)

    def update(self, ends: Mapping[tuple[str, int], int]) -> None:
        """Take in the new ends, then wake whoever waits for their topics."""
        for (topic, partition), end in ends.items():
            self._ends.setdefault(topic, {})[partition] = end
        for topic in {topic for topic, _ in ends}:
            self.wake(topic)

    def wake(self, topic: str) -> None:
        """Make those who wait for the topic look again."""
        news = self._news.pop(topic, None)
        if news is not None and not news.done():
            news.set_result(None)

    def close(self) -> None:
        """Let nobody wait any longer."""
        self._closed = True
        for topic in list(self._news):
            self.wake(topic)

    def ends(self, topic: str) -> Mapping[int, int]:
        """Per partition, the offset that the next record will get; empty for a topic never used."""
        return self._ends.get(topic, {})

    def news(self, topic: str) -> "asyncio.Future[None]":
        """Done at the next append to the topic. Raises LogUnavailable when the log is closed."""
        if self._closed:
            raise LogUnavailable("the log is closed")
        if topic not in self._news:
            self._news[topic] = asyncio.get_running_loop().create_future()
        return self._news[topic]


class LocalGroup:
    """A group on a topic: its stored positions, and its readers in this process, oldest first."""

    def __init__(self, topic: str, name: str, reads: Reads, commits: Commits) -> None:
        self.topic = topic
        self.members: list[LocalReader] = []
        self._name = name
        self._reads = reads
        self._commits = commits

    async def join(self) -> None:
        """Make topic and group known to the file: nothing the group has not read will expire."""

        def work(writer: LocalWriter) -> None:
            writer.partitions(self.topic)
            writer.join(self.topic, self._name)

        await self._commits.submit(work)

    async def positions(self) -> Mapping[int, int]:
        """As stored."""
        return await self._reads.committed(self.topic, self._name)

    async def store(self, positions: Mapping[int, int]) -> None:
        """Durably."""
        await self._commits.submit(lambda writer: writer.commit(self.topic, self._name, positions))


class LocalReader:
    """Of a group's readers the newest has every partition; when it leaves, the one before it goes on.

    A reader that is given the partitions starts at the stored positions, as after any rebalance.
    """

    def __init__(self, group: LocalGroup, reads: Reads, appended: Appended) -> None:
        self._group = group
        self._topic = group.topic
        self._reads = reads
        self._appended = appended
        self._positions: dict[int, int] | None = None
        self._turn = 0
        group.members.append(self)

    async def fetch(self, wait_ms: int, records_max: int = 500) -> Sequence[Record]:
        """Records past this reader's position, in order within each partition; empty when none came in `wait_ms`.

        An append in this process ends the wait. Raises LogUnavailable when the log is closed or the file unreadable.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + wait_ms / 1000
        while True:
            news = self._appended.news(self._topic)
            records = await self._take(records_max)
            left_s = deadline - loop.time()
            if records or left_s <= 0:
                return records
            await asyncio.wait([news], timeout=left_s)

    async def _take(self, records_max: int) -> list[Record]:
        if not self._owns():
            self._positions = None
            return []
        if self._positions is None:
            self._positions = dict(await self._group.positions())
        positions = self._positions
        ends = self._appended.ends(self._topic)
        behind = [(p, positions.get(p, 0), end) for p, end in sorted(ends.items()) if positions.get(p, 0) < end]
        if not behind:
            return []
        self._turn = (self._turn + 1) % len(behind)  # so that a full partition does not starve the others
        records = await self._reads.records(self._topic, behind[self._turn :] + behind[: self._turn], records_max)
        if not self._owns():
            return []
        for record in records:
            positions[record.partition] = record.offset + 1
        return records

    def _owns(self) -> bool:
        return self._group.members[-1:] == [self]

    async def commit(self, positions: Mapping[int, int]) -> None:
        """Store the positions, durably; ignored (and logged) when another reader of the group has taken over."""
        if self._owns():
            await self._group.store(positions)
        else:
            _log.warning("positions of %s not stored: another reader has its partitions", self._topic)

    async def close(self) -> None:
        """Leave the group without committing."""
        if self in self._group.members:
            self._group.members.remove(self)
            self._appended.wake(self._topic)
