"""A log in memory, for tests of what stands on the port; it must not know what is written to it."""

from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence

from pipeline.log.port import Append, LogUnavailable, Reader, Record


class MemoryLog:
    """`away`: topics that do not answer. `steps`: what became durable, in order."""

    def __init__(self, partitions: int = 2, now_ms: int = 1_760_000_400_000) -> None:
        self.records: dict[tuple[str, int], list[Record]] = defaultdict(list)
        self.positions: dict[int, int] = {}
        self.first: dict[tuple[str, int], int] = defaultdict(int)
        self.away: set[str] = set()
        self.steps: list[str] = []
        self._partitions = partitions
        self._now_ms = now_ms

    async def partitions(self, topic: str) -> int:
        """As many as were asked for."""
        return self._partitions

    async def append(self, records: Sequence[Append]) -> Sequence[int]:
        """Everything or, when a topic is away, nothing."""
        if away := self.away & {record.topic for record in records}:
            raise LogUnavailable(f"{away} is away")
        offsets = []
        for append in records:
            held = self.records[append.topic, append.partition]
            offsets.append(len(held))
            place = (append.topic, append.partition, len(held))
            held.append(Record(*place, append.value, append.headers, self._now_ms))
        self.steps += dict.fromkeys(record.topic for record in records)
        return offsets

    async def reader(self, topic: str, group: str) -> Reader:
        """The stitch worker has Faust for that."""
        raise AssertionError("not used")

    async def read(self, topic: str, partition: int, start: int, stop: int) -> AsyncIterator[Record]:
        """Records of that range, oldest first."""
        if topic in self.away:
            raise LogUnavailable(f"{topic} is away")
        for record in self.records[topic, partition][start:stop]:
            yield record

    async def span(self, topic: str) -> Mapping[int, tuple[int, int]]:
        """By partition: first offset kept, next offset."""
        return {p: (self.first[topic, p], len(self.records[topic, p])) for p in range(self._partitions)}

    async def committed(self, topic: str, group: str) -> Mapping[int, int]:
        """What `commit` stored."""
        return dict(self.positions)

    async def commit(self, positions: Mapping[int, int]) -> None:
        """What a checkpoint calls last."""
        if "commit" in self.away:
            raise LogUnavailable("the coordinator is away")
        self.positions.update(positions)
        self.steps.append("commit")

    async def close(self) -> None:
        """Nothing to let go of."""

    def lines(self, topic: str, schema: str = "") -> list[bytes]:
        """Every line of a topic, by partition and in order."""
        found = sorted(key for key in self.records if key[0] == topic)
        records = [record for key in found for record in self.records[key]]
        return [line for r in records if schema in {"", r.headers["schema"]} for line in r.value.split(b"\n")]
