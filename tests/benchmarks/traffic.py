"""Realistic hits by the hundred thousand, fast; it must not know who measures with them."""

import json
from collections.abc import Iterator
from random import Random

from pipeline.model import Hit
from pipeline.times import day, iso

PAGES = ("/", "/shoes", "/shoes/trail-runner", "/coats", "/coats/parka?size=m&colour=green", "/cart", "/checkout")
LOGIN_SHARE = 0.2  # of hits carry a user ID
HITS_PER_DEVICE = 10
STEP_MS = 40  # 25 hits a second in event time


def hits(number: int, start_ms: int, seed: int = 1) -> Iterator[Hit]:
    """As ingest writes them: a tenth as many devices, a fifth of the hits with a user ID, 600 bytes each."""
    rng = Random(seed)
    devices = max(1, number // HITS_PER_DEVICE)
    for at in range(number):
        device = rng.randrange(devices)
        anonymous_id = f"{device:016x}"
        t_ms = start_ms + at * STEP_MS
        page = rng.choice(PAGES)
        user = f"user-{device % 5_000}" if rng.random() < LOGIN_SHARE else ""
        yield Hit(
            workspace="demo",
            site_id="demo",
            event_id=f"{rng.getrandbits(64):016x}",
            ts=iso(t_ms),
            received_at=iso(t_ms),
            device=f"d:{anonymous_id}",
            day=day(t_ms),
            type="page",
            name=page,
            anonymous_id=anonymous_id,
            user_id=user,
            holds=bool(user),
            url=f"https://shop.example{page}",
            referrer="https://search.example/?q=trail+running+shoes",
            title="Shoes, coats and more - the shop",
            device_type="desktop",
            browser="Firefox",
            os="GNU/Linux",
            language="en-GB",
            ip="192.0.2.0",
            properties={"pv_id": "a1b2c3", "resolution": "1920x1080", "variant": "b", "position": at % 40},
        )


def native(number: int, start_ms: int, per_request: int, seed: int = 1) -> Iterator[bytes]:
    """The same hits as bodies of `POST /v1/hits`."""
    batch = []
    for hit in hits(number, start_ms, seed):
        batch.append(
            {
                "type": hit.type,
                "name": hit.name,
                "event_id": hit.event_id,
                "anonymous_id": hit.anonymous_id,
                "ts": hit.ts,
                "url": hit.url,
                "referrer": hit.referrer,
                "title": hit.title,
                "properties": hit.properties,
                **({"user_id": hit.user_id} if hit.user_id else {}),
            }
        )
        if len(batch) == per_request:
            yield json.dumps(batch).encode()
            batch = []
    if batch:
        yield json.dumps(batch).encode()
