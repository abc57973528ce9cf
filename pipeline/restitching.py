"""Giving every row the person that the facts give it by the policy now in force; it must not know how the facts came.

Nothing may stitch or store meanwhile. In this order; a crash at any point is mended by doing it again:

1. the log gets a higher epoch, so that whatever is stitched after this outranks what is written here;
2. per stretch of devices, the decisions are kept in `identity_links` (again: decisions of a newer epoch beside them);
3. the rows that differ are written with them (again: nothing differs any more).

Whoever stitches next must start with the new epoch.
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from pipeline.audit.attributions import parameters as asked_of
from pipeline.audit.pages import pages
from pipeline.audit.policy import AuditPolicy
from pipeline.limits import OFFSET_BITS
from pipeline.warehouse.client import Warehouse
from pipeline.warehouse.texts import sql_text


class Restitched(Struct):
    """The policy by which, the new epoch, and how many decisions it took."""

    policy: str
    epoch: int
    rows: int = 0


def restitch(warehouse: Warehouse, policy: AuditPolicy, epoch: int) -> Restitched:
    """Steps 2 and 3; `epoch` is the result of step 1. Blocks. Raises what the warehouse raises."""

    def ask(sql: str, parameters: Mapping[str, Any]) -> tuple[list[str], list[list[Any]]]:
        answer = warehouse.query(sql, parameters, readonly=False)
        return answer.columns, answer.rows

    why = f"restitch:{policy.version}"
    version = epoch << OFFSET_BITS
    for page in pages(ask):
        asked = {**asked_of(page, policy), "version": version, "why": why}
        warehouse.command(sql_text("restitch_links"), asked)
        warehouse.command(sql_text("restitch_rows"), asked)
    return Restitched(policy.version, epoch, int(ask(sql_text("restitched"), {"version": version})[1][0][0]))
