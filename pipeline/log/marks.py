"""Lines across every partition: drawn on `hits`, and waited for until whoever reads `stitched` is past them.

What was on `hits` before the mark is then stored, and what comes after it was stitched by somebody who knows what the
mark tells. It must not know what anybody tells with it.
"""

import asyncio
import time
from collections.abc import Mapping

import msgspec

from pipeline.log.port import HITS, STITCHED, Append, Log
from pipeline.model import MARK_SCHEMA, Mark

_LOOK_AGAIN_S = 0.2
_HEADERS = {"schema": MARK_SCHEMA, "count": "1"}


class NotPassed(Exception):
    """The mark did not come through in time: where it hangs, in words for people."""


class Crossing:
    """One mark on its way. `groups`: who reads what comes of the hits, by topic."""

    def __init__(self, log: Log, mark: Mark, groups: Mapping[str, str], seconds_max: float) -> None:
        self._log = log
        self._mark = mark
        self._groups = groups
        self._deadline_s = time.monotonic() + seconds_max

    async def passed(self) -> list[Mark]:
        """Draw it and wait; the mark of every partition as it was stitched. Raises NotPassed and LogUnavailable.

        1. Where `stitched` ends is noted. 2. The mark is drawn on `hits`. A crash after it leaves a mark that nobody
        waits for, and that does no harm. 3. Whoever stitches puts it on `stitched`. 4. The groups come past it, and
        to the end of what else they read at that time.
        """
        looked = {number: end for number, (_, end) in (await self._log.span(STITCHED)).items()}
        body = msgspec.json.encode(self._mark)
        marked = [Append(HITS, number, body, _HEADERS) for number in range(await self._log.partitions(HITS))]
        await self._log.append(marked)
        places = {number: await self._stitched(number, start) for number, start in looked.items()}
        ends = {STITCHED: {number: offset + 1 for number, (offset, _) in places.items()}}
        for topic in self._groups.keys() - ends.keys():
            ends[topic] = {number: end for number, (first, end) in (await self._log.span(topic)).items() if end > first}
        for topic, group in self._groups.items():
            await self._committed(topic, group, ends[topic])
        return [mark for _, mark in places.values()]

    def _heeded(self, number: int, mark: Mark) -> Mark:
        if mark.epoch < self._mark.epoch or mark.erasures < self._mark.erasures:
            raise NotPassed(f"{HITS}/{number} was stitched by a worker that had not heard of it yet: ask again")
        return mark

    async def _stitched(self, number: int, start: int) -> tuple[int, Mark]:
        """Where the mark stands on the partition of `stitched`."""
        while True:
            stop = (await self._log.span(STITCHED))[number][1]
            async for record in self._log.read(STITCHED, number, start, stop):
                start = record.offset + 1
                for mark in _marks(record.headers, record.value):
                    if mark.id == self._mark.id:
                        return record.offset, self._heeded(number, mark)
            await self._rest(f"nobody has stitched {HITS}/{number} up to the mark: is a stitch worker running?")

    async def _committed(self, topic: str, group: str, ends: Mapping[int, int]) -> None:
        while True:
            reached = await self._log.committed(topic, group)
            behind = sorted(number for number, end in ends.items() if reached.get(number, 0) < end)
            if not behind:
                return
            await self._rest(f"group {group} has not stored {topic}/{behind[0]} up to the mark: is a sink running?")

    async def _rest(self, why: str) -> None:
        if time.monotonic() > self._deadline_s:
            raise NotPassed(why)
        await asyncio.sleep(_LOOK_AGAIN_S)


def _marks(headers: Mapping[str, str], value: bytes) -> list[Mark]:
    if headers.get("schema") != MARK_SCHEMA:
        return []
    return msgspec.json.Decoder(Mark).decode_lines(value)
