"""A backup of the warehouse, and the log from before it on, are the warehouse again."""

import pytest

from pipeline.log.port import ALIASES, DEAD_LETTERS, STITCHED
from pipeline.sink.sink import ALIAS_GROUP, DEAD_GROUP, GROUP, Sink
from pipeline.warehouse.client import Warehouse
from tests.sink.test_steps import MORNING, SHOWN
from tests.support.fake_log import FakeLog
from tests.support.stitched import shown

GROUPS = ((STITCHED, GROUP), (ALIASES, ALIAS_GROUP), (DEAD_LETTERS, DEAD_GROUP))


@pytest.mark.parametrize("back", [1, len(MORNING)])
@pytest.mark.parametrize("backed_up", [4, 7])
async def test_the_sink_makes_good_what_a_backup_lacks(warehouse: Warehouse, backed_up: int, back: int) -> None:
    """However much of the log the backup holds, and however far before it the positions are set back."""
    log = FakeLog(2)
    await log.append(MORNING[:backed_up])
    while await Sink(log, warehouse).flush_once():
        pass

    await log.append(MORNING[backed_up:])
    for topic, group in GROUPS:
        for partition, position in (await log.committed(topic, group)).items():
            log.positions[topic, group][partition] = max(position - back, 0)
    while await Sink(log, warehouse).flush_once():
        pass

    assert shown(warehouse) == SHOWN
    letters = warehouse.query("SELECT count(), uniqExact(id) FROM dead_letters FINAL").rows
    assert letters == [[2, 2]]
