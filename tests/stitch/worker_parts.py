"""A stitch worker without Faust and without Kafka: the parts put together as the worker does, on a log in memory."""

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path

from pipeline.identity.policy import Policy
from pipeline.limits import KIB
from pipeline.log.partition import partition_of
from pipeline.log.port import HITS, STITCHED, Append, Record
from pipeline.privacy.erasures import Forgotten
from pipeline.stitch.partition import Partition
from pipeline.stitch.worker_cache import StateCache
from pipeline.stitch.worker_checkpoint import Checkpoints
from pipeline.stitch.worker_figures import Figures
from pipeline.stitch.worker_lane import Lane
from pipeline.stitch.worker_recovery import Recovery
from pipeline.stitch.worker_tenure import Pace, Tenure
from tests.simulation.chain import Table, links_in, rows_in
from tests.stitch.memory_log import MemoryLog
from tests.support.deadline import until
from tests.support.generator import Sent
from tests.support.oracle import Answer, RowKey, oracle

EPOCH = 1
GROUP = "stitch"
POLICY = Policy()
QUICK = Pace(quiet_ms=1, busy_ms=1, slice_bytes=4 * KIB)


def appends_of(hits: Iterable[Sent], per_record: int, partitions: int) -> list[Append]:
    """The hits as an ingest would batch them, partitions interleaved."""
    by_partition: dict[int, list[bytes]] = {}
    for sent in hits:
        by_partition.setdefault(partition_of(sent.workspace, sent.device, partitions), []).append(sent.line())
    batches = [
        (at, number, lines[at : at + per_record])
        for number, lines in by_partition.items()
        for at in range(0, len(lines), per_record)
    ]
    return [hits_record(number, lines) for _, number, lines in sorted(batches, key=lambda batch: batch[:2])]


def hits_record(partition: int, lines: Sequence[bytes]) -> Append:
    """One record of `hits`."""
    return Append(HITS, partition, b"\n".join(lines), {"schema": "hit/1", "count": str(len(lines))})


def answers_in(stitched: Iterable[Record]) -> dict[RowKey, Answer]:
    """What a table shows in the end of these records, each flushed by itself: persons and attributions by row."""
    table = Table()
    for record in stitched:
        table.insert(rows_in([record]))
        table.insert(list(table.covered(links_in([record]))))
    return {
        (*device, event_id): (row.person_id, row.attribution)
        for device, rows in table.devices.items()
        for event_id, row in rows.items()
    }


def true_answers(hits: Iterable[Sent], policy: Policy = POLICY) -> dict[RowKey, Answer]:
    """What the oracle says."""
    return oracle((sent.head() for sent in hits), policy)


class Parts:
    """One worker's parts. `begin` recovers like an assignment does; `deliver` hands over what the log has."""

    forgotten = Forgotten()
    epoch = EPOCH

    def __init__(self, log: MemoryLog, folder: Path, pace: Pace = QUICK, policy: Policy = POLICY) -> None:
        self.log = log
        self.cache = StateCache(folder)
        self.figures = Figures()
        self.checkpoints = Checkpoints(log, self.cache, log.commit, self.figures)
        self._pace = pace
        self._policy = policy

    @property
    def recovery(self) -> Recovery:
        """What an assignment begins with."""
        return Recovery(self.log, self.cache, GROUP, self.epoch, self._policy, self.figures, self.forgotten)

    async def begin(self, *partitions: int) -> Tenure:
        """A tenure of these partitions, not running."""
        lanes = [
            Lane(self._partition(number, position), self.epoch)
            for number, position in (await self.recovery.recover(partitions)).items()
        ]
        return Tenure(lanes, self.log, self.checkpoints.store, self.figures, self._pace)

    def _partition(self, number: int, position: int) -> Partition:
        states = self.cache.states(self._policy, 1_000)
        return Partition(number, self._policy, self.epoch, states, position, forgotten=self.forgotten)

    async def deliver(self, tenure: Tenure) -> None:
        """Everything in the log past the tenure's positions."""
        for number, position in tenure.positions.items():
            for record in self.log.records[HITS, number][position:]:
                await tenure.take(record)

    async def stitch_all(self) -> None:
        """Recover every partition, fold all there is, store it and stop."""
        tenure = await self.begin(*range(await self.log.partitions(HITS)))
        running = asyncio.ensure_future(tenure.run())
        await self.deliver(tenure)
        await until(lambda: running.done() or self.caught_up(), 20, "everything is stored")
        running.cancel()
        await asyncio.wait([running])
        if not running.cancelled():
            running.result()
        assert await tenure.end(5, final=True)

    def caught_up(self) -> bool:
        """Whether every hit's position is stored."""
        return self.log.positions == {
            p: len(records) for (topic, p), records in self.log.records.items() if topic == HITS and records
        }

    def stitched(self) -> list[Record]:
        """Every record of `stitched`, by partition and in order."""
        return [r for key in sorted(self.log.records) if key[0] == STITCHED for r in self.log.records[key]]
