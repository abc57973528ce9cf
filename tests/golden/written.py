"""What a cluster of this version writes to every topic, of one small day; it must not know what older ones wrote.

    python -m tests.golden.written 0.2.0    # keep what is written now as the golden files of version 0.2.0

One file a schema: the topic, the headers and the value of each record, as the real publisher, stitcher and eraser
write them. A folder is made once and never changed; an older version's is what people have on their disks.
"""

import asyncio
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from pipeline.ingest.backlog import Backlog
from pipeline.ingest.counts import Counts
from pipeline.ingest.publisher import Publisher
from pipeline.limits import MIB
from pipeline.log.port import ALIASES, DEAD_LETTERS, ERASURES, HITS, STITCH_STATE, STITCHED, Append
from pipeline.model import HIT_SCHEMA, MARK_SCHEMA, Alias, Hit, Mark, Suppressed
from pipeline.privacy.erasures import remember
from pipeline.privacy.suppression import key_id, user_hash
from tests.stitch.memory_log import MemoryLog
from tests.stitch.worker_parts import Parts

FOLDER = Path(__file__).parent
KEY = b"the erasure key of a day that never was, 32 bytes and more"
FORGOTTEN = "carol"
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
}


class Kept(Struct, frozen=True):
    """One record as it stands on its topic."""

    topic: str
    headers: dict[str, str]
    value: str


def at(minute: int) -> str:
    """A minute of the day."""
    return f"2025-10-09T09:{minute:02d}:00.000Z"


def _hits() -> list[Hit]:
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


def _aliases() -> list[Alias]:
    said = {"workspace": "shop", "site_id": "web", "ts": at(9), "received_at": at(9), "protocol": "segment"}
    joined = {"user_id": "alice@new", "previous_id": "alice"}
    return [
        Alias(**said, **joined, event_id="joined", authority="secret"),
        Alias(**said, **joined, event_id="taken back", authority="operator", withdrawn=True),
    ]


async def written() -> dict[str, list[Kept]]:
    """Every record, by its schema, in the order of its topic."""
    log = MemoryLog(partitions=1)
    with tempfile.TemporaryDirectory() as folder:
        await _publish(log, Path(folder))
        line = b'{"workspace":"shop","site_id":"web","event_id":"broken","ts":"noon"}'
        broken = Append(HITS, 0, line, {"schema": HIT_SCHEMA, "count": "1"})
        mark = Mark(id="00000000-0000-4000-8000-000000000001", epoch=1, erasures=0)
        headers = {"schema": MARK_SCHEMA, "count": "1"}
        await log.append([broken, Append(HITS, 0, msgspec.json.encode(mark), headers)])
        parts = Parts(log, Path(folder))
        await parts.stitch_all()
        parts.cache.close()
    await remember(log, [_forgotten()])
    topics = (HITS, ALIASES, STITCHED, STITCH_STATE, DEAD_LETTERS, ERASURES)
    kept: dict[str, list[Kept]] = {}
    for record in (record for topic in topics for record in log.records[topic, 0]):
        if record.value != broken.value:
            one = Kept(record.topic, dict(record.headers), record.value.decode())
            kept.setdefault(record.headers["schema"], []).append(one)
    return kept


async def _publish(log: MemoryLog, folder: Path) -> None:
    async def write(records: Sequence[Append]) -> bool:
        return await publisher.write(records)

    counts = Counts()
    backlog = Backlog(folder / "spool", MIB, write, counts)
    publisher = Publisher(log, backlog, counts, (0, 0))
    await backlog.open()
    await publisher.start()
    await publisher.publish(_hits(), _aliases())
    await publisher.stop()
    await backlog.close()


def _forgotten() -> Suppressed:
    return Suppressed(
        workspace="shop",
        kind="user",
        hash=user_hash(KEY, "shop", FORGOTTEN),
        since=at(0),
        until=at(30),
        certificate="00000000-0000-4000-8000-000000000002",
        erased_at=at(31),
        key_id=key_id(KEY),
    )


def file_of(folder: Path, schema: str) -> Path:
    """`hit/1` -> `hit-1.json`."""
    return folder / f"{schema.replace('/', '-')}.json"


def golden(folder: Path) -> dict[str, list[Kept]]:
    """What stands in a folder, by schema."""
    read = (msgspec.json.decode(path.read_bytes(), type=list[Kept]) for path in sorted(folder.glob("*.json")))
    return {records[0].headers["schema"]: records for records in read}


def versions() -> list[str]:
    """Those that have golden files, oldest first."""
    found = [folder.name for folder in FOLDER.iterdir() if folder.name[0].isdigit()]
    return sorted(found, key=lambda name: [int(part) for part in name.split(".")])


def keep(version: str, kept: dict[str, list[Kept]]) -> None:
    """Write the golden files of a version. Raises FileExistsError where there are any."""
    folder = FOLDER / version
    folder.mkdir()
    for schema, records in kept.items():
        file_of(folder, schema).write_bytes(msgspec.json.format(msgspec.json.encode(records), indent=1) + b"\n")


def main(words: Sequence[str]) -> None:
    """Keep today's under a version."""
    keep(words[0], asyncio.run(written()))


if __name__ == "__main__":
    main(sys.argv[1:])
