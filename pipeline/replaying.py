"""Moving what the log holds to other topics, with another number of partitions; it must not know what follows from it.

A device stays in one partition for the life of a topic, so another number of partitions is other topics. In this order;
a crash at any point is mended by moving again: a position is stored once what was read before it is durable on the
other side, and what is there twice means the same as once.

1. `erasures`: whom to forget is known before any hit of theirs is there.
2. `hits`, line by line, each to the partition that is its device's now; a device's lines keep their order. Marks stay:
   they were for those who stitched then.
3. `stitch-state`, the same: it knows who signed in before the oldest hit. After the hits, so that the facts of those
   that retention takes meanwhile are in it.
4. `aliases`, by workspace, and `dead-letters`.

`stitched` follows from `hits`, and is not moved. Lines that cannot be read become the very dead letters that whoever
stitches or recovers would make of them, with the same IDs. Whoever has moved gives the new topics their epoch; nobody
stitches them without one. The rows come out the same under other borders of records: that is promise 3.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import msgspec
from msgspec import Struct

from pipeline.log.partition import alias_partition_of, partition_of
from pipeline.log.port import ALIASES, DEAD_LETTERS, ERASURES, HITS, STITCH_STATE, Append, Log, Record
from pipeline.model import DEAD_LETTER_SCHEMA, HIT_SCHEMA, MARK_SCHEMA, STATE_SCHEMA
from pipeline.privacy.suppression import Suppression
from pipeline.stitch.changelog import VERSION_HEADER, UnknownState, lines_by_key, version_in
from pipeline.stitch.erased import without
from pipeline.stitch.pack import packed
from pipeline.stitch.record import dead_letters, decode

_WAIT_MS = 500
_RECORDS = 1_000
Turn = Callable[[Sequence[Record], int], list[Append]]
"""Records of one topic, and how many partitions it has on the other side, to what is appended there."""


class CannotMove(Exception):
    """The old topics hold what this version cannot read. The text says what to do."""


async def move(source: Log, target: Log, name: str, forgotten: Suppression) -> Mapping[str, int]:
    """Everything up to where `source` ends now; how many records of each topic were read. `name`: of the target.
    Those who were forgotten stay behind: on the old topics retention counts their days, on the new ones it would begin
    again.

    Raises CannotMove, and LogUnavailable: then move again.
    """
    turns: dict[str, Turn] = {
        ERASURES: as_it_is,
        HITS: partial(hits, forgotten),
        STITCH_STATE: partial(states, forgotten),
        ALIASES: aliases,
        DEAD_LETTERS: as_it_is,
    }
    return {topic: await _move(source, target, topic, turn, f"replay-{name}") for topic, turn in turns.items()}


async def _move(source: Log, target: Log, topic: str, turn: Turn, group: str) -> int:
    ends = {number: end for number, (first, end) in (await source.span(topic)).items() if end > first}
    partitions = await target.partitions(topic)
    at = dict(await source.committed(topic, group))
    reader = await source.reader(topic, group)
    count = 0
    try:
        while any(at.get(number, 0) < end for number, end in ends.items()):
            if records := await reader.fetch(_WAIT_MS, _RECORDS):
                await target.append(turn(records, partitions))
                read = {record.partition: record.offset + 1 for record in records}
                await reader.commit(read)
                at |= read
                count += len(records)
            else:  # somebody else, moving too, may have the rest
                at |= await source.committed(topic, group)
    finally:
        await reader.close()
    return count


def as_it_is(records: Sequence[Record], partitions: int) -> list[Append]:
    """For topics whose records are nobody's in particular."""
    return [_same(record, partitions) for record in records]


def hits(forgotten: Suppression, records: Sequence[Record], partitions: int) -> list[Append]:
    """Lines by device, and dead letters of what is no hit."""
    lines: defaultdict[int, list[bytes]] = defaultdict(list)
    others: list[Append] = []
    for record in records:
        if record.headers.get("schema") == MARK_SCHEMA:
            continue
        decoded = without(decode(record), forgotten)
        for line, head in zip(decoded.lines, decoded.heads, strict=True):
            lines[partition_of(head.workspace, head.device, partitions)].append(line)
        others += packed(DEAD_LETTERS, 0, DEAD_LETTER_SCHEMA, decoded.dead)
    return [a for number, mine in lines.items() for a in packed(HITS, number, HIT_SCHEMA, mine)] + others


def states(forgotten: Suppression, records: Sequence[Record], partitions: int) -> list[Append]:
    """Entries by device, untouched; each record says the newest version that is in it. Raises CannotMove."""
    appends: list[Append] = []
    for record in records:
        try:
            found, unreadable = lines_by_key(record, forgotten)
        except UnknownState as error:
            raise CannotMove(f"{error}. Run that version, or a newer one.") from error
        lines: defaultdict[int, list[bytes]] = defaultdict(list)
        for (workspace, anonymous_id), line in found:
            lines[partition_of(workspace, f"d:{anonymous_id}", partitions)].append(line)
        version = {VERSION_HEADER: str(version_in(record))}
        for number, mine in lines.items():
            made = packed(STITCH_STATE, number, STATE_SCHEMA, mine)
            appends += [Append(a.topic, a.partition, a.value, {**a.headers, **version}) for a in made]
        letters = [dead for u in unreadable for dead in dead_letters(record, u.number, u.line, "bad_state", u.reason)]
        appends += packed(DEAD_LETTERS, 0, DEAD_LETTER_SCHEMA, letters)
    return appends


class _Said(Struct):
    """Where a statement was made."""

    workspace: str


_said = msgspec.json.Decoder(_Said).decode


def aliases(records: Sequence[Record], partitions: int) -> list[Append]:
    """Statements by workspace. A record with a line that is none stays whole: the sink says what is wrong with it."""
    appends: list[Append] = []
    for record in records:
        lines: defaultdict[int, list[bytes]] = defaultdict(list)
        try:
            for line in record.value.split(b"\n"):
                lines[alias_partition_of(_said(line).workspace, partitions)].append(line)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            appends.append(_same(record, partitions))
            continue
        schema = record.headers.get("schema", "")
        appends += [a for number, mine in lines.items() for a in packed(ALIASES, number, schema, mine)]
    return appends


def _same(record: Record, partitions: int) -> Append:
    return Append(record.topic, record.partition % partitions, record.value, record.headers)
