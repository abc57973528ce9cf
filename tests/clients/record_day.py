"""Records the day that the demo replays: `python -m tests.clients.record_day` writes pipeline/demo/day.ndjson.

It lets real tracker clients send a seeded day (tests/clients/story.py) to a recording server on loopback. Needs Node.js
with npm, curl and Chromium; takes about four minutes. Who does what and when is the same each time; what the clients
draw by themselves (cache-busters, device and event IDs) is not.
"""

import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from pipeline.demo.day import NAME, Recorded, own_times
from tests.clients.recorder import Recorder
from tests.clients.shop_browser import ShopBrowser
from tests.clients.steps import HOST
from tests.clients.story import Visit, customers, story
from tests.clients.trackers import Curl, Matomopy, MatomoTrackerNode, Tracker
from tests.support.chromium import chromium

TARGET = Path(__file__).parents[2] / "pipeline" / "demo" / NAME
_SERVER_SIDE: dict[str, Tracker] = {
    "form": Matomopy(),
    "app": Matomopy(bulk=True),
    "journal": MatomoTrackerNode(),
    "digest": MatomoTrackerNode(bulk=True),
    "hook": Curl(),
    "hook_post": Curl(post=True),
}


def record(visits: Sequence[Visit]) -> list[Recorded]:
    """What the clients sent, in the order of the day."""
    with Recorder(customers()) as recorder, chromium(f"--host-resolver-rules=MAP {HOST} {recorder.address}") as browser:
        shop = ShopBrowser(browser, lambda: len(recorder.requests))
        for number, visit in enumerate(visits, 1):
            recorder.sent_ms = visit.sent_ms
            if visit.client == "shop":
                recorder.client = shop.name
                shop.play(visit.visitor, visit.steps)
            else:
                recorder.client = _SERVER_SIDE[visit.client].name
                _SERVER_SIDE[visit.client].play(f"http://{recorder.address}", visit.visitor, visit.steps)
            print(f"\r{number} of {len(visits)} visits", end="", flush=True)
    return sorted(recorder.requests, key=lambda request: request.at)


def main() -> None:
    """Record and write."""
    began = time.monotonic()
    requests = record(story())
    TARGET.write_bytes(b"".join(msgspec.json.encode(request) + b"\n" for request in requests))
    hits = sum(len(own_times(request)) for request in requests)
    took = time.monotonic() - began
    print(f"\n{hits} hits in {len(requests)} requests, {TARGET.stat().st_size} bytes, in {took:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
