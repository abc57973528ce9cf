"""One workspace of many aliases: how fast they are worked through, what holding them costs, what a report pays.

Statements go through the real sink, a flush of FLUSH at a time.
"""

import asyncio
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from pipeline.identity.ids import user_person
from pipeline.log.local import LocalLog
from pipeline.log.port import ALIASES, Append
from pipeline.model import ALIAS_SCHEMA, Alias
from pipeline.sink.sink import Sink
from pipeline.times import iso
from pipeline.warehouse.client import Warehouse, open_warehouse
from pipeline.warehouse.migrate import migrate

STATEMENTS = int(os.environ.get("SEAMLINE_BENCH_ALIASES", "10_000_000"))
FLUSH, PER_RECORD = 50_000, 2_000
ROWS = 5_000_000  # of the report
START_MS = 1_770_000_000_000
_FILL = """
    INSERT INTO action_log (workspace, site_id, event_id, ts, received_at, device, day, anonymous_id, user_id,
                            person_id, attribution, version)
    SELECT 'shop', 'www', toString(number), toDateTime64('2026-09-01', 3) + number % 86400, now64(3),
        concat('d:', toString(number % 500000)), '2026-09-01', toString(number % 500000), '',
        (SELECT groupArray(person_id) FROM (SELECT person_id FROM person_merges LIMIT 1000))[number % 1000 + 1],
        'carried', 1
    FROM numbers({rows:UInt64})
"""
_REPORTS = {
    "persons by alias": "SELECT uniqExact(person_id) FROM actions",
    "persons without": "SELECT uniqExact(stitched_person_id) FROM actions",
}


class AliasFigures(msgspec.Struct):
    """`report_s`: seconds of a report over ROWS actions."""

    statements: int
    seconds: float
    last_flush_s: float
    load_s: float
    memory_bytes: int
    report_s: dict[str, float]
    join_s: float  # from a statement to the answer of a journey, with all the others there


def measure(statements: int = STATEMENTS) -> AliasFigures:
    """In a folder of its own."""
    with tempfile.TemporaryDirectory() as name:
        return asyncio.run(_measure(Path(name), statements))


async def _measure(folder: Path, statements: int) -> AliasFigures:
    log = LocalLog(folder / "log.db")
    warehouse = open_warehouse(f"chdb://{folder}/warehouse")
    migrate(warehouse)
    sink = Sink(log, warehouse)
    seconds = last_s = 0.0
    for first in range(0, statements, FLUSH):
        await log.append(list(_records(first, min(FLUSH, statements - first))))
        began = time.perf_counter()
        await sink.flush_once()
        last_s = time.perf_counter() - began
        seconds += last_s
        await log.expire(ALIASES, int(time.time() * 1_000))
    load_s = _timed(warehouse, "SYSTEM RELOAD DICTIONARY canonical_persons")
    [[memory]] = warehouse.query("SELECT bytes_allocated FROM system.dictionaries", readonly=False).rows
    warehouse.command(_FILL, {"rows": ROWS})
    report_s = {name: min(_asked(warehouse, sql) for _ in range(3)) for name, sql in _REPORTS.items()}
    began = time.perf_counter()
    await log.append(list(_records(statements, 1)))
    await sink.flush_once()
    person = user_person("shop", f"u{2 * statements}")
    warehouse.query("SELECT count() FROM journey(person = {p:UUID})", {"p": person})
    join_s = time.perf_counter() - began
    warehouse.close()
    await log.close()
    return AliasFigures(statements, seconds, last_s, load_s, int(memory), report_s, join_s)


def _timed(warehouse: Warehouse, sql: str) -> float:
    began = time.perf_counter()
    warehouse.command(sql)
    return time.perf_counter() - began


def _asked(warehouse: Warehouse, sql: str) -> float:
    began = time.perf_counter()
    warehouse.query(sql, seconds_max=300, readonly=False)
    return time.perf_counter() - began


def _records(first: int, count: int) -> Iterator[Append]:
    """Pairs of users, each stated once."""
    for start in range(first, first + count, PER_RECORD):
        numbers = range(start, min(start + PER_RECORD, first + count))
        lines = [msgspec.json.encode(_said(number)) for number in numbers]
        yield Append(ALIASES, 0, b"\n".join(lines), {"schema": ALIAS_SCHEMA, "count": str(len(lines))})


def _said(number: int) -> Alias:
    ts = iso(START_MS + number)
    return Alias(
        workspace="shop", event_id=f"e{number}", ts=ts, received_at=ts, user_id=f"u{2 * number}",
        previous_id=f"u{2 * number + 1}", authority="secret",
    )  # fmt: skip


def main() -> None:
    """Print them."""
    made = measure()
    rate, memory = made.statements / made.seconds, made.memory_bytes / 2**20
    print(f"{made.statements:,} statements: {rate:,.0f}/s; the last flush of {FLUSH:,} took {made.last_flush_s:.1f} s")
    print(f"dictionary: loaded in {made.load_s:.1f} s, {memory:,.0f} MiB")
    print(f"one more statement, and a journey that shows it: {made.join_s:.1f} s")
    for name, seconds in made.report_s.items():
        print(f"report over {ROWS:,} actions, {name}: {seconds:.2f} s")


if __name__ == "__main__":
    main()
