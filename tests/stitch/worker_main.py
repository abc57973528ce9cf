"""A stitch worker as a process of its own, with a fault built in if asked; it must not know who started it.

`python -m tests.stitch.worker_main '{"bootstrap": …}'`: see `Plan`.
"""

import logging
import sys
from pathlib import Path
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaConnectionError

from pipeline.identity.policy import Policy
from pipeline.log.kafka import KafkaLog
from pipeline.log.port import STITCHED, LogUnavailable
from pipeline.stitch import partition as partition_module
from pipeline.stitch.worker import WorkerSettings, run_worker
from pipeline.stitch.worker_stitching import Stitching
from pipeline.stitch.worker_tenure import Pace


class Plan(msgspec.Struct, frozen=True):
    """How to run. `fault`: a name of one of the functions below, or none."""

    bootstrap: str
    data_dir: str
    group: str
    epoch: int = 1
    session_timeout_ms: int = 2_000
    stalled_ms: int = 300_000
    stop_ms_max: int = 10_000
    quiet_ms: int = 50
    busy_ms: int = 100
    fault: str = ""
    instance_id: str | None = None


def agent_raises() -> None:
    """The sixth record brings out a bug in what the agent calls."""
    taken = 0
    take = Stitching.take

    async def breaks(self: Stitching, record: Any) -> None:
        nonlocal taken
        taken += 1
        if taken == 6:
            raise ZeroDivisionError("a bug in the agent")
        await take(self, record)

    Stitching.take = breaks  # type: ignore[method-assign]


def agent_skips() -> None:
    """The framework leaves out every fourth record of a partition."""
    take = Stitching.take

    async def forgets(self: Stitching, record: Any) -> None:
        if record.offset % 4 != 2:
            await take(self, record)

    Stitching.take = forgets  # type: ignore[method-assign]


def folding_breaks() -> None:
    """Whatever names the event `poison` brings out a bug in the core."""
    real = partition_module.stitch

    def breaks(heads: Any, *rest: Any) -> Any:
        stitched = real(heads, *rest)
        if any(head.event_id == "poison" for head in heads):
            raise ZeroDivisionError("a bug in the core")
        return stitched

    partition_module.stitch = breaks


def outputs_never_answer() -> None:
    """Nothing is ever durable."""
    append = KafkaLog.append

    async def refuses(self: KafkaLog, records: Any) -> Any:
        if any(record.topic == STITCHED for record in records):
            raise LogUnavailable("a fault")
        return await append(self, records)

    KafkaLog.append = refuses  # type: ignore[method-assign]


def commits_fail_at_first() -> None:
    """Three times the coordinator does not answer."""
    left = 3
    commit = AIOKafkaConsumer.commit

    async def fails(self: Any, offsets: Any = None) -> None:
        nonlocal left
        left -= 1
        if left >= 0:
            raise KafkaConnectionError("a fault")
        await commit(self, offsets)

    AIOKafkaConsumer.commit = fails


def main() -> int:
    """The worker's exit code."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    plan = msgspec.json.decode(sys.argv[1], type=Plan)
    if plan.fault:
        globals()[plan.fault]()
    return run_worker(
        WorkerSettings(
            bootstrap=plan.bootstrap,
            epoch=plan.epoch,
            policy=Policy(),
            data_dir=Path(plan.data_dir),
            group=plan.group,
            group_instance_id=plan.instance_id,
            web_port=0,
            session_timeout_ms=plan.session_timeout_ms,
            stalled_ms=plan.stalled_ms,
            stop_ms_max=plan.stop_ms_max,
            pace=Pace(quiet_ms=plan.quiet_ms, busy_ms=plan.busy_ms),
        )
    )


if __name__ == "__main__":
    sys.exit(main())
