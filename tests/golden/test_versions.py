"""Versions side by side: what every older one wrote is read as it was meant, what a newer one writes is never lost."""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline.log.port import DEAD_LETTERS, ERASURES, HITS, STITCHED, Append
from pipeline.model import STATE_SCHEMA, SUPPRESSED_SCHEMA, DeadLetter
from pipeline.privacy.erasures import UnknownErasure, forgotten
from pipeline.schema import RECORDS
from pipeline.sink.sink import Sink
from pipeline.stitch.worker_recovery import Refused
from pipeline.warehouse.client import Warehouse
from tests.golden.written import FOLDER, FORGOTTEN, KEY, Kept, file_of, golden, versions, written
from tests.stitch.memory_log import MemoryLog
from tests.stitch.worker_parts import Parts
from tests.support.fake_log import FakeLog

VERSIONS = versions()
NEWEST = golden(FOLDER / VERSIONS[-1])
in_process = pytest.mark.parametrize("warehouse_url", ["chdb"], indirect=True)
every_version = pytest.mark.parametrize("version", VERSIONS)
HOW = "\n".join(
    [
        "The log's format has changed. Workers of two versions run side by side, and topics outlive both:",
        "- a new field that older ones may pass over: `python -m tests.golden.written NEXT_VERSION` beside the rest;",
        "- anything else, all of `device-state`: a new version of the schema, and code that still reads the old one.",
    ]
)


def appends(kept: Sequence[Kept], change: Mapping[str, str] | None = None, topic: str = "") -> list[Append]:
    """The records as they were, on partition 0, with other headers where `change` says so; of one topic, if named."""
    wanted = [one for one in kept if topic in ("", one.topic)]
    return [Append(one.topic, 0, one.value.encode(), one.headers | (change or {})) for one in wanted]


def lines(kept: Sequence[Kept]) -> list[dict[str, Any]]:
    """What the records say, line by line."""
    return [msgspec.json.decode(line) for one in kept for line in one.value.split("\n")]


def ahead(kept: Sequence[Kept]) -> list[Kept]:
    """The same from a version that has one more field: a nested one, with a number no integer of ours holds."""
    more = ',"field_of_tomorrow":{"a":[1,null,1e400]}}'
    return [
        msgspec.structs.replace(one, value="\n".join(line[:-1] + more for line in one.value.split("\n")))
        for one in kept
    ]


async def test_what_is_written_today_is_in_the_newest_golden_files() -> None:
    """Whoever changes a format keeps what the version before wrote, and says so by a file."""
    today = await written()

    assert sorted(NEWEST) == sorted(today)
    for schema, kept in today.items():
        assert NEWEST[schema] == kept, f"{schema}: {file_of(FOLDER / VERSIONS[-1], schema)}\n{HOW}"


def test_every_schema_has_a_golden_file() -> None:
    """And no other is written."""
    assert sorted([*RECORDS, STATE_SCHEMA]) == sorted(NEWEST)


@pytest.mark.parametrize("schema", sorted(RECORDS))
def test_every_field_is_in_the_newest_golden_files(schema: str) -> None:
    """One that is left out where it says nothing would change the format unseen."""
    fields = {field.encode_name for field in msgspec.structs.fields(RECORDS[schema])}
    seen = {name for line in lines(NEWEST[schema]) for name in line}

    assert fields - seen == {"late"} & fields, HOW  # a day has nothing that is a lookback late


@every_version
async def test_hits_and_marks_of_every_version_are_stitched(version: str, tmp_path: Path) -> None:
    """To the persons and links of that version; nothing becomes a dead letter."""
    was = golden(FOLDER / version)
    log = await stitched(tmp_path, [*appends(was["hit/1"]), *appends(was["mark/1"], topic=HITS)])

    assert who(lines(was["action/1"])) == who(of_kind(log, "action/1"))
    assert [link["event_id"] for link in lines(was["link/1"])] == [link["event_id"] for link in of_kind(log, "link/1")]
    assert [lines(was["mark/1"])[0]["id"]] == [mark["id"] for mark in of_kind(log, "mark/1")]
    assert [] == log.records[DEAD_LETTERS, 0]


async def stitched(folder: Path, records: Sequence[Append], position: int = 0) -> MemoryLog:
    """The log after a worker has read all of it, from a stored position if there is one."""
    log = MemoryLog(partitions=1)
    await log.append(records)
    if position:
        log.positions = {0: position}
    parts = Parts(log, folder)
    try:
        await parts.stitch_all()
    finally:
        parts.cache.close()
    return log


def of_kind(log: MemoryLog, schema: str) -> list[dict[str, Any]]:
    """Lines of `stitched`."""
    values = [record.value for record in log.records[STITCHED, 0] if record.headers["schema"] == schema]
    return [msgspec.json.decode(line) for value in values for line in value.split(b"\n")]


def who(actions: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, str]]:
    """Whose each is, and why."""
    return [(action["event_id"], action["person_id"], action["attribution"]) for action in actions]


@every_version
async def test_device_states_of_every_version_are_remembered(version: str, tmp_path: Path) -> None:
    """A worker that begins with them alone knows who signed in: a page that comes late is hers."""
    was = golden(FOLDER / version)
    page = was["hit/1"][0].value.split("\n")[0].replace('"before"', '"late"')
    read = int(was[STATE_SCHEMA][0].headers["version"]) % 2**48 + 1  # records of hits that the states include
    hits = [Append(HITS, 0, page.encode(), {"schema": "hit/1", "count": "1"})] * (read + 1)
    log = await stitched(tmp_path, [*appends(was[STATE_SCHEMA]), *hits], position=read)

    (before, *_) = who(lines(was["action/1"]))
    assert [("late", *before[1:])] == who(of_kind(log, "action/1"))
    assert [] == log.records[DEAD_LETTERS, 0]


@in_process
@every_version
async def test_the_sink_stores_what_every_version_wrote(version: str, warehouse: Warehouse) -> None:
    """Actions, links, statements and dead letters, none of them refused; and the same with a field of tomorrow."""
    was = golden(FOLDER / version)
    kinds = ("action/1", "link/1", "alias/1", "dead-letter/1")
    counts = [len(lines(was[kind])) for kind in kinds]
    tables = ("actions", "identity_links FINAL", "alias_statements FINAL", "dead_letters FINAL")
    for kept in (was, {schema: ahead(records) for schema, records in was.items()}):
        log = FakeLog(1)
        await log.append([record for kind in kinds for record in appends(kept[kind])])
        await log.append(appends(kept["mark/1"], topic=STITCHED))
        sink = Sink(log, warehouse)
        while await sink.flush_once():
            pass

        assert counts == [warehouse.query(f"SELECT count() FROM {table}").rows[0][0] for table in tables]
        rows = warehouse.query("SELECT event_id, toString(stitched_person_id), attribution FROM actions").rows
        assert sorted(who(lines(was["action/1"]))) == sorted(tuple(row) for row in rows)


@every_version
async def test_whom_every_version_forgot_is_known(version: str, tmp_path: Path) -> None:
    """Erasure is final, across versions; a field of tomorrow does not hide anybody."""
    key = tmp_path / "key"
    key.write_bytes(KEY)
    was = golden(FOLDER / version)[SUPPRESSED_SCHEMA]
    for kept in (was, ahead(was)):
        log = Topics(1)
        await log.append(appends(kept))
        known = await forgotten(log, key)

        assert (True, False) == (known.suppression.user("shop", FORGOTTEN), known.suppression.user("shop", "alice"))


class Topics(FakeLog):
    """That has every topic."""

    async def exists(self, topic: str) -> bool:
        return True


async def test_a_field_of_tomorrow_survives_stitching(tmp_path: Path) -> None:
    """The person is spliced into the very bytes: what this version does not know reaches the next that does."""
    log = await stitched(tmp_path, appends(ahead(NEWEST["hit/1"])))

    values = [record.value for record in log.records[STITCHED, 0] if record.headers["schema"] == "action/1"]
    actions = [line for value in values for line in value.split(b"\n")]
    assert [True] * len(lines(NEWEST["hit/1"])) == [b'"field_of_tomorrow":{"a":[1,null,1e400]}' in a for a in actions]
    assert [] == log.records[DEAD_LETTERS, 0]


async def test_hits_and_marks_of_a_schema_of_tomorrow_are_kept_whole(tmp_path: Path) -> None:
    """As dead letters with their bytes: a newer version can read them again."""
    tomorrow = [
        *appends(NEWEST["hit/1"], {"schema": "hit/2"}),
        *appends(NEWEST["mark/1"], {"schema": "mark/2"}, topic=HITS),
    ]
    log = await stitched(tmp_path, tomorrow)

    assert [] == log.records[STITCHED, 0]
    assert [("unknown_schema", append.value) for append in tomorrow] == letters(log.records[DEAD_LETTERS, 0])


def letters(records: Sequence[Any]) -> list[tuple[str, bytes]]:
    """Reason and bytes of each dead letter."""
    found = [msgspec.json.decode(line, type=DeadLetter) for r in records for line in r.value.split(b"\n")]
    return [(letter.reason, base64.b64decode(letter.payload)) for letter in found]


@in_process
async def test_the_sink_keeps_a_schema_of_tomorrow_whole(warehouse: Warehouse) -> None:
    """Every kind, from every topic it reads: in the table of dead letters, with its bytes, and nothing else stored."""
    kinds = ("action/1", "link/1", "alias/1", "dead-letter/1")
    tomorrow = [append for kind in kinds for append in appends(NEWEST[kind], {"schema": f"{kind[:-1]}2"})]
    log = FakeLog(1)
    await log.append(tomorrow)
    sink = Sink(log, warehouse)
    while await sink.flush_once():
        pass

    rows = warehouse.query("SELECT reason, payload FROM dead_letters FINAL").rows
    assert sorted(("unknown_schema", append.value) for append in tomorrow) == sorted(
        (reason, base64.b64decode(payload)) for reason, payload in rows
    )
    assert [[0, 0]] == warehouse.query(
        "SELECT (SELECT count() FROM actions), (SELECT count() FROM alias_statements)"
    ).rows


async def test_device_states_of_a_schema_of_tomorrow_stop_the_worker(tmp_path: Path) -> None:
    """Passing over them would forget who signed in, and every later decision would be made without it."""
    with pytest.raises(Refused, match=r"schema 'device-state/2', this version of Seamline reads 'device-state/1'"):
        await stitched(tmp_path, appends(NEWEST[STATE_SCHEMA], {"schema": "device-state/2"}))


async def test_a_device_state_that_grew_under_its_old_name_is_kept(tmp_path: Path) -> None:
    """It cannot be read in part: a dead letter with its bytes, counted, while the worker goes on."""
    (was,) = NEWEST[STATE_SCHEMA]
    grown = msgspec.structs.replace(was, value=was.value.replace("]]}", "],7]}"))
    log = await stitched(tmp_path, appends([grown], {"version": "0"}))

    assert grown.value != was.value
    assert [("bad_state", grown.value.encode())] == letters(log.records[DEAD_LETTERS, 0])


async def test_erasures_of_a_schema_of_tomorrow_stop_whoever_reads_them(tmp_path: Path) -> None:
    """Passing over one would bring back somebody who was forgotten."""
    key = tmp_path / "key"
    key.write_bytes(KEY)
    log = Topics(1)
    await log.append(
        [*appends(NEWEST[SUPPRESSED_SCHEMA]), *appends(NEWEST[SUPPRESSED_SCHEMA], {"schema": "suppressed/2"})]
    )

    with pytest.raises(UnknownErasure, match=f"{ERASURES}/0/1: schema 'suppressed/2', not 'suppressed/1'"):
        await forgotten(log, key)
