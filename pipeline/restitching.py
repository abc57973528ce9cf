"""Giving every row the person that the facts give it by the policy now in force; it must not know how the facts came.

In `seamline up` nothing stitches or stores meanwhile. In this order; a crash at any point is mended by doing it again:

1. the log gets a higher epoch, so that whatever is stitched after this outranks what is written here;
2. per stretch of devices, the decisions are kept in `identity_links` (again: decisions of a newer epoch beside them);
3. the rows that differ are written with them (again: nothing differs any more).

Whoever stitches next must start with the new epoch. In a cluster nobody stops: a mark tells the new epoch to whoever
stitches, and steps 2 and 3 begin once the sinks are past it. What is stitched meanwhile outranks what is written here.
"""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from pipeline.audit.attributions import parameters as asked_of
from pipeline.audit.pages import pages
from pipeline.audit.policy import AuditPolicy
from pipeline.identity.policy import Policy
from pipeline.limits import OFFSET_BITS
from pipeline.log.port import HITS
from pipeline.model import Mark
from pipeline.warehouse.client import Warehouse
from pipeline.warehouse.port import Store
from pipeline.warehouse.texts import sql_text


class Restitched(Struct):
    """The policy by which, the new epoch, and how many decisions it took."""

    policy: str
    epoch: int
    rows: int = 0


class NotYet(Exception):
    """Somebody stitches by another policy."""


async def restitch_in_cluster(
    warehouse: Store, policy: Policy, cross: Callable[[Mark], Awaitable[list[Mark]]], prefix: str = ""
) -> Restitched:
    """All three steps beside workers that go on; `prefix` is that of their topics. Raises NotYet, and what the
    warehouse and `cross` raise."""
    mine = msgspec.json.encode(policy).decode()
    for mark in await cross(Mark(str(uuid.uuid4()))):
        if mark.policy != mine:
            raise NotYet(
                f"a worker stitches by {mark.policy}, and these settings say {mine}: restart the workers first"
            )
    epoch = await asyncio.to_thread(warehouse.new_epoch, HITS, prefix)
    await cross(Mark(str(uuid.uuid4()), epoch=epoch))
    return await asyncio.to_thread(restitch, warehouse, AuditPolicy(policy), epoch)


def restitch(warehouse: Store, policy: AuditPolicy, epoch: int) -> Restitched:
    """Steps 2 and 3, shard by shard; `epoch` is the result of step 1. Blocks. Raises what the warehouse raises."""
    rows = sum(_restitched(shard, policy, epoch) for shard in warehouse.shards)
    return Restitched(policy.version, epoch, rows)


def _restitched(warehouse: Warehouse, policy: AuditPolicy, epoch: int) -> int:
    """Of one shard: a device's facts, rows and decisions are together. How many rows."""

    def ask(sql: str, parameters: Mapping[str, Any]) -> tuple[list[str], list[list[Any]]]:
        answer = warehouse.query(sql, parameters, readonly=False)
        return answer.columns, answer.rows

    why = f"restitch:{policy.version}"
    version = epoch << OFFSET_BITS
    for page in pages(ask):
        asked = {**asked_of(page, policy), "version": version, "why": why}
        warehouse.command(sql_text("restitch_links"), asked)
        warehouse.command(sql_text("restitch_rows"), asked)
    return int(ask(sql_text("restitched"), {"version": version})[1][0][0])
