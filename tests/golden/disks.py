"""The SQLite files that this version leaves on a disk, after the small day of `written`; it must not know older ones.

The embedded log with positions and device states, a stitch worker's cache, and a spool that waits: as the real writers
close them, with every field in them a function of the day, but for the log's random ID.
"""

import asyncio
import gzip
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from pipeline.identity.policy import Policy
from pipeline.log.local import LocalLog
from pipeline.log.local_store import LOG_FILE
from pipeline.log.local_writer import LocalWriter
from pipeline.log.port import ALIASES, HITS, STITCHED
from pipeline.stitch.local import LocalStitch
from tests.golden.day import BROKEN, publish
from tests.stitch.memory_log import MemoryLog
from tests.stitch.worker_parts import EPOCH, Parts

SPOOL, LOG, CACHE = "spool.sqlite3", LOG_FILE, "stitch-state.sqlite"
SINK_READ = 1  # records of `stitched`, of more
STORED_MS = 1_760_000_400_000  # when the log took every record
_FOLDER = "disk"


async def left_behind(folder: Path) -> dict[str, Path]:
    """Make every file under the folder; where each is."""
    await spooled(folder / "spool")
    await stitched_beside(folder / "log" / LOG)
    await cached(folder / "stitch")
    return {SPOOL: folder / "spool" / SPOOL, LOG: folder / "log" / LOG, CACHE: folder / "stitch" / CACHE}


async def spooled(folder: Path) -> None:
    """What waits on the disk of an ingest whose log is away."""
    log = MemoryLog(partitions=1)
    log.away = {HITS, ALIASES}
    await publish(log, folder)


async def stitched_beside(path: Path) -> None:
    """The log of `up`: all hits are stitched, and the sink has read a part of what came of them."""
    log = LocalLog(path)
    await publish(log, path.parent / "spool")
    await log.append([BROKEN])
    await log.write(_stored_then)
    stop = asyncio.Event()
    stop.set()
    await LocalStitch(log, Policy(), EPOCH).run(stop)
    sink = await log.reader(STITCHED, "sink")
    await sink.commit({0: SINK_READ})
    await sink.close()
    await log.write(_stored_then)
    await log.close()


def _stored_then(writer: LocalWriter) -> None:
    writer.execute("UPDATE records SET timestamp_ms = ?", (STORED_MS,))


async def cached(folder: Path) -> None:
    """A stitch worker's own copy of the states of its partition."""
    log = MemoryLog(partitions=1)
    await publish(log, folder / "spool")
    parts = Parts(log, folder)
    await parts.stitch_all()
    parts.cache.close()


def contents(path: Path) -> dict[str, Any]:
    """All that a file says: its format, the SQL of its tables, their rows; the log's random ID is left out."""
    with closing(sqlite3.connect(path)) as db:
        names = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
        tables = {name: sorted(db.execute(f"SELECT * FROM {name}").fetchall()) for name in names if name != "log"}
        return {
            "user_version": db.execute("PRAGMA user_version").fetchone()[0],
            "sql": [sql for (sql,) in db.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name")],
            "rows": tables,
        }


def unpacked(version: Path, name: str, into: Path) -> Path:
    """A version's golden file as it stood on a disk."""
    into.mkdir(parents=True, exist_ok=True)
    (into / name).write_bytes(gzip.decompress((version / _FOLDER / f"{name}.gz").read_bytes()))
    return into / name


def keep_disk(version: Path, left: dict[str, Path]) -> None:
    """Write the golden files of a version. Raises FileExistsError where there are any."""
    (version / _FOLDER).mkdir()
    for name, path in left.items():
        (version / _FOLDER / f"{name}.gz").write_bytes(gzip.compress(path.read_bytes(), mtime=0))
