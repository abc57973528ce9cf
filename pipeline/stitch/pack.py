"""Lines to as few log records as the size limit allows; it must not know what a line says."""

from bisect import bisect_right
from itertools import accumulate

from pipeline.limits import RECORD_BYTES_MAX
from pipeline.log.port import Append


def packed(topic: str, partition: int, schema: str, lines: list[bytes]) -> list[Append]:
    """Records in line order; a line longer than the limit gets one of its own."""
    ends = [end + at for at, end in enumerate(accumulate(map(len, lines)))]  # of each line, were they one record
    records, start = [], 0
    while start < len(lines):
        before = ends[start - 1] + 1 if start else 0
        stop = max(start + 1, bisect_right(ends, before + RECORD_BYTES_MAX))
        headers = {"schema": schema, "count": str(stop - start)}
        records.append(Append(topic, partition, b"\n".join(lines[start:stop]), headers))
        start = stop
    return records
