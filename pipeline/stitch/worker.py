"""The stitch worker: one process of the group that turns `hits` into `stitched`; it must not know the environment."""

import asyncio
import logging
import os
import signal
import threading
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct, structs

from pipeline.identity.policy import Policy
from pipeline.limits import SECOND_MS
from pipeline.log.file_format import NewerFormat
from pipeline.log.kafka import KafkaLog
from pipeline.log.kafka_security import NONE, Security
from pipeline.log.port import HITS, STITCH_STATE, STITCHED, TOPICS, LogUnavailable, Record
from pipeline.model import Mark
from pipeline.privacy.erasures import Forgotten, forgotten
from pipeline.privacy.keys import NoKey
from pipeline.stitch.figures import current
from pipeline.stitch.partition import Partition
from pipeline.stitch.traced import traced
from pipeline.stitch.worker_cache import CacheBusy, StateCache
from pipeline.stitch.worker_checkpoint import Checkpoints
from pipeline.stitch.worker_faust import Group, stitch_app
from pipeline.stitch.worker_figures import Figures, patiently
from pipeline.stitch.worker_lane import Lane
from pipeline.stitch.worker_recovery import Recovery, Refused, made_anew
from pipeline.stitch.worker_stitching import Stitching
from pipeline.stitch.worker_tenure import Pace, Tenure
from pipeline.telemetry.health import Health, Progress
from pipeline.telemetry.lag import Lag
from pipeline.telemetry.metrics import STITCH, text

if TYPE_CHECKING:
    from pipeline.telemetry.traces import Traces

GROUP = "seamline-stitch"
STOPPED, CRASHED, REFUSED = 0, 1, 2  # exit codes
_LOOK_S = 5.0  # how often progress is looked at
_LEAVE_SHARE = 0.6  # of the time to stop: for the last checkpoint; the rest is for leaving the group

_log = logging.getLogger(__name__)


class WorkerSettings(Struct, frozen=True):
    """`web_port` None: no health pages; 0: any free port. `group_instance_id`: a name that survives restarts."""

    bootstrap: str
    epoch: int
    policy: Policy
    data_dir: Path
    group: str = GROUP
    group_instance_id: str | None = None
    web_host: str = "127.0.0.1"
    web_port: int | None = None
    session_timeout_ms: int = 10_000
    stop_ms_max: int = 10_000
    stalled_ms: int = 300_000
    devices_max: int = 200_000  # states in memory, shared by the partitions of this worker
    pace: Pace = Pace()
    erasure_key: Path = Path()  # the file; needed once somebody was forgotten
    security: Security = NONE
    prefix: str = ""  # before the name of every topic and group
    followers: str | None = None  # the prefix of topics that were to take over from these


class Report(Struct, frozen=True):
    """What the health pages show."""

    partitions: list[int]
    lag: int | None
    figures: Figures


def run_worker(settings: WorkerSettings, traces: "Traces | None" = None) -> int:
    """Work until SIGTERM or SIGINT, or until something only a restart can mend; the exit code.

    However it ends, it ends within `stop_ms_max`: the client libraries may wait for a broker much longer.
    """
    with suppress(ImportError):
        from uvloop import EventLoopPolicy

        asyncio.set_event_loop_policy(EventLoopPolicy())  # Faust reads Kafka on a loop of its own, in a thread
    with asyncio.Runner() as runner:
        code, deadline = runner.run(_serve(settings, traces))
    deadline.cancel()
    return code


async def _serve(settings: WorkerSettings, traces: "Traces | None") -> tuple[int, threading.Timer]:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    code = STOPPED
    try:
        cache = StateCache(settings.data_dir / f"{settings.prefix}stitch")  # its marks are offsets of those topics
    except (CacheBusy, NewerFormat) as error:
        _log.error("refusing to work: %s", error)
        return REFUSED, threading.Timer(0, lambda: None)
    log = KafkaLog(settings.bootstrap, security=settings.security, prefix=settings.prefix)
    worker = StitchWorker(settings, log, cache, traces)
    work = asyncio.ensure_future(worker.work())
    await asyncio.wait([work, asyncio.ensure_future(stop.wait())], return_when=asyncio.FIRST_COMPLETED)
    code = _verdict(work)
    deadline = threading.Timer(settings.stop_ms_max / SECOND_MS, os._exit, (code,))
    deadline.daemon = True
    deadline.start()
    await worker.leave()
    await log.close()
    cache.close()
    return code, deadline


def _verdict(work: "asyncio.Future[None]") -> int:
    if not work.done():
        work.cancel()
        return STOPPED
    error = work.exception()
    if isinstance(error, Refused):
        _log.error("refusing to work: %s", error)
        return REFUSED
    _log.critical("the worker ends, and should be started again", exc_info=error)
    return CRASHED


class StitchWorker:
    """Puts the parts together and watches over them."""

    def __init__(
        self, settings: WorkerSettings, log: KafkaLog, cache: StateCache, traces: "Traces | None" = None
    ) -> None:
        self._settings = settings
        self._log = log
        self._cache = cache
        self._figures = Figures()
        self._failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._epoch = settings.epoch
        self._forgotten = Forgotten()
        self._stitching = Stitching(self._begin, self._fail, settings.session_timeout_ms / SECOND_MS / 2, self._heed)
        self._app = stitch_app(_group(settings), self._stitching)
        store = Checkpoints(log, cache, self._app.commit_positions, self._figures).store
        self._store = traced(traces, store) if traces else store
        self._progress = Progress(settings.stalled_ms, asyncio.get_running_loop().time())
        self._lag = Lag()
        self._health = Health(self._alive, lambda: self._stitching.ready, self._report, self._metrics)

    async def work(self) -> None:
        """Until cancelled. Raises Refused, or whatever makes a restart necessary."""
        if self._settings.web_port is not None:
            port = await self._health.start(self._settings.web_host, self._settings.web_port)
            _log.info("health on http://%s:%d/health/ready", self._settings.web_host, port)
        await patiently("topics", self._check_topics, self._figures)
        tasks = [asyncio.ensure_future(self._run_app()), asyncio.ensure_future(self._watch())]
        try:
            ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                task.result()
        finally:
            for task in tasks:
                task.cancel()

    async def leave(self) -> None:
        """A last checkpoint, then out of the group."""
        within_s = self._settings.stop_ms_max / SECOND_MS * _LEAVE_SHARE
        if not await self._stitching.close(within_s):
            _log.warning("stopped without a last checkpoint: what it held is read again")
        if self._app.started:
            await self._app.stop()
        await self._health.close()

    async def _begin(self, partitions: Collection[int]) -> Tenure:
        settings = self._settings
        self._forgotten = await self._remember()
        known = (self._epoch, settings.policy, self._figures, self._forgotten)
        positions = await Recovery(self._log, self._cache, settings.group, *known).recover(partitions)
        devices_max = settings.devices_max // max(1, len(partitions))
        lanes = []
        for number, position in positions.items():
            states = self._cache.states(settings.policy, devices_max)
            partition = Partition(number, settings.policy, self._epoch, states, position, forgotten=self._forgotten)
            lanes.append(Lane(partition, self._epoch))
        self._figures.assignments += 1
        return Tenure(lanes, self._log, self._store, self._figures, settings.pace)

    async def _heed(self, record: Record) -> bool:
        """Whether the mark tells of an epoch or of somebody to forget that this worker has not heard of."""
        try:
            marks = msgspec.json.Decoder(Mark).decode_lines(record.value)
        except msgspec.MsgspecError:
            return False
        before, epoch = self._epoch, max((mark.epoch for mark in marks), default=0)
        self._epoch = max(before, epoch)
        return before < epoch or any(mark.erasures > self._forgotten.records for mark in marks)

    async def _remember(self) -> Forgotten:
        try:
            return await patiently("erasures", lambda: forgotten(self._log, self._settings.erasure_key), self._figures)
        except NoKey as error:
            raise Refused(f"somebody was forgotten here, and that needs the key: {error}") from error

    def _fail(self, error: BaseException) -> None:
        if not self._failure.done():
            self._failure.set_exception(error)

    async def _run_app(self) -> None:
        """Raises when Faust, or what it runs, has ended."""
        starting = asyncio.ensure_future(self._app.start())
        ended = asyncio.ensure_future(self._app.wait_until_stopped())
        await asyncio.wait([self._failure, ended], return_when=asyncio.FIRST_COMPLETED)
        starting.cancel()
        if self._failure.done():
            await self._failure
        raise self._app.crash_reason or RuntimeError("Faust stopped by itself")

    async def _check_topics(self) -> None:
        if self._settings.followers is not None:
            await self._check_followers(self._settings.followers)
        if missing := [topic for topic in TOPICS if not await self._log.exists(topic)]:
            raise Refused(f"Kafka has no topic {', '.join(missing)}: run `seamline migrate` once.")
        counts = {topic: await self._log.partitions(topic) for topic in TOPICS}
        fewest = min(counts.values())
        if fewest < counts[HITS] or counts[STITCHED] != counts[HITS] or counts[STITCH_STATE] != counts[HITS]:
            raise Refused(
                f"partitions: {counts}; {STITCHED} and {STITCH_STATE} need those of {HITS}, no fewer elsewhere"
            )

    async def _check_followers(self, prefix: str) -> None:
        """Rows of the others outrank what would be stitched here, and no late login would reach them any more."""
        others = KafkaLog(self._settings.bootstrap, security=self._settings.security, prefix=prefix)
        try:
            if await others.committed(HITS, self._settings.group):
                raise Refused(f"hits of the topics {prefix}… are stitched: set SEAMLINE_TOPIC_PREFIX={prefix}")
        finally:
            await others.close()

    async def _watch(self) -> None:
        """Raises Refused when hits end before where they once ended: other records take the offsets that were read."""
        seen: dict[int, int] = {}
        while True:
            seen |= self._stitching.folded or {}
            ends = await self._ends()
            self._progress.look(self._stitching.folded, ends, asyncio.get_running_loop().time())
            self._lag.look(self._stitching.folded, ends, asyncio.get_running_loop().time())
            for number, end in (ends or {}).items():
                if end < seen.get(number, 0):
                    raise Refused(made_anew(number, end, seen[number], self._epoch))
            seen |= ends or {}
            await asyncio.sleep(_LOOK_S)

    async def _ends(self) -> dict[int, int] | None:
        """Where hits end; None when the log does not answer."""
        try:
            return {number: end for number, (_, end) in (await self._log.span(HITS)).items()}
        except LogUnavailable:
            return None

    def _alive(self) -> bool:
        return self._progress.alive(asyncio.get_running_loop().time())

    def _report(self) -> Report:
        return Report(sorted(self._stitching.positions), self._progress.lag, self._figures)

    def _metrics(self) -> bytes:
        partitions, lag = len(self._stitching.positions), self._progress.lag
        now = current(self._figures, self._lag, lag, self._stitching.hits, self._stitching.oldest_ms.values())
        return text(STITCH, {**structs.asdict(self._figures), **now, "partitions": partitions})


def _group(settings: WorkerSettings) -> Group:
    return Group(
        bootstrap=settings.bootstrap,
        name=settings.prefix + settings.group,
        instance_id=settings.group_instance_id,
        session_timeout_ms=settings.session_timeout_ms,
        commit_timeout_ms=settings.session_timeout_ms,
        folder=settings.data_dir / "faust",
        security=settings.security,
        topic=settings.prefix + HITS,
    )
