"""The small day of all golden files, and its way through a real publisher; it must not know what is kept of it."""

from collections.abc import Sequence
from pathlib import Path

from pipeline.ingest.backlog import Backlog
from pipeline.ingest.counts import Counts
from pipeline.ingest.publisher import Publisher
from pipeline.limits import MIB
from pipeline.log.port import HITS, Append, Log
from pipeline.model import HIT_SCHEMA, Alias, Hit

_SHOP = {"workspace": "shop", "site_id": "web", "day": "2025-10-09", "device": "d:phone", "anonymous_id": "phone"}
_EVERY_FIELD = {
    "protocol": "matomo",
    "type": "page",
    "name": "Ünicode “name”",
    "former_id": "old-alice",
    "illegal_id": "user_id: null",
    "url": "https://shop.example/a?b=c",
    "referrer": "https://other.example/",
    "title": "A",
    "device_type": "smartphone",
    "browser": "Firefox",
    "os": "Android",
    "language": "de",
    "country": "DE",
    "ip": "192.0.2.0",
    "campaign_source": "s",
    "campaign_medium": "m",
    "campaign_name": "n",
    "campaign_term": "t",
    "campaign_content": "c",
    "revenue": 19.5,
    "currency": "EUR",
    "bot": True,
    "clock": "corrected",
    "properties": {"sku": "boots", "nested": {"list": [1, 2.5, None, True]}},
    "traits": {"plan": "gold"},
    "traits_once": {"first": "2025"},
    "request_id": "9f86d081884c7d65-00000001",
}
_LINE = b'{"workspace":"shop","site_id":"web","event_id":"broken","ts":"noon","request_id":"c0ffee00c0ffee00"}'
BROKEN = Append(HITS, 0, _LINE, {"schema": HIT_SCHEMA, "count": "1"})  # what becomes a dead letter


def at(minute: int) -> str:
    """A minute of the day."""
    return f"2025-10-09T09:{minute:02d}:00.000Z"


def hits() -> list[Hit]:
    """A page before the login, the login, a sign-out, one with every field, and one without any ID."""
    said = [
        {"event_id": "before"},
        {"event_id": "login", "user_id": "alice", "holds": True, "type": "identify"},
        {"event_id": "every", **_EVERY_FIELD},
        {"event_id": "logout", "logout": True},
        {"event_id": "after"},
        {"event_id": "nobody", "device": "h:nobody", "anonymous_id": ""},
    ]
    times = [{"ts": at(n), "received_at": at(n)} for n in range(len(said))]
    return [Hit(**(_SHOP | time | one)) for time, one in zip(times, said, strict=True)]


def aliases() -> list[Alias]:
    """Two users are one person, and then they are not."""
    said = {"workspace": "shop", "site_id": "web", "ts": at(9), "received_at": at(9), "protocol": "segment"}
    joined = {"user_id": "alice@new", "previous_id": "alice"}
    return [
        Alias(**said, **joined, event_id="joined", authority="secret"),
        Alias(**said, **joined, event_id="taken back", authority="operator", withdrawn=True),
    ]


async def publish(log: Log, spool: Path) -> None:
    """Hits and aliases to the log; where it is away they wait in the folder of the spool."""

    async def write(records: Sequence[Append]) -> bool:
        return await publisher.write(records)

    counts = Counts()
    backlog = Backlog(spool, MIB, write, counts)
    publisher = Publisher(log, backlog, counts, (0, 0))
    await backlog.open()
    await publisher.start()
    await publisher.publish(hits(), aliases())
    await publisher.stop()
    await backlog.close()
