"""Erasing one person from a cluster whose workers go on; it must not know how it was asked, or what runs them.

Before anything else a mark asks whether all who stitch have the erasure key; without it they could not go on. Then, in
this order. A crash at any point is mended by asking again; each step finds only what is left.

1. The warehouse says who they are by alias, which devices go whole, and which rows are theirs.
2. Suppressions are stored in the warehouse and on `erasures`. A mark is drawn across `hits`: whoever stitches knows
   them from there on, has taken them out of the device states it holds, and lets nothing of theirs through. Once the
   sinks are past the mark, everything from before it is stored.
3. Steps 1 and 2 again while they find more: what was on its way when the mark was drawn.
4. The warehouse loses them: stubs first, then every version of every row. A link that was being applied meanwhile may
   have written a row once more; another mark sees its flush through, and what it wrote goes too.
5. Files that were replaced are gone from the disk.

The log itself is not rewritten under running workers: the certificate names the day from which no record is left that
could hold them. Whoever reads it again before that knows whom to leave out.
"""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable

from msgspec import Struct

from pipeline.limits import DAY_MS
from pipeline.log.port import Log
from pipeline.log.retention import retention_ms
from pipeline.model import Mark, Suppressed
from pipeline.privacy.erasures import remember
from pipeline.privacy.forget import Certificate, Request, certificate, erase, find, suppressed
from pipeline.privacy.lines import Forgotten
from pipeline.privacy.suppression import key_id
from pipeline.times import day, iso
from pipeline.warehouse.port import Store
from pipeline.warehouse.shard_erasure import Erasure

_ROUNDS_MAX = 10  # each needs new devices or names of theirs that came within a second


class StillFound(Exception):
    """They keep turning up: something that stitches does not know the key, or does not listen."""


class OtherKey(Exception):
    """Somebody who stitches has no erasure key, or another."""


class Cluster(Struct):
    """What a cluster has. `cross` draws a mark and returns when everybody is past it."""

    log: Log
    warehouse: Store
    key: bytes
    lookback_ms: int
    cross: Callable[[Mark], Awaitable[list[Mark]]]


async def forget_in_cluster(cluster: Cluster, request: Request) -> Certificate:
    """Erase them; what was done. Raises OtherKey, StillFound, and what the warehouse, the log and `cross` raise."""
    await _all_have_the_key(cluster)
    now_ms = time.time_ns() // 1_000_000
    made = certificate(cluster.key, request, iso(now_ms))
    erasure = Erasure(cluster.warehouse)
    gone = await _remembered(cluster, erasure, request, made)
    logins = await asyncio.to_thread(erasure.logins)
    made.row_versions = await asyncio.to_thread(erase, erasure, gone, logins)
    await _no_more(cluster, erasure)
    await asyncio.to_thread(erasure.purge)
    await asyncio.to_thread(erasure.finish)
    made.users, made.devices, made.stubs = len(gone.users), len(gone.devices), len(logins)
    made.log_until = day(now_ms + max(retention_ms(cluster.lookback_ms).values()) + 2 * DAY_MS)
    return made


async def _remembered(cluster: Cluster, erasure: Erasure, request: Request, made: Certificate) -> Forgotten:
    """Steps 1 to 3: until a mark has passed and nothing new of theirs has come."""
    known: set[tuple[str, ...]] = set()
    crossed = False
    for _ in range(_ROUNDS_MAX):
        gone = await asyncio.to_thread(find, erasure, request, cluster.key, made.erased_at)
        rows = await asyncio.to_thread(suppressed, erasure, made, gone)
        new = [row for row in rows if _as_known(row) not in known]
        if crossed and not new:
            return gone
        known |= {_as_known(row) for row in rows}
        await asyncio.to_thread(erasure.insert, "suppressions", rows)
        await _cross(cluster, await remember(cluster.log, new))
        crossed = True
    raise StillFound(f"after {_ROUNDS_MAX} rounds there is still more to forget: ask again")


async def _no_more(cluster: Cluster, erasure: Erasure) -> None:
    """Step 4, its second half."""
    for _ in range(_ROUNDS_MAX):
        await _cross(cluster, 0)
        if not any((await asyncio.to_thread(erasure.erase)).values()):
            return
    raise StillFound(f"after {_ROUNDS_MAX} rounds rows of theirs are still being written: ask again")


async def _all_have_the_key(cluster: Cluster) -> None:
    if {mark.key_id for mark in await _cross(cluster, 0)} != {key_id(cluster.key)}:
        raise OtherKey("a stitch worker has another erasure key, or none: give all of them the file this command has")


async def _cross(cluster: Cluster, erasures: int) -> list[Mark]:
    return await cluster.cross(Mark(str(uuid.uuid4()), erasures=erasures))


def _as_known(row: Suppressed) -> tuple[str, ...]:
    return (row.kind, row.hash, row.since, row.until)
