"""Lines to as few log records as the size limit allows; it must not know what a line says."""

from pipeline.limits import RECORD_BYTES_MAX
from pipeline.log.port import Append


def packed(topic: str, partition: int, schema: str, lines: list[bytes]) -> list[Append]:
    """Records in line order; a line longer than the limit gets one of its own."""
    records, start, size = [], 0, 0
    for at, line in enumerate(lines):
        if at > start and size + len(line) + 1 > RECORD_BYTES_MAX:
            records.append(_record(topic, partition, schema, lines[start:at]))
            start, size = at, 0
        size += len(line) + 1
    return [*records, _record(topic, partition, schema, lines[start:])] if lines else records


def _record(topic: str, partition: int, schema: str, lines: list[bytes]) -> Append:
    return Append(topic, partition, b"\n".join(lines), {"schema": schema, "count": str(len(lines))})
