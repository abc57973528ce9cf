"""Stitching as Faust's tutorial would write it: one record a hit, decoded, attributed and sent one by one.

The same identity core, with devices in a plain dict and nothing ever made durable: it is spared what would be slower
still. `python -m tests.benchmarks.naive_faust BOOTSTRAP HITS` prints hits a second.
"""

import asyncio
import sys
import tempfile
import time
from typing import Any

import faust
import msgspec

from pipeline.identity.policy import Policy
from pipeline.identity.stitcher import Devices, Stamp, stitch
from pipeline.model import Action, HitHead

TOPIC_IN, TOPIC_OUT = "naive-hits", "naive-stitched"


def run(bootstrap: str, expected: int) -> float:
    """Hits a second between the first and the last."""
    app = faust.App(
        "naive", broker=f"kafka://{bootstrap}", datadir=tempfile.mkdtemp(), web_enabled=False, topic_disable_leader=True
    )
    source = app.topic(TOPIC_IN, value_serializer="raw")
    target = app.topic(TOPIC_OUT, value_serializer="raw")
    devices: Devices = {}
    policy = Policy()
    times: list[float] = []

    @app.agent(source)
    async def attribute(stream: Any) -> None:
        async for event in stream.events():
            times.append(time.perf_counter())
            head = msgspec.json.decode(event.value, type=HitHead)
            placed = stitch([head], devices, policy, Stamp(event.message.offset, 0)).placed[0]
            fields = msgspec.json.decode(event.value) | {
                "person_id": placed.person_id,
                "attribution": placed.attribution,
                "version": event.message.offset,
            }
            action = msgspec.convert(fields, type=Action)
            await target.send(value=msgspec.json.encode(action), partition=event.message.partition)

    async def until_done() -> None:
        await app.start()
        while len(times) < expected:
            await asyncio.sleep(0.05)
        await app.stop()

    asyncio.run(until_done())
    return expected / (times[-1] - times[0])


if __name__ == "__main__":
    print(run(sys.argv[1], int(sys.argv[2])))
