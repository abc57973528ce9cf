"""Faust as it is set up: what no environment, no default and no slow start may change."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.stitch.worker_faust import _RECORDS_A_FETCH, Group, StitchApp, stitch_app
from pipeline.stitch.worker_stitching import Stitching


def app_of(folder: Path) -> StitchApp:
    group = Group("broker:9092", "a-group", "node-1", 6_000, 6_000, folder)
    return stitch_app(group, Stitching(_never, _raise, 1, _never))


async def _never(_: Any) -> Any:
    raise AssertionError("not begun")


def _raise(error: BaseException) -> None:
    raise error


async def test_the_environment_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stock Faust lets BROKER_URL, CONSUMER_AUTO_OFFSET_RESET and a hundred others beat what the code says."""
    for name, value in {
        "BROKER_URL": "kafka://elsewhere:1",
        "CONSUMER_AUTO_OFFSET_RESET": "latest",
        "STREAM_WAIT_EMPTY": "1",
        "WEB_ENABLED": "1",
        "APP_DATADIR": "/nowhere",
        "AGENT_SUPERVISOR": "mode.supervisors.OneForOneSupervisor",
    }.items():
        monkeypatch.setenv(name, value)

    conf = app_of(tmp_path).conf

    assert [str(url) for url in conf.broker] == ["kafka://broker:9092"]
    assert (conf.consumer_auto_offset_reset, conf.stream_wait_empty, conf.web_enabled) == ("none", False, False)
    assert conf.datadir == tmp_path
    assert conf.agent_supervisor.__name__ == "CrashingSupervisor"


async def test_a_fetch_never_fills_the_stream_buffer(tmp_path: Path) -> None:
    """At four fifths of it Faust drops the partition, and once all are dropped it sleeps a second (#563)."""
    conf = app_of(tmp_path).conf

    assert conf.broker_max_poll_records == _RECORDS_A_FETCH
    assert conf.stream_buffer_maxsize / 1.25 > _RECORDS_A_FETCH


async def test_the_group_is_named_as_given(tmp_path: Path) -> None:
    """Lag tools and autoscalers look for it."""
    conf = app_of(tmp_path).conf

    assert (conf.id, conf.consumer_group_instance_id) == ("a-group", "node-1")


async def test_nothing_is_created_on_the_broker(tmp_path: Path) -> None:
    """No leader topic, no changelog, no producer."""
    app = app_of(tmp_path)

    assert (app.conf.topic_allow_declare, app.conf.topic_disable_leader) == (False, True)
    assert (app.conf.table_standby_replicas, list(app.tables)) == (0, [])
    assert list(app.boot_strategy.kafka_producer()) == []


async def test_a_worker_that_starts_slowly_is_left_alone(tmp_path: Path) -> None:
    """Stock Faust's livelock detector asks a consumer that is not there yet, and ends the process (#446)."""
    app = app_of(tmp_path)

    assert await app.consumer.verify_all_partitions_active() is None


async def test_faust_commits_nothing_by_itself(tmp_path: Path) -> None:
    """Offset 100 in flight, 101 to 103 acknowledged: stock Faust commits 104 (#606)."""
    from faust.types import TP

    consumer = app_of(tmp_path).consumer
    place = TP("hits", 0)
    consumer._committed_offset[place] = 100
    consumer._acked[place] = [101, 102, 103]

    answers = [await consumer.commit(), await consumer.force_commit(), await consumer.commit({place})]

    assert answers == [False, False, False]
    assert consumer._committed_offset[place] == 100
