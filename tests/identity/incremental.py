"""The whole answer, record by record: stitch, settle, apply links; it must not know what the answer should be."""

from collections.abc import Iterable, Sequence

from pipeline.identity.device import Device
from pipeline.identity.policy import Policy
from pipeline.identity.stitcher import Key, Stamp, stitch
from pipeline.model import HitHead
from pipeline.times import ms_of
from tests.simulation.table import Row, Table
from tests.support.oracle import Answer, RowKey

Batch = tuple[int, Sequence[HitHead]]  # (when the log took the record, its hits)


def shown(records: Iterable[Batch], policy: Policy) -> dict[RowKey, Answer]:
    """What the table shows in the end, when every record is a checkpoint of its own and nothing ever fails."""
    devices: dict[Key, Device] = {}
    table = Table()
    for version, (log_ms, heads) in enumerate(records, start=1):
        stitched = stitch(heads, devices, policy, Stamp(version, log_ms))
        for head, placed in zip(heads, stitched.placed, strict=True):
            row = Row(version, ms_of(head.ts), head.user_id, placed.person_id, placed.attribution, placed.late)
            table.insert([((head.workspace, head.device), head.event_id, row)])
        table.insert(list(table.covered(stitched.links)))
        for key in stitched.dirty:
            devices[key].settle(version - 1)
    return {
        (*device, event_id): (row.person_id, row.attribution)
        for device, rows in table.devices.items()
        for event_id, row in rows.items()
    }
