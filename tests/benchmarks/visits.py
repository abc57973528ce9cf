"""Hits as visits make them: a few hundred people browse at any moment; it must not know who measures with them.

Every fourth visit signs in somewhere on its way. On half the devices the tracker says so once and remembers; on the
others it restates the user with every page from then on, as Matomo's does. One hit in eight carries a user ID.
"""

from collections.abc import Iterator
from random import Random

import msgspec

from pipeline.model import Hit
from tests.benchmarks.traffic import hits

VISITORS = 400  # at once
PAGES_MEAN = 8
SIGNED_IN_SHARE = 0.25
RETURNING_SHARE = 0.5  # of visits: by a device that was here before


class _Visit(msgspec.Struct):
    anonymous_id: str
    user: str
    restates: bool
    signed_in: bool = False


def visits(number: int, start_ms: int, seed: int = 1) -> Iterator[Hit]:
    """Like `traffic.hits`, but for who makes them. In time order."""
    rng = Random(seed)
    seen: list[str] = []
    open_visits = [_visit(rng, seen) for _ in range(VISITORS)]
    for hit in hits(number, start_ms, seed):
        at = rng.randrange(VISITORS)
        if rng.random() < 1 / PAGES_MEAN:
            open_visits[at] = _visit(rng, seen)
        visit = open_visits[at]
        login = bool(visit.user) and not visit.signed_in and rng.random() < 0.3
        visit.signed_in |= login
        says = login or (visit.signed_in and visit.restates)
        yield msgspec.structs.replace(
            hit,
            anonymous_id=visit.anonymous_id,
            device=f"d:{visit.anonymous_id}",
            user_id=visit.user if says else "",
            holds=says and not visit.restates,
            type="identify" if login else "page",
        )


def _visit(rng: Random, seen: list[str]) -> _Visit:
    if seen and rng.random() < RETURNING_SHARE:
        anonymous_id = rng.choice(seen)
    else:
        anonymous_id = f"{rng.getrandbits(64):016x}"
        seen.append(anonymous_id)
    number = int(anonymous_id, 16)
    signs_in = rng.random() < SIGNED_IN_SHARE
    return _Visit(anonymous_id, f"user-{number % 50_000}" if signs_in else "", number % 2 == 0)
