"""A left-over spool into the log, without taking a hit; it must not know where the log is or who asked."""

import asyncio
from collections.abc import Sequence

from msgspec import Struct

from pipeline.ingest.backlog import Backlog
from pipeline.ingest.counts import Counts
from pipeline.ingest.publisher import Publisher
from pipeline.ingest.spool import spool_file
from pipeline.limits import SECOND_MS
from pipeline.log.port import Append, Log
from pipeline.settings import IngestSettings

_LOOK_S = 0.1


class NoSpool(Exception):
    """There is none in that folder."""


class Drained(Struct, frozen=True):
    """Records that the log has now, that still wait, and that could not be read and stay in the file."""

    records: int
    waiting: int
    damaged: int


async def drain(log: Log, settings: IngestSettings, patience_ms: int) -> Drained:
    """Everything, in order, each line to where it belongs now; and what is left when the log took nothing so long.

    A crash repeats a part and loses nothing. Raises NoSpool, and SpoolLocked while an ingest has it.
    """
    if not await asyncio.to_thread(spool_file(settings.spool).exists):
        raise NoSpool(f"{settings.spool}: no spool is there")

    async def write(records: Sequence[Append]) -> bool:
        return await publisher.write(records)

    counts = Counts()
    backlog = Backlog(settings.spool, settings.spool_bytes_max, write, counts)
    publisher = Publisher(log, backlog, counts, (settings.linger_ms_min, settings.linger_ms_max))
    await backlog.open()
    try:
        await _empty(backlog, counts, patience_ms / SECOND_MS)
        return Drained(counts.events["drained_records"], backlog.records, backlog.damaged)
    finally:
        await backlog.close()


async def _empty(backlog: Backlog, counts: Counts, patience_s: float) -> None:
    """Wait until nothing waits, or for too long."""
    loop = asyncio.get_running_loop()
    done, since_s = 0, loop.time()
    while not backlog.empty and loop.time() - since_s < patience_s:
        await asyncio.sleep(_LOOK_S)
        if counts.events["drained_records"] != done:
            done, since_s = counts.events["drained_records"], loop.time()
