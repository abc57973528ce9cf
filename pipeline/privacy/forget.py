"""Erasing one person from everything a running `up` keeps; it must not know how it was asked.

In this order. A crash at any point is mended by asking again: until step 6 the warehouse still says what is to be
found, and each step finds only what is left.

1. Suppressions are stored, and ingest has them: from here on nothing new of theirs is taken.
2. What was taken is stitched and stored to the end; stitch and sink stand still.
3. The warehouse says who they are by alias, which devices go whole, and which rows are theirs.
4. The log is rewritten: their lines go, and logins on devices of others become stubs.
5. Device states: theirs are deleted, and elsewhere they have no name.
6. The warehouse loses them: stubs first, then every version of every row, facts, links, traits, merges, dead letters.
7. Files that were replaced are gone from the disk. Stitch and sink go on.
"""

import asyncio
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

import msgspec
from msgspec import Struct

from pipeline.identity.ids import NAMELESS, device_person, user_person
from pipeline.limits import TIME_MIN_MS
from pipeline.log.local import LocalLog, LocalWriter
from pipeline.model import Hit, Suppressed
from pipeline.privacy.lines import Forgotten, names_her, rewritten, stub_action
from pipeline.privacy.suppression import (
    Suppression,
    device_hash,
    key_id,
    nameless,
    stub,
    suppression_of,
    user_hash,
)
from pipeline.stitch.states import erase as erase_states
from pipeline.times import iso
from pipeline.warehouse.port import Store
from pipeline.warehouse.shard_erasure import Erasure
from pipeline.warehouse.texts import sql_text


class Request(Struct, frozen=True):
    """Whom to forget: exactly one of the two is set."""

    workspace: str
    user_id: str = ""
    anonymous_id: str = ""


class Certificate(Struct):
    """What was done, without the name of whom it was done to. `subject`: their hash under the erasure key."""

    certificate: str
    workspace: str
    subject: str
    erased_at: str
    users: int = 0
    devices: int = 0
    row_versions: Mapping[str, int] = {}
    log_records: int = 0
    states: int = 0
    stubs: int = 0
    log_until: str = ""  # the day from which no record on Kafka can hold them; "": none does


class Holder(Struct):
    """What a running `up` has. `still`: a block in which everything taken is stored, and nothing is at work."""

    log: LocalLog
    warehouse: Store
    key: bytes
    suppress: Callable[[Suppression], None]
    still: Callable[[], AbstractAsyncContextManager[None]]


async def forget(holder: Holder, request: Request) -> Certificate:
    """Erase them; what was done. Raises what the warehouse and the log raise; then ask again."""
    now = iso(time.time_ns() // 1_000_000)
    made = certificate(holder.key, request, now)
    erasure = Erasure(holder.warehouse)
    gone = await asyncio.to_thread(find, erasure, request, holder.key, now)
    await _suppress(holder, erasure, made, gone)
    async with holder.still():
        gone = await asyncio.to_thread(find, erasure, request, holder.key, now)
        await _suppress(holder, erasure, made, gone)
        logins = await asyncio.to_thread(erasure.logins)
        made.log_records = await holder.log.rewrite(
            lambda value, headers: rewritten(value, headers.get("schema", ""), gone)
        )
        made.states = await holder.log.write(lambda writer: _erase_states(writer, gone, logins))
        await holder.log.scrub()
        made.stubs = len(logins)
        made.row_versions = await asyncio.to_thread(erase, erasure, gone, logins)
        await asyncio.to_thread(erasure.purge)
        await asyncio.to_thread(erasure.finish)
    made.users, made.devices = len(gone.users), len(gone.devices)
    return made


def load_suppression(warehouse: Store, key: bytes) -> Suppression:
    """Everybody who was ever forgotten."""
    rows = warehouse.rows(sql_text("suppressed"))
    return suppression_of(key, (msgspec.convert(row, Suppressed) for row in rows))


def certificate(key: bytes, request: Request, now: str) -> Certificate:
    """Of an erasure that begins."""
    who = (user_hash, request.user_id) if request.user_id else (device_hash, request.anonymous_id)
    return Certificate(str(uuid.uuid4()), request.workspace, who[0](key, request.workspace, who[1]), now)


def find(erasure: Erasure, request: Request, key: bytes, until: str) -> Forgotten:
    """Who they are, and what is theirs, as the warehouse has it. Blocks."""
    if request.user_id:
        erasure.find(request.workspace, request.user_id, user_person(request.workspace, request.user_id))
    else:
        erasure.find(request.workspace, NAMELESS, device_person(request.workspace, request.anonymous_id))
    users = erasure.users()
    return Forgotten(
        workspace=request.workspace,
        users=frozenset(user for user, _ in users if user != NAMELESS),
        persons=frozenset(person for _, person in users),
        devices=frozenset(device[2:] for device in erasure.devices()),
        rows=frozenset(erasure.rows()),
        until=until,
        key=key,
    )


async def _suppress(holder: Holder, erasure: Erasure, made: Certificate, gone: Forgotten) -> None:
    """Step 1: twice, because those found after the last hit may be more."""
    await asyncio.to_thread(lambda: erasure.insert("suppressions", suppressed(erasure, made, gone)))
    holder.suppress(await asyncio.to_thread(load_suppression, holder.warehouse, holder.key))


def suppressed(erasure: Erasure, made: Certificate, gone: Forgotten) -> list[Suppressed]:
    """How they are remembered. Blocks."""
    key, workspace = gone.key, gone.workspace
    ever = (iso(TIME_MIN_MS), gone.until)
    theirs = [("user", user_hash(key, workspace, user), *ever) for user in sorted(gone.users)]
    theirs += [("device", device_hash(key, workspace, device), *ever) for device in sorted(gone.devices)]
    for span in erasure.spans():
        name = device_hash(key, workspace, span["device"][2:])
        theirs.append(("span", name, span["since"], span["until"]))
    common = {"certificate": made.certificate, "erased_at": made.erased_at, "key_id": key_id(key)}
    return [
        Suppressed(workspace=workspace, kind=kind, hash=name, since=since, until=until, **common)  # type: ignore[arg-type]
        for kind, name, since, until in theirs
    ]


def _erase_states(writer: LocalWriter, gone: Forgotten, logins: list[dict[str, Any]]) -> int:
    """Step 5."""
    names: dict[tuple[str, str], dict[str, str]] = {}
    for login in logins:
        key = (gone.workspace, login["anonymous_id"])
        names.setdefault(key, {})[login["user_id"]] = nameless(gone.key, *key, login["user_id"])
    return erase_states(writer.execute, [(gone.workspace, device) for device in gone.devices], names)


def erase(erasure: Erasure, gone: Forgotten, logins: list[dict[str, Any]]) -> dict[str, int]:
    """Stubs first, then every version of every row goes; how many, by table. Blocks."""
    stubs = [stub_action(stub(gone.key, msgspec.convert(login, Hit)), login["version"]) for login in logins]
    erasure.insert("action_log", stubs)
    erasure.mark_letters(name for name, payload, detail in erasure.letters() if names_her(payload, detail, gone))
    return erasure.erase()
