"""Which partition a line belongs in, among those that the log has now; it must not know how it gets there."""

import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import lru_cache

import msgspec
from msgspec import Struct

from pipeline.log.partition import alias_partition_of, partition_of
from pipeline.log.port import ALIASES, HITS, Append, Log, LogUnavailable

_log = logging.getLogger(__name__)


class _Owner(Struct):
    """Whose line it is."""

    workspace: str
    device: str = ""


_owner = msgspec.json.Decoder(_Owner).decode


def _nowhere(*_: str) -> int:
    return 0


class Places:
    """Until the log has said how many partitions there are, every line is put down for the first: it may only wait.

    A spool outlives topics: what is read back from it goes where it belongs `again`, or a device would stand in two
    partitions once a log has others.
    """

    def __init__(self, log: Log) -> None:
        self._log = log
        self._trouble = ""
        self.known = False
        self.of_hit: Callable[[str, str], int] = _nowhere
        self.of_alias: Callable[[str], int] = _nowhere

    async def learn(self) -> bool:
        """Whether the log has said it by now; asked until it has."""
        if self.known:
            return True
        try:
            hits, aliases = await self._log.partitions(HITS), await self._log.partitions(ALIASES)
        except LogUnavailable as error:
            if str(error) != self._trouble:
                self._trouble = str(error)
                _log.warning("hits go to the spool until the log answers: %s", error)
            return False
        self.of_hit = lru_cache(maxsize=65_536)(lambda workspace, device: partition_of(workspace, device, hits))
        self.of_alias = lru_cache(maxsize=4_096)(lambda workspace: alias_partition_of(workspace, aliases))
        self.known = True
        return True

    def again(self, records: Sequence[Append]) -> list[Append]:
        """The same lines in the same order, each record where its lines belong now; what cannot be read stays."""
        return [placed for record in records for placed in self._again(record)]

    def _again(self, record: Append) -> list[Append]:
        lines = record.value.split(b"\n")
        by_place: defaultdict[int, list[bytes]] = defaultdict(list)
        try:
            for line in lines:
                by_place[self._of(record.topic, _owner(line))].append(line)
        except (msgspec.MsgspecError, ValueError, RecursionError, KeyError):
            return [record]
        if by_place.keys() == {record.partition}:
            return [record]
        return [
            Append(record.topic, place, b"\n".join(mine), {**record.headers, "count": str(len(mine))})
            for place, mine in by_place.items()
        ]

    def _of(self, topic: str, owner: _Owner) -> int:
        of = {HITS: lambda: self.of_hit(owner.workspace, owner.device), ALIASES: lambda: self.of_alias(owner.workspace)}
        return of[topic]()
