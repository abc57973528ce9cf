"""Hits through the real stitcher and the real sink into a warehouse, in one process; it must not know what is right."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from pipeline.identity.device import Device, decode, encode
from pipeline.identity.policy import Policy
from pipeline.identity.stitcher import Key
from pipeline.log.port import HITS, Record
from pipeline.model import HIT_SCHEMA, Hit
from pipeline.sink.sink import Sink
from pipeline.stitch.partition import Partition
from pipeline.times import ms_of
from pipeline.warehouse.port import Store
from tests.support.fake_log import FakeLog

_HEADERS = {"schema": HIT_SCHEMA, "count": ""}


async def stitch_into(warehouse: Store, hits: Sequence[Hit], policy: Policy, size: int = 20) -> None:
    """One partition; records of up to `size` hits, a checkpoint every 20 records, and one flush."""
    log, states = FakeLog(1), _States(policy)
    partition = Partition(0, policy, 1, states, 0)  # type: ignore[arg-type]
    records = list(_records(hits, size))
    for start in range(0, len(records), 20):
        partition.feed(records[start : start + 20])
        checkpoint = partition.checkpoint()
        assert checkpoint is not None
        await log.append(checkpoint.outputs)
        partition.committed(checkpoint)
    sink = Sink(log, warehouse)
    while await sink.flush_once():
        pass


def _records(hits: Sequence[Hit], size: int) -> Iterable[Record]:
    batch: list[Hit] = []
    offset = 0
    for hit in hits:
        if len(batch) == size or any(hit.event_id == other.event_id for other in batch):
            yield _record(batch, offset)
            batch, offset = [], offset + 1
        batch.append(hit)
    if batch:
        yield _record(batch, offset)


def _record(batch: Sequence[Hit], offset: int) -> Record:
    lines = b"\n".join(msgspec.json.encode(hit) for hit in batch)
    return Record(HITS, 0, offset, lines, _HEADERS, max(ms_of(hit.received_at) for hit in batch))


class _States:
    """Nothing but what was written survives a checkpoint."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._known: dict[Key, bytes] = {}

    def load(self, keys: Iterable[Key]) -> dict[Key, Device]:
        return {key: decode(self._known[key], self._policy) for key in keys if key in self._known}

    def keep(self, devices: Mapping[Key, Device]) -> None:
        self._known.update((key, encode(device)) for key, device in devices.items())

    def forget(self) -> None:
        return
