"""What one flush holds, sorted by kind; it must not know where it comes from or goes to."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from msgspec import Struct

from pipeline.log.port import Record


class Line(Struct, frozen=True):
    """One line of a record; `number` counts from 0."""

    record: Record
    number: int
    text: bytes


class Batch(Struct, frozen=True):
    """The records of one flush, by the `schema` header, each kind in log order."""

    kinds: Mapping[str, Sequence[Record]]
    unknown: Sequence[Record]
    ends: Mapping[int, int]  # per partition, the offset after the last record

    @property
    def records(self) -> Iterator[Record]:
        """All of them, by kind."""
        return chain(*self.kinds.values(), self.unknown)

    @property
    def said(self) -> int:
        """How many lines the records say they hold."""
        return sum(record.lines for record in self.records)

    def body(self, schema: str) -> bytes:
        """All lines of a kind as newline-delimited JSON, without looking into them."""
        return b"\n".join(record.value for record in self.kinds[schema])

    def count(self, schema: str) -> int:
        """Lines of a kind."""
        return sum(record.value.strip().count(b"\n") + 1 for record in self.kinds[schema] if record.value)

    def lines(self, schema: str) -> list[Line]:
        """The same lines one by one, with their places: what links always and rows in trouble need."""
        return [line for record in self.kinds[schema] for line in _lines(record)]


def sort(records: Sequence[Record], schemas: Sequence[str]) -> Batch:
    """Records by kind; what is of none of `schemas` is unknown."""
    kinds: dict[str, list[Record]] = {schema: [] for schema in schemas}
    unknown: list[Record] = []
    for record in records:
        kinds.get(record.headers.get("schema", ""), unknown).append(record)
    return Batch(kinds, unknown, {record.partition: record.offset + 1 for record in records})


def _lines(record: Record) -> Iterator[Line]:
    for number, text in enumerate(record.value.split(b"\n")):
        if text.strip():
            yield Line(record, number, text)
