"""Log, stitcher, changelog and sink as coroutines that stop after every durable step; it must not know the rules.

The stitcher is the real `Partition` on the real wire format; the log, the state store, the sink and the table are the
smallest things that keep the promises asked of Kafka and ClickHouse. Whoever drives the coroutines decides who goes on,
who is killed and who is left behind: a coroutine that is dropped has crashed between two steps.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from random import Random
from typing import TypeVar

import msgspec

from pipeline.identity.device import Device, decode, encode
from pipeline.identity.policy import Policy
from pipeline.identity.stitcher import Key
from pipeline.log.port import STITCHED, Append, Record
from pipeline.model import ACTION_SCHEMA, LINK_SCHEMA, Action, Link
from pipeline.stitch.partition import Partition
from pipeline.times import ms_of
from tests.simulation.table import Placement, Row, Table

IDLE, BUSY = "idle", "busy"
STITCH, SINK = "stitch", "sink"
Worker = Iterator[str]
T = TypeVar("T")

_action = msgspec.json.Decoder(Action)
_link = msgspec.json.Decoder(Link)


class Hub:
    """What is durable, by partition."""

    def __init__(self, partitions: int) -> None:
        self.epoch = 0
        self.hits: list[list[Record]] = [[] for _ in range(partitions)]
        self.committed = [0] * partitions
        self.changelog: list[list[tuple[Key, bytes]]] = [[] for _ in range(partitions)]
        self.stitched: list[list[Record]] = [[] for _ in range(partitions)]
        self.sunk = [0] * partitions
        self.owners: dict[tuple[str, int], int] = defaultdict(int)
        self.table = Table()

    def begin(self, hits: list[list[Record]]) -> None:
        """The topic `hits` is new: an epoch begins, and offsets start again."""
        self.epoch += 1
        self.hits = hits
        self.committed = [0] * len(hits)

    def owner(self, role: str, partition: int) -> int:
        """Take over a partition; commits of whoever had it before are refused from now on. Returns the proof."""
        self.owners[role, partition] += 1
        return self.owners[role, partition]

    def append(self, partition: int, append: Append) -> None:
        """The log takes a record of `stitched`."""
        offset = len(self.stitched[partition])
        self.stitched[partition].append(Record(STITCHED, partition, offset, append.value, append.headers, 0))


class States:
    """The states of one partition as recovery finds them: every entry of the changelog, joined."""

    def __init__(self, entries: Iterable[tuple[Key, bytes]], policy: Policy) -> None:
        self._policy = policy
        self._known: dict[Key, bytes] = {}
        for key, data in entries:
            self._known[key] = self._joined(key, data) if key in self._known else data

    def _joined(self, key: Key, data: bytes) -> bytes:
        device = decode(self._known[key], self._policy)
        device.join(decode(data, self._policy))
        return encode(device)

    def load(self, keys: Iterable[Key]) -> dict[Key, Device]:
        """Fresh objects each time: nothing survives in memory but what was written."""
        return {key: decode(self._known[key], self._policy) for key in keys if key in self._known}

    def keep(self, devices: Mapping[Key, Device]) -> None:
        """The checkpoint is durable."""
        self._known.update((key, encode(device)) for key, device in devices.items())

    def forget(self) -> None:
        """Nothing is held back in memory."""


def stitcher(hub: Hub, number: int, policy: Policy, rng: Random, mine: int) -> Worker:
    """One owner of a partition, from recovery on. Each step but the first is durable once made:

    1. read some records (memory only); 2. append outputs; 3. append states; 4. commit, refused once another owner came.
    It may go on reading while 2 to 4 are under way.
    """
    states = States(hub.changelog[number], policy)
    partition = Partition(number, policy, hub.epoch, states, hub.committed[number])  # type: ignore[arg-type]
    most = rng.choice((1, 2, 5, 100))
    while True:
        yield BUSY if _read(hub, partition, rng, most) else IDLE
        if rng.random() < 0.5 and partition.position < len(hub.hits[number]):
            continue
        checkpoint = partition.checkpoint()
        if checkpoint is None:
            continue
        entries = [(key, encode(device)) for key, device in sorted(checkpoint.dirty.items(), key=itemgetter(0))]
        for append in _smaller(rng, checkpoint.outputs):
            hub.append(number, append)
            yield BUSY
            _read(hub, partition, rng, rng.choice((0, 0, most)))
        for share in _split(rng, entries):
            hub.changelog[number] += share
            yield BUSY
        if hub.owners[STITCH, number] != mine:
            return
        hub.committed[number] = checkpoint.position
        partition.committed(checkpoint)
        yield BUSY


def _read(hub: Hub, partition: Partition, rng: Random, most: int) -> bool:
    """Up to `most` records into memory; False when there was none."""
    start = partition.position
    partition.feed(hub.hits[partition.number][start : start + rng.randint(min(most, 1), most)])
    return partition.position > start


def sink(hub: Hub, number: int, policy: Policy, rng: Random, mine: int) -> Worker:
    """One reader of `stitched`. A crash after any step repeats the flush, with other borders.

    1. insert its rows; 2. read what its links cover; 3. insert that; 4. commit, refused once another reader came.
    """
    position = hub.sunk[number]
    most = rng.choice((1, 3, 100))
    while True:
        batch = hub.stitched[number][position : position + rng.randint(1, most)]
        if not batch:
            yield IDLE
            continue
        hub.table.insert(rows_in(batch))
        yield BUSY
        given = list(hub.table.covered(links_in(batch)))
        yield BUSY
        hub.table.insert(given)
        yield BUSY
        if hub.owners[SINK, number] != mine:
            return
        position += len(batch)
        hub.sunk[number] = position
        yield BUSY


def rows_in(batch: Sequence[Record]) -> list[Placement]:
    """The actions of a flush, in log order."""
    actions = (_action.decode(line) for line in _lines(batch, ACTION_SCHEMA))
    return [
        (
            (action.workspace, action.device),
            action.event_id,
            Row(action.version, ms_of(action.ts), action.user_id, action.person_id, action.attribution, action.late),
        )
        for action in actions
    ]


def links_in(batch: Sequence[Record]) -> list[Link]:
    """The links of a flush, in log order."""
    return [_link.decode(line) for line in _lines(batch, LINK_SCHEMA)]


def _lines(batch: Sequence[Record], schema: str) -> Iterator[bytes]:
    return (line for record in batch if record.headers["schema"] == schema for line in record.value.split(b"\n"))


def _smaller(rng: Random, appends: Sequence[Append]) -> Iterator[Append]:
    """The same lines in smaller records, as the size limit would cut them in a busy log."""
    for append in appends:
        for lines in _split(rng, append.value.split(b"\n")):
            yield Append(append.topic, append.partition, b"\n".join(lines), append.headers)


def _split(rng: Random, items: list[T]) -> Iterator[list[T]]:
    most = rng.choice((1, 4, 100))
    start = 0
    while start < len(items):
        size = rng.randint(1, most)
        yield items[start : start + size]
        start += size
