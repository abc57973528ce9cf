"""Which epoch a log's versions stand in; it must not know what a log is.

An epoch is given once and only ever rises. Two processes that register the same log at once get the same epoch; two
that register different logs at once see the collision after writing, and the one that sees it moves up.
"""

import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

Query = Callable[[str, Mapping[str, Any]], list[list[Any]]]
EPOCH_MAX = 2**16 - 1
_PREFIXED = "prefix:"
_TRIES_MAX = 16

_ALL = "SELECT topic, log_id, epoch FROM log_epochs FINAL ORDER BY epoch, topic, log_id"


class KeepsEpochs(ABC):
    """What keeps the table `log_epochs`."""

    def register_log(self, log_id: str, topic: str) -> int:
        """The epoch of this log, given when it is first seen: at least 1, the same ever after."""
        return epoch_of(log_id, topic, self._own, lambda epoch: self._store_epoch(topic, log_id, epoch))

    def raise_epoch(self, log_id: str, topic: str) -> int:
        """A higher epoch for this very log, from now on."""
        return raised(self._own, lambda epoch: self._store_epoch(topic, log_id, epoch))

    def new_epoch(self, topic: str, prefix: str = "") -> int:
        """A higher epoch for a topic on Kafka, whose name has that prefix there."""
        return self.register_log(id_of(prefix, str(uuid.uuid4())), topic)

    def current_epoch(self, topic: str, prefix: str = "") -> int | None:
        """The newest epoch of a topic whose name has that prefix; nothing before the first."""
        return newest(topic, self._own, prefix)

    def prefix_in_force(self, topic: str) -> str | None:
        """The prefix of the topic that was given an epoch last; nothing before the first."""
        return in_force(topic, self._own)

    @abstractmethod
    def insert_rows(self, table: str, ndjson: bytes) -> None:
        """Store newline-delimited JSON objects."""

    @abstractmethod
    def _own(self, sql: str, params: Mapping[str, Any]) -> list[list[Any]]:
        """The rows of an answer to ourselves."""

    def _store_epoch(self, topic: str, log_id: str, epoch: int) -> None:
        self.insert_rows("log_epochs", msgspec.json.encode({"topic": topic, "log_id": log_id, "epoch": epoch}))


def epoch_of(log_id: str, topic: str, query: Query, insert: Callable[[int], None]) -> int:
    """The epoch of this log; the next free one, stored by `insert`, when the log is new."""
    known = _known(query)
    if (topic, log_id) in known:
        return known[topic, log_id]
    for _ in range(_TRIES_MAX):
        insert(_next(known))
        known = _known(query)
        mine = known[topic, log_id]
        sharing = sorted(log for log, epoch in known.items() if epoch == mine)
        if len(sharing) == 1:
            return mine
        known[topic, log_id] = _next(known) - 1 + sharing.index((topic, log_id))  # two that see each other part ways
    raise RuntimeError(f"no epoch of its own for {topic} after {_TRIES_MAX} tries")


def raised(query: Query, insert: Callable[[int], None]) -> int:
    """An epoch above all others, stored by `insert` for a log that has one. Nobody else may register meanwhile."""
    epoch = _next(_known(query))
    insert(epoch)
    return epoch


def newest(topic: str, query: Query, prefix: str = "") -> int | None:
    """The highest epoch of a topic with that prefix; nothing when none was ever given."""
    mine = [epoch for (name, log_id), epoch in _known(query).items() if name == topic and prefix_of(log_id) == prefix]
    return max(mine, default=None)


def in_force(topic: str, query: Query) -> str | None:
    """The prefix of the topic that was given an epoch last; nothing when none was ever given."""
    given = [(epoch, prefix_of(log_id)) for (name, log_id), epoch in _known(query).items() if name == topic]
    return max(given)[1] if given else None


def id_of(prefix: str, name: str = "") -> str:
    """The identity of a log on Kafka whose topics have a prefix; those without one are told apart by `name` alone."""
    return f"{_PREFIXED}{prefix}/{name}" if prefix else name


def prefix_of(log_id: str) -> str:
    """The reverse."""
    return log_id.removeprefix(_PREFIXED).rpartition("/")[0] if log_id.startswith(_PREFIXED) else ""


def _known(query: Query) -> dict[tuple[str, str], int]:
    return {(topic, log_id): epoch for topic, log_id, epoch in query(_ALL, {})}


def _next(known: Mapping[tuple[str, str], int]) -> int:
    epoch = max(known.values(), default=0) + 1
    if epoch > EPOCH_MAX:
        raise RuntimeError(f"all {EPOCH_MAX} log epochs are used")
    return epoch
