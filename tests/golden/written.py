"""What a cluster of this version writes to every topic, of one small day; it must not know what older ones wrote.

    python -m tests.golden.written 0.2.0    # keep what is written now as the golden files of version 0.2.0

One file a schema: the topic, the headers and the value of each record, as the real publisher, stitcher and eraser
write them; and in `disk/` the SQLite files of `disks`. A released version's folder is never changed: it is what people
have on their topics and disks. That of the next one is made anew until it is released.
"""

import asyncio
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from pipeline.log.port import ALIASES, DEAD_LETTERS, ERASURES, HITS, STITCH_STATE, STITCHED, Append
from pipeline.model import MARK_SCHEMA, Mark, Suppressed
from pipeline.privacy.erasures import remember
from pipeline.privacy.suppression import key_id, user_hash
from tests.golden.day import BROKEN, at, publish
from tests.golden.disks import keep_disk, left_behind
from tests.stitch.memory_log import MemoryLog
from tests.stitch.worker_parts import Parts

FOLDER = Path(__file__).parent
KEY = b"the erasure key of a day that never was, 32 bytes and more"
FORGOTTEN = "carol"


class Kept(Struct, frozen=True):
    """One record as it stands on its topic."""

    topic: str
    headers: dict[str, str]
    value: str


async def written() -> dict[str, list[Kept]]:
    """Every record, by its schema, in the order of its topic."""
    log = MemoryLog(partitions=1)
    with tempfile.TemporaryDirectory() as folder:
        await publish(log, Path(folder) / "spool")
        mark = Mark(id="00000000-0000-4000-8000-000000000001", epoch=1, erasures=0)
        headers = {"schema": MARK_SCHEMA, "count": "1"}
        await log.append([BROKEN, Append(HITS, 0, msgspec.json.encode(mark), headers)])
        parts = Parts(log, Path(folder))
        await parts.stitch_all()
        parts.cache.close()
    await remember(log, [_forgotten()])
    topics = (HITS, ALIASES, STITCHED, STITCH_STATE, DEAD_LETTERS, ERASURES)
    kept: dict[str, list[Kept]] = {}
    for record in (record for topic in topics for record in log.records[topic, 0]):
        if record.value != BROKEN.value:
            one = Kept(record.topic, dict(record.headers), record.value.decode())
            kept.setdefault(record.headers["schema"], []).append(one)
    return kept


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


async def keep(version: str) -> None:
    """Write the golden files of a version. Raises FileExistsError where there are any."""
    folder = FOLDER / version
    folder.mkdir()
    for schema, records in (await written()).items():
        file_of(folder, schema).write_bytes(msgspec.json.format(msgspec.json.encode(records), indent=1) + b"\n")
    with tempfile.TemporaryDirectory() as disk:
        keep_disk(folder, await left_behind(Path(disk)))


def main(words: Sequence[str]) -> None:
    """Keep today's under a version."""
    asyncio.run(keep(words[0]))


if __name__ == "__main__":
    main(sys.argv[1:])
