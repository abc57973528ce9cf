"""A mark is past when everything before it is stored; when it hangs, it says where."""

import asyncio
from collections.abc import Mapping

import msgspec
import pytest

from pipeline.log.marks import Crossing, NotPassed
from pipeline.log.port import ALIASES, HITS, STITCHED, Append, Record
from pipeline.model import MARK_SCHEMA, Mark
from tests.support.fake_log import FakeLog

MARK = Mark("6f1c2d3e-0000-4000-8000-000000000001", erasures=2)
GROUPS = {STITCHED: "sink", ALIASES: "sink-aliases"}
PAGE = {"schema": "action/1", "count": "1"}


def crossing(log: FakeLog, seconds_max: float = 20) -> Crossing:
    return Crossing(log, MARK, GROUPS, seconds_max)


async def stitched(log: FakeLog, knows: int = 2, partitions: tuple[int, ...] = (0, 1)) -> None:
    """What a worker does with the marks on these partitions, behind a row each."""
    body = msgspec.json.encode(Mark(MARK.id, erasures=knows, policy="mine"))
    for number in partitions:
        await log.append([Append(STITCHED, number, b"{}", PAGE)])
        await log.append([Append(STITCHED, number, body, {"schema": MARK_SCHEMA, "count": "1"})])


async def stored(log: FakeLog, topic: str, positions: Mapping[int, int]) -> None:
    reader = await log.reader(topic, GROUPS[topic])
    await reader.commit(positions)
    await reader.close()


async def drawn(log: FakeLog) -> list[Record]:
    return [r for number in (0, 1) for r in [r async for r in log.read(HITS, number, 0, 9)]]


async def test_it_waits_for_every_partition_and_every_group() -> None:
    """Not for what comes after it, and not twice for what was there before."""
    log = FakeLog(2)
    await log.append([Append(ALIASES, 1, b"{}", {"schema": "alias/1", "count": "1"})])
    waiting = asyncio.ensure_future(crossing(log).passed())
    await asyncio.sleep(0)
    await stitched(log)
    await log.append([Append(STITCHED, 0, b"{}", PAGE)])
    await stored(log, STITCHED, {0: 2, 1: 1})
    await asyncio.wait([waiting], timeout=0.5)
    assert not waiting.done()
    await stored(log, ALIASES, {1: 1})
    await asyncio.wait([waiting], timeout=0.5)
    assert not waiting.done()
    await stored(log, STITCHED, {0: 2, 1: 2})

    assert ["mine", "mine"] == [mark.policy for mark in await waiting]
    assert [MARK, MARK] == [msgspec.json.decode(r.value, type=Mark) for r in await drawn(log)]


@pytest.mark.parametrize(
    ("partitions", "knows", "words"),
    [
        ((), 2, "nobody has stitched hits/0 up to the mark: is a stitch worker running?"),
        ((0,), 2, "nobody has stitched hits/1 up to the mark"),
        ((0, 1), 1, "had not heard of it yet: ask again"),
        ((0, 1), 2, "group sink has not stored stitched/0 up to the mark: is a sink running?"),
    ],
)
async def test_where_it_hangs(partitions: tuple[int, ...], knows: int, words: str) -> None:
    """Nobody stitches, somebody stitches who does not know, nobody stores."""
    log = FakeLog(2)
    waiting = asyncio.ensure_future(crossing(log, seconds_max=0.3).passed())
    await asyncio.sleep(0)
    await stitched(log, knows, partitions)
    with pytest.raises(NotPassed, match=words.replace("?", ".")):
        await waiting
