"""Who was forgotten, on a topic of its own where the log is Kafka; it must not know what anybody does about it.

The topic outlives the warehouse: whoever stitches everything once more into an empty one forgets the same people.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

import msgspec
from msgspec import Struct

from pipeline.log.port import ERASURES, Log, LogUnavailable
from pipeline.model import SUPPRESSED_SCHEMA, Suppressed
from pipeline.privacy.keys import NoKey, erasure_key
from pipeline.privacy.suppression import Suppression, key_id, suppression_of
from pipeline.stitch.pack import packed

LOOK_S = 5.0  # stitch and sink let nothing through anyway: this is for what the log would hold till retention
_log = logging.getLogger(__name__)
_decode = msgspec.json.Decoder(Suppressed).decode_lines


class Topics(Log, Protocol):
    """A log that may lack a topic."""

    async def exists(self, topic: str) -> bool:
        """Whether it has this one."""


class UnknownErasure(NoKey):
    """A newer version forgot somebody in words that this one cannot read. Passing over it would bring them back."""


class Forgotten(Struct, frozen=True):
    """Everybody in the first `records` records of the topic. `key_id`: of the key that is there, "" without one."""

    suppression: Suppression = Suppression()
    records: int = 0
    key_id: str = ""


async def forgotten(log: Topics, key_file: Path) -> Forgotten:
    """Everybody who was forgotten so far; nobody where there is no such topic. Raises NoKey (where it says something
    that this version cannot read, too) and LogUnavailable."""
    if not await log.exists(ERASURES):
        return Forgotten()
    rows: list[Suppressed] = []
    first, end = (await log.span(ERASURES))[0]
    async for record in log.read(ERASURES, 0, first, end):
        if (schema := record.headers.get("schema", "")) != SUPPRESSED_SCHEMA:
            raise UnknownErasure(f"{ERASURES}/0/{record.offset}: schema {schema!r}, not {SUPPRESSED_SCHEMA!r}")
        rows += _decode(record.value)
    key = await asyncio.to_thread(_key, key_file)
    if key is None and not rows:
        return Forgotten(records=end)
    if key is None:
        raise NoKey(f"{key_file}: no such file, and {ERASURES} remembers people")
    if {row.key_id for row in rows} - {key_id(key)}:
        raise NoKey(f"{key_file}: another key than the one under which {ERASURES} remembers people")
    return Forgotten(suppression_of(key, rows), end, key_id(key))


async def remember(log: Log, rows: Iterable[Suppressed]) -> int:
    """Add them; how many records the topic has from now on."""
    await log.append(packed(ERASURES, 0, SUPPRESSED_SCHEMA, [msgspec.json.encode(row) for row in rows]))
    return (await log.span(ERASURES))[0][1]


async def follow(log: Topics, key_file: Path, heard: Callable[[Suppression], None]) -> None:
    """Tell `heard` of everybody who is forgotten, within `LOOK_S`, until cancelled. A log that is away is waited
    for."""
    known, trouble = -1, ""
    while True:
        try:
            now = await forgotten(log, key_file)
        except (LogUnavailable, NoKey) as error:
            if str(error) != trouble:
                trouble = str(error)
                _log.warning("whom to forget is not known: %s", error)
        else:
            if now.records != known:
                known = now.records
                heard(now.suppression)
        await asyncio.sleep(LOOK_S)


def _key(path: Path) -> bytes | None:
    return erasure_key(path, make=False) if path.is_file() else None
