"""Which epoch a log's versions stand in; it must not know what a log is.

An epoch is given once and only ever rises. Two processes that register the same log at once get the same epoch; two
that register different logs at once see the collision after writing, and the one that sees it moves up.
"""

from collections.abc import Callable, Mapping
from typing import Any

Query = Callable[[str, Mapping[str, Any]], list[list[Any]]]
EPOCH_MAX = 2**16 - 1
_PREFIXED = "prefix:"
_TRIES_MAX = 16

_ALL = "SELECT topic, log_id, epoch FROM log_epochs FINAL ORDER BY epoch, topic, log_id"


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
