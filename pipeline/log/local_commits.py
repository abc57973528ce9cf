"""The thread that writes the local log: many callers, one transaction, one sync; it must not know what is written."""

import asyncio
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pipeline.log.local_store import is_machine_error
from pipeline.log.local_writer import LocalWriter, Place
from pipeline.log.port import LogUnavailable

_log = logging.getLogger(__name__)
T = TypeVar("T")
# Bounds of one transaction, so that nobody waits long for it and the WAL stays small.
_JOBS_MAX = 1_000
_BYTES_MAX = 32 * 1024 * 1024


@dataclass(slots=True)
class _Job:
    work: Callable[[Any], Any]
    future: "asyncio.Future[Any]"
    kind: str  # append: undoes itself; write: needs a savepoint; alone: on the bare connection, between transactions


_Outcome = tuple[_Job, Any, BaseException | None]


class Commits:
    """Group commit. One turn of the thread:

    1. Take the jobs that wait.  A crash: nobody was told anything; callers repeat.
    2. Run them in one transaction.  A crash: SQLite undoes it; callers repeat.
    3. Commit, which syncs.  A crash: the records are there, callers were not told and repeat; duplicates are harmless.
    4. Tell the event loop once: the new ends, then every caller.
    """

    def __init__(
        self, connection: sqlite3.Connection, writer: LocalWriter, told: Callable[[Mapping[Place, int]], None]
    ) -> None:
        self._connection = connection
        self._writer = writer
        self._told = told
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._held: _Job | None = None
        self._loaded = True
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="local-log-writer", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[LocalWriter], T], kind: str = "write") -> "asyncio.Future[T]":
        """Have `work` run in a transaction; the future is done once it is synced. One event loop only."""
        if self._closed:
            raise LogUnavailable("the log is closed")
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._jobs.put(_Job(work, future, kind))
        return future

    def alone(self, work: Callable[[sqlite3.Connection], T]) -> "asyncio.Future[T]":
        """Have `work` run on the bare connection, outside of any transaction."""
        return self.submit(work, "alone")  # type: ignore[arg-type]

    def close(self) -> None:
        """Finish what was submitted and end the thread. Blocks."""
        if not self._closed:
            self._closed = True
            self._jobs.put(None)
        self._thread.join()

    # --- on the thread ---------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while (job := self._take()) is not None:
            if job.kind == "alone":
                self._tell({}, [self._run_alone(job)])
            else:
                self._run_group(job)
        self._connection.close()

    def _take(self) -> _Job | None:
        job, self._held = self._held, None
        return job if job is not None else self._jobs.get()

    def _take_more(self) -> _Job | None:
        """Another job for the same transaction; None if none waits or the next wants to be alone."""
        try:
            job = self._jobs.get_nowait()
        except queue.Empty:
            return None
        if job is None or job.kind == "alone":
            self._hold(job)
            return None
        return job

    def _hold(self, job: _Job | None) -> None:
        if job is None:
            self._jobs.put(None)  # the end stays the end: nothing is submitted after it
        else:
            self._held = job

    def _run_group(self, first: _Job) -> None:
        group: list[_Job] = []
        outcomes: list[_Outcome] = []
        ends: Mapping[Place, int] = {}
        try:
            ends = self._ready()
            self._writer.begin()
            job: _Job | None = first
            while job is not None:
                group.append(job)
                outcomes.append(self._run_job(job))
                full = len(group) >= _JOBS_MAX or self._writer.bytes >= _BYTES_MAX
                job = None if full else self._take_more()
            ends = {**ends, **self._writer.finish()}
        except Exception as error:  # whatever it was, the callers are told and the thread goes on
            outcomes = [(job, None, _as_unavailable(error)) for job in group or [first]]
            self._abandon()
        self._tell(ends, outcomes)

    def _ready(self) -> Mapping[Place, int]:
        ends = {} if self._loaded else self._writer.load()
        self._loaded = True
        return ends

    def _run_job(self, job: _Job) -> _Outcome:
        try:
            result = job.work(self._writer) if job.kind == "append" else self._writer.attempt(job.work)
        except Exception as error:
            if is_machine_error(error) or not self._connection.in_transaction:
                raise
            return job, None, error
        return job, result, None

    def _run_alone(self, job: _Job) -> _Outcome:
        try:
            return job, job.work(self._connection), None
        except Exception as error:
            return job, None, _as_unavailable(error)

    def _abandon(self) -> None:
        self._loaded = False
        try:
            self._writer.abandon()
        except sqlite3.Error:  # the next transaction cannot begin either, and its callers are told
            _log.exception("a transaction of the log could not be rolled back")

    def _tell(self, ends: Mapping[Place, int], outcomes: list[_Outcome]) -> None:
        loop = outcomes[0][0].future.get_loop()
        try:
            loop.call_soon_threadsafe(self._settle, ends, outcomes)
        except RuntimeError:
            _log.warning("%d callers of the log left with their event loop before the answer", len(outcomes))

    def _settle(self, ends: Mapping[Place, int], outcomes: list[_Outcome]) -> None:
        self._told(ends)
        for job, result, error in outcomes:
            if job.future.done():  # its caller gave up waiting
                continue
            if error is None:
                job.future.set_result(result)
            else:
                job.future.set_exception(error)


def _as_unavailable(error: BaseException) -> BaseException:
    if not is_machine_error(error):
        return error
    unavailable = LogUnavailable(f"the log file could not be written: {error}")
    unavailable.__cause__ = error
    return unavailable
