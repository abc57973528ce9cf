"""Small worlds made to hit every border of the rules, as records of a `hits` topic; it must not know who reads them."""

from collections.abc import Iterator
from random import Random
from typing import NamedTuple

from msgspec.structs import replace

from pipeline.identity.policy import Policy
from pipeline.limits import BUCKET_MS, HOUR_MS, SECOND_MS
from pipeline.log.partition import partition_of
from pipeline.log.port import HITS, Record
from pipeline.model import HIT_SCHEMA
from tests.support.generator import Sent

BASE_MS = 1_760_000_400_000
Habit = tuple[int, int, int, int]  # weights of arriving soon, late, as late as promised, before its own time
HABITS: tuple[Habit, ...] = ((60, 25, 8, 7), (90, 5, 2, 3), (40, 0, 30, 30), (20, 70, 5, 5))
HEADERS = {"schema": HIT_SCHEMA, "count": ""}


class Small(NamedTuple):
    """`hits`: every arrival, in log order within its partition. `logs`: the topic by partition, once for each epoch."""

    policy: Policy
    hits: list[Sent]
    logs: list[list[list[Record]]]


def small_world(rng: Random) -> Small:
    """5 to 40 events on 1 to 3 devices, none later than the lookback, on 1, 2 or 7 partitions."""
    policy = _policy(rng)
    habit = rng.choice(HABITS)
    arrivals = [arrival for event in _events(rng, policy) for arrival in _arrivals(rng, policy, event, habit)]
    arrivals.sort(key=lambda sent: sent.received_ms)
    partitions = rng.choice((1, 2, 7))
    behind_ms = rng.randrange(HOUR_MS) if rng.random() < 0.2 else 0  # the log's clock, behind that of ingest
    world = Small(policy, [], [])
    for part in _epochs(rng, arrivals):
        shares = _shares(part, partitions)
        world.hits.extend(sent for share in shares for sent in share)
        world.logs.append([list(_records(rng, number, share, behind_ms)) for number, share in enumerate(shares)])
    return world


def laid(rng: Random, arrivals: list[Sent], partitions: int) -> list[list[Record]]:
    """The topic that these arrivals make, in this order, with borders of records anywhere."""
    shares = _shares(arrivals, partitions)
    return [list(_records(rng, number, share, 0)) for number, share in enumerate(shares)]


def _shares(arrivals: list[Sent], partitions: int) -> list[list[Sent]]:
    shares: list[list[Sent]] = [[] for _ in range(partitions)]
    for sent in arrivals:
        shares[partition_of(sent.workspace, sent.device, partitions)].append(sent)
    return shares


def _epochs(rng: Random, arrivals: list[Sent]) -> list[list[Sent]]:
    """Now and then the topic is made anew, once all of it is read: offsets start again, states and table stay."""
    if rng.random() < 0.85:
        return [arrivals]
    cut = rng.randrange(len(arrivals))
    return [arrivals[:cut], arrivals[cut:]]


def _policy(rng: Random) -> Policy:
    """Mostly one whose borders a handful of hits can reach; now and then the real one."""
    if rng.random() < 0.1:
        return Policy()
    return Policy(
        lookback_ms=rng.choice((2, 4, 10, 10, 10)) * BUCKET_MS,
        bucket_ms=BUCKET_MS,
        users_per_bucket_max=rng.randint(1, 4),
        logouts_per_bucket_max=rng.randint(1, 4),
        users_per_device_max=rng.randint(1, 4),
    )


def _events(rng: Random, policy: Policy) -> Iterator[Sent]:
    devices = [(rng.choice("ab"), rng.choice(("laptop", "phone", "tablet"))) for _ in range(rng.randint(1, 3))]
    users = ["alice", "bob", "carol", "dave", "erin", "frank"][: rng.choice((1, 2, 2, 3, 6))]
    days = rng.choice((0.4, 1.5, 4.0, 6.0, 12.0)) * policy.lookback_ms
    times: list[int] = []
    for number in range(rng.randint(5, 40)):
        times.append(_instant(rng, policy, times, int(days)))
        workspace, anonymous_id = rng.choice(devices)
        kind = rng.choices(("page", "login", "logout", "named logout"), (45, 35, 14, 6))[0]
        yield Sent(
            workspace=workspace,
            event_id=f"e{number}",
            ts_ms=times[-1],
            received_ms=0,
            anonymous_id=anonymous_id if rng.random() < 0.96 else "",
            user_id=rng.choice(users) if kind in ("login", "named logout") else "",
            holds=rng.random() < 0.5,
            logout=kind in ("logout", "named logout"),
        )


def _instant(rng: Random, policy: Policy, times: list[int], days_ms: int) -> int:
    """Near another hit, exactly a lookback from one, at a border of a bucket, or anywhere."""
    how = rng.random()
    if not times or how < 0.3:
        return BASE_MS + rng.randrange(days_ms)
    near = rng.choice(times)
    if how < 0.5:
        return near + rng.choice((-policy.lookback_ms, policy.lookback_ms)) + rng.randint(-1, 1)
    if how < 0.65:
        return near + rng.randint(-1, 1)
    if how < 0.75:
        return near // policy.bucket_ms * policy.bucket_ms + rng.choice((-1, 0, policy.bucket_ms - 1))
    return near + rng.randint(-2 * policy.bucket_ms, 2 * policy.bucket_ms)


def _arrivals(rng: Random, policy: Policy, event: Sent, habit: Habit) -> Iterator[Sent]:
    """Between an hour before its own time and a lookback after it; sometimes again, sometimes not the same."""
    yield replace(event, received_ms=_arrival(rng, policy, event, habit))
    if rng.random() < 0.12:
        yield replace(event, received_ms=_arrival(rng, policy, event, habit))
    if rng.random() < 0.06:
        other = replace(event, ts_ms=event.ts_ms + rng.randint(-1, 1) * rng.randrange(3 * policy.bucket_ms))
        user_id = rng.choice(("alice", "bob", "")) if event.anonymous_id else event.user_id
        other = replace(other, logout=rng.random() < 0.3, holds=rng.random() < 0.5, user_id=user_id)
        yield replace(other, received_ms=_arrival(rng, policy, other, habit))


def _arrival(rng: Random, policy: Policy, event: Sent, habit: Habit) -> int:
    how = rng.choices(("soon", "late", "latest", "hour ahead"), habit)[0]
    if how == "soon":
        return event.ts_ms + rng.randrange(5 * SECOND_MS)
    if how == "late":
        return event.ts_ms + rng.randint(0, policy.lookback_ms)
    return event.ts_ms + (policy.lookback_ms if how == "latest" else -HOUR_MS)


def _records(rng: Random, partition: int, share: list[Sent], behind_ms: int) -> Iterator[Record]:
    """Batches of random size. The log's clock never goes back, and is at most an hour behind that of ingest."""
    start, offset, log_ms, most = 0, 0, 0, rng.choice((1, 3, 8))
    while start < len(share):
        batch = _distinct(share[start : start + rng.randint(1, most)])
        log_ms = max(log_ms, batch[-1].received_ms - behind_ms)
        yield Record(HITS, partition, offset, b"\n".join(sent.line() for sent in batch), HEADERS, log_ms)
        start, offset = start + len(batch), offset + 1


def _distinct(batch: list[Sent]) -> list[Sent]:
    """Up to the first hit that contradicts an earlier one: of equal versions no table could tell which is newer."""
    seen: dict[tuple[str, str, str], Sent] = {}
    for at, sent in enumerate(batch):
        before = seen.setdefault(sent.key, sent)
        if replace(before, received_ms=0) != replace(sent, received_ms=0):
            return batch[:at]
    return batch
