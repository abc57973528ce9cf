"""How many records wait for a reader, and for how long at least; it must not know what is in them."""

import asyncio
import logging
from collections import deque
from collections.abc import Mapping

from pipeline.log.port import Log

_LOOKS_MAX = 128  # remembered a partition
LOOK_S = 15.0  # between two looks at groups: as often as anybody scrapes

_log = logging.getLogger(__name__)


class Lag:
    """Told now and then how far a topic is handled and where it ends.

    What stood in the log at an earlier look, and is still not handled, waits since then at least: so the age of what
    nobody has read is known without reading it.
    """

    def __init__(self) -> None:
        self.records: int | None = None
        self._seen: dict[int, deque[tuple[int, float]]] = {}  # by partition: where it ended, and when that was seen

    def look(self, handled: Mapping[int, int] | None, ends: Mapping[int, int] | None, now_s: float) -> None:
        """By partition. `handled`: None while nothing is assigned; `ends`: None when the log does not answer."""
        self.records = None
        if handled is None or ends is None:
            return
        self.records = sum(max(0, ends[number] - position) for number, position in handled.items())
        self._seen = {number: self._seen.get(number, deque()) for number in handled}
        for number, seen in self._seen.items():
            if not seen or seen[-1][0] < ends[number]:
                seen.append((ends[number], now_s))
            while seen and seen[0][0] <= handled[number]:
                seen.popleft()
            if len(seen) > _LOOKS_MAX:
                self._seen[number] = _thinned(seen)

    def seconds(self, now_s: float, oldest_s: float = 0.0) -> float | None:
        """Age of the oldest record that waits, at least; 0 when none does, None when that is not known.

        `oldest_s`: the age of the oldest that was read and is not handled, which is exact.
        """
        if self.records is None:
            return oldest_s or None
        return max(oldest_s, *(now_s - seen[0][1] for seen in self._seen.values() if seen), 0.0)


def _thinned(seen: deque[tuple[int, float]]) -> deque[tuple[int, float]]:
    """Half as many, evenly spread: still enough to say "at least"."""
    apart_s = 2 * (seen[-1][1] - seen[0][1]) / _LOOKS_MAX
    kept = deque([seen[0]])
    for look in seen:
        if look[1] - kept[-1][1] >= apart_s:
            kept.append(look)
    return kept


class GroupLags:
    """The lags of groups of readers by their stored positions, while `watch` runs: whoever of them read what."""

    def __init__(self, log: Log, groups: Mapping[str, str], look_s: float = LOOK_S) -> None:
        """`groups`: topic to group."""
        self._log, self._groups, self._look_s = log, groups, look_s
        self._lags = {topic: Lag() for topic in groups}
        self._silent: set[str] = set()  # topics of which nothing is known

    async def watch(self) -> None:
        """Until cancelled. The first look that fails is logged, and nothing is known until one does not."""
        while True:
            for topic in self._groups:
                await self._look(topic)
            await asyncio.sleep(self._look_s)

    def of(self, topic: str) -> Lag:
        """One of them."""
        return self._lags[topic]

    def records(self) -> dict[str, int]:
        """By topic, as far as is known."""
        return {topic: lag.records for topic, lag in self._lags.items() if lag.records is not None}

    def seconds(self, oldest_s: Mapping[str, float]) -> dict[str, float]:
        """The same; `oldest_s`: the ages of what was read and is not stored, by topic."""
        now_s = asyncio.get_running_loop().time()
        ages = {topic: lag.seconds(now_s, oldest_s.get(topic, 0.0)) for topic, lag in self._lags.items()}
        return {topic: age_s for topic, age_s in ages.items() if age_s is not None}

    async def _look(self, topic: str) -> None:
        ends = positions = None
        try:
            spans = await self._log.span(topic)
            stored = await self._log.committed(topic, self._groups[topic])
            ends = {number: end for number, (_, end) in spans.items()}
            positions = {number: stored.get(number, first) for number, (first, _) in spans.items()}
            self._silent.discard(topic)
        except Exception as error:  # the work goes on; who watches is told that nothing is known
            if topic not in self._silent:
                _log.warning("the lag of %s is not known just now: %s", topic, error)
            self._silent.add(topic)
        self._lags[topic].look(positions, ends, asyncio.get_running_loop().time())
