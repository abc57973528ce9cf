"""What the pipeline asks of an event log; it must not know which log answers.

A log is a set of topics; a topic is a fixed number of partitions; a partition is an ordered run of records. Readers
of one group share the partitions of a topic and keep a position each. Delivery is at least once: whoever reads again
after a crash starts at the last committed position.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol

from msgspec import Struct

HITS = "hits"
STITCHED = "stitched"
ALIASES = "aliases"
STITCH_STATE = "stitch-state"
DEAD_LETTERS = "dead-letters"
ERASURES = "erasures"  # who was forgotten, by hashes; kept for good, and only where the log is Kafka
TOPICS = (HITS, STITCHED, ALIASES, STITCH_STATE, DEAD_LETTERS)


class LogUnavailable(Exception):
    """The log did not say that it has the record; it may have it. Retrying is safe: everything here is idempotent."""


class Record(Struct, frozen=True):
    """One record as the log holds it. `value` is newline-delimited JSON (headers: `schema`, `count`)."""

    topic: str
    partition: int
    offset: int
    value: bytes
    headers: Mapping[str, str]
    timestamp_ms: int

    @property
    def lines(self) -> int:
        """How many lines it says it holds; counted, where it does not say."""
        count = self.headers.get("count", "")
        return int(count) if count.isdecimal() else sum(bool(line) for line in self.value.split(b"\n"))


class Append(Struct, frozen=True):
    """One record to be."""

    topic: str
    partition: int
    value: bytes
    headers: Mapping[str, str]


class Reader(Protocol):
    """A member of a group on one topic."""

    async def fetch(self, wait_ms: int, records_max: int = 500) -> Sequence[Record]:
        """Records past this reader's position, in order within each partition; empty when none came in `wait_ms`."""

    async def commit(self, positions: Mapping[int, int]) -> None:
        """Store, per partition, the offset of the next record to read. Durable when it returns."""

    async def close(self) -> None:
        """Leave the group without committing."""


class Log(Protocol):
    """The event log."""

    async def partitions(self, topic: str) -> int:
        """How many partitions the topic has."""

    async def append(self, records: Sequence[Append]) -> Sequence[int]:
        """Their offsets, once every record is durable (acks=all, or fsynced). Order within a partition is kept.

        Raises LogUnavailable when durability is unknown.
        """

    async def reader(self, topic: str, group: str) -> Reader:
        """Join `group` on `topic`; a new group starts at the oldest record."""

    def read(self, topic: str, partition: int, start: int, stop: int) -> AsyncIterator[Record]:
        """Records with start <= offset < stop, oldest first, outside of any group."""

    async def span(self, topic: str) -> Mapping[int, tuple[int, int]]:
        """Per partition: the oldest offset still kept, and the offset the next record will get."""

    async def committed(self, topic: str, group: str) -> Mapping[int, int]:
        """Per partition: the group's stored position; a partition without one is absent."""

    async def close(self) -> None:
        """Flush and let go of every handle."""
