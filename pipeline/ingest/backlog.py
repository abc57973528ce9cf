"""The spool seen from the event loop: put records behind those that wait, and drain them, in order, into the log."""

import asyncio
import logging
import sqlite3
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from pipeline.ingest.counts import Counts
from pipeline.ingest.spool import Spool
from pipeline.limits import MIB
from pipeline.log.port import Append

T = TypeVar("T")
Write = Callable[[Sequence[Append]], Awaitable[bool]]

DRAIN_BYTES = 4 * MIB  # a step of the drain: far more than arrives meanwhile, so it ends
PAUSE_S_MIN = 0.1
PAUSE_S_MAX = 5.0
REFUSING_S = 10.0
FULL = "spool_full"
FAILED = "spool_failed"

_log = logging.getLogger(__name__)


class Backlog:
    """While it is not `empty`, everything new goes behind it: so order holds."""

    def __init__(self, folder: Path, bytes_max: int, write: Write, counts: Counts) -> None:
        self._folder, self._bytes_max, self._write, self._counts = folder, bytes_max, write, counts
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="spool")
        self._spool: Spool | None = None
        self._refused: tuple[float, str] = (float("-inf"), "")  # when nothing more could be taken, and why
        self._waiting = 0  # put and not yet on disk
        self._something = asyncio.Event()
        self._drain: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Take the spool and start draining what an earlier process left. Raises SpoolLocked."""
        self._spool = await self._in_thread(lambda: Spool(self._folder, self._bytes_max))
        if self._spool.count:
            self._something.set()
        self._drain = asyncio.create_task(self._drain_for_ever(), name="spool drain")

    async def close(self) -> None:
        """Stop draining; what is left is for the next process."""
        if self._drain is not None:
            self._drain.cancel()
            await asyncio.wait({self._drain})
        if self._spool is not None:
            await self._in_thread(self._spool.close)
        self._thread.shutdown()

    @property
    def empty(self) -> bool:
        """Whether nothing waits, so that new records may go straight to the log."""
        return self.records == 0 and self._waiting == 0

    @property
    def records(self) -> int:
        """How many records wait on disk."""
        return self._spool.count if self._spool else 0

    @property
    def bytes(self) -> int:
        """How much of the bound they take."""
        return self._spool.bytes if self._spool else 0

    @property
    def oldest_ms(self) -> int:
        """When the oldest of them arrived (epoch); 0 while none waits."""
        return self._spool.oldest_ms if self._spool else 0

    @property
    def damaged(self) -> int:
        """How many records could not be read back."""
        return self._spool.damaged if self._spool else 0

    @property
    def refusing(self) -> str:
        """Why nothing more could be taken just now, or "". It fades: only traffic can find out that all is well."""
        at, why = self._refused
        return why if time.monotonic() - at < REFUSING_S else ""

    def _refuse(self, why: str) -> str:
        self._refused = (time.monotonic(), why)
        return why

    async def put(self, records: Sequence[Append]) -> str:
        """ "" once the records are on disk, fsynced; FULL or FAILED if none of them is."""
        spool = self._spool
        assert spool is not None, "open() comes first"
        self._waiting += len(records)
        try:
            stored = await self._in_thread(lambda: spool.put(records))
        except sqlite3.Error as error:
            self._counts.events["spool_errors"] += 1
            _log.error("spool: %s while writing", error.sqlite_errorname)
            return self._refuse(FAILED)
        finally:
            self._waiting -= len(records)
        if not stored:
            return self._refuse(FULL)
        self._refused = (float("-inf"), "")
        self._counts.events["spooled_records"] += len(records)
        self._something.set()
        return ""

    async def _drain_for_ever(self) -> None:
        pause_s = PAUSE_S_MIN
        while True:
            await self._something.wait()
            if await self._drain_step():
                pause_s = PAUSE_S_MIN
            else:
                await asyncio.sleep(pause_s)
                pause_s = min(PAUSE_S_MAX, pause_s * 2)

    async def _drain_step(self) -> bool:
        """One part of the queue. A crash after step 2 repeats it, and loses nothing.

        1. read the oldest records
        2. the log has them
        3. drop them
        """
        spool = self._spool
        assert spool is not None, "open() comes first"
        try:
            chunk = await self._in_thread(lambda: spool.oldest(DRAIN_BYTES))
            if chunk.records and not await self._write(chunk.records):
                return False
            await self._in_thread(lambda: spool.drop(chunk))
        except sqlite3.Error as error:
            return await self._mend(spool, error)
        self._refused = (float("-inf"), "")
        self._counts.events["drained_records"] += len(chunk.records)
        if self.empty:
            self._something.clear()
        return True

    async def _mend(self, spool: Spool, error: sqlite3.Error) -> bool:
        """A damaged file is rebuilt from what can be read; anything else is waited out."""
        self._counts.events["spool_errors"] += 1
        _log.error("spool: %s while draining", error.sqlite_errorname)
        if error.sqlite_errorname in ("SQLITE_CORRUPT", "SQLITE_NOTADB"):
            await self._in_thread(spool.rebuild)
            return True
        return False

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
