"""One partition's work between two checkpoints; it must not know which log or which store makes it durable."""

from collections.abc import Sequence

import msgspec
from msgspec import Struct, structs

from pipeline.identity.device import Device
from pipeline.identity.policy import Policy
from pipeline.identity.stitcher import Key, Stamp, Stitched, stitch
from pipeline.log.port import DEAD_LETTERS, STITCHED, Append, Record
from pipeline.model import ACTION_SCHEMA, DEAD_LETTER_SCHEMA, LINK_SCHEMA, MARK_SCHEMA, Mark
from pipeline.privacy.erasures import Forgotten
from pipeline.stitch.erased import without
from pipeline.stitch.figures import Done
from pipeline.stitch.pack import packed
from pipeline.stitch.record import Decoded, action_lines, dead_letters, decode, version_of
from pipeline.stitch.states import DeviceStates

_encode = msgspec.json.Encoder().encode


class Checkpoint(Struct):
    """What must become durable, in this order: `outputs`, then `dirty` states, then `position` (the next offset).

    The partition may go on folding while that happens, and changes the very devices of `dirty` when it does: encode
    them (`states.rows`) before the next `feed`.
    """

    outputs: list[Append]
    dirty: dict[Key, Device]
    position: int
    done: Done


class Unstitchable(Exception):
    """A record that the core could not fold: a bug of ours. Whoever holds the partition starts it again from its last
    checkpoint with this offset in `poison`, so that the record becomes a dead letter and nothing is half folded."""

    def __init__(self, offset: int, cause: Exception) -> None:
        super().__init__(f"offset {offset}: {type(cause).__name__}: {cause}")
        self.offset = offset
        self.kind = type(cause).__name__  # for logs: what the cause says may quote a hit


class Partition:
    """Folds records in offset order and gathers what they mean.

    Rows come out before links and both in record order, so in the output no row of a lower version ever follows a
    link that should have covered it. Emission is coalesced; the diff never is.
    """

    def __init__(
        self,
        number: int,
        policy: Policy,
        epoch: int,
        states: DeviceStates,
        position: int,
        *,
        forgotten: Forgotten = Forgotten(),  # noqa: B008
    ) -> None:
        self.number = number
        self.position = position
        self.hits = 0
        self._committed = position
        self._policy = policy
        self._epoch = epoch
        self._states = states
        self._forgotten = forgotten
        self._poison: dict[int, str] = {}
        self._storing: dict[Key, Device] = {}
        self._reset()

    @property
    def bytes_waiting(self) -> int:
        """How much output waits for the checkpoint."""
        return self._bytes

    def feed(self, records: Sequence[Record]) -> None:
        """Fold the records; ones below the position were folded before and are passed over.

        Raises Unstitchable; then nothing else may be asked of the partition before `restart`.
        """
        decoded = [(record, self._decode(record)) for record in records if record.offset >= self.position]
        keys = {(h.workspace, h.anonymous_id) for _, d in decoded for h in d.heads if h.anonymous_id}
        devices = self._states.load(keys - self._dirty.keys() - self._storing.keys()) | self._storing | self._dirty
        for record, readable in decoded:
            if record.offset in self._poison:
                self._bury(record)
            else:
                self._fold(record, readable, devices)
            self.position = record.offset + 1

    def restart(self, error: Unstitchable | None = None) -> None:
        """Undo everything since the last durable checkpoint; the record that could not be folded is buried next time.

        Not between `checkpoint` and the end of its storing, unless that storing has failed for good.
        """
        if error is not None:
            self._poison[error.offset] = str(error)
        self._states.forget()
        self.position = self._committed
        self._storing = {}
        self._reset()

    def checkpoint(self) -> Checkpoint | None:
        """What has been gathered since the last one; None when no record was read. States are settled here.

        `feed` may go on at once; the next checkpoint comes after this one's `committed`.
        """
        assert not self._storing, "the checkpoint before is still being stored"
        if self.position == self._committed:
            return None
        committed = version_of(self._epoch, self._committed - 1) if self._committed else 0
        for device in self._dirty.values():
            device.settle(committed)
        topics = {
            **dict.fromkeys((ACTION_SCHEMA, LINK_SCHEMA, MARK_SCHEMA), STITCHED),
            DEAD_LETTER_SCHEMA: DEAD_LETTERS,
        }
        outputs = [a for kind, lines in self._lines.items() for a in packed(topics[kind], self.number, kind, lines)]
        checkpoint = Checkpoint(outputs, self._dirty, self.position, self._done)
        self._storing = self._dirty
        self._reset()
        return checkpoint

    def committed(self, checkpoint: Checkpoint) -> None:
        """The checkpoint is durable: go on from there."""
        self._states.keep(checkpoint.dirty)
        self._committed = checkpoint.position
        self.hits += checkpoint.done.hits
        self._storing = {}
        self._poison = {offset: why for offset, why in self._poison.items() if offset >= self._committed}

    def _decode(self, record: Record) -> Decoded:
        if record.offset in self._poison:
            return Decoded([], [], [], [])
        if record.headers.get("schema") == MARK_SCHEMA:
            return Decoded([], [], [], [])
        try:
            return without(decode(record), self._forgotten.suppression)
        except Exception as error:
            raise Unstitchable(record.offset, error) from error

    def _fold(self, record: Record, readable: Decoded, devices: dict[Key, Device]) -> None:
        stamp = Stamp(version_of(self._epoch, record.offset), record.timestamp_ms)
        try:
            passed = self._passed(record) if record.headers.get("schema") == MARK_SCHEMA else []
            stitched = stitch(readable.heads, devices, self._policy, stamp, readable.times)
        except Exception as error:
            raise Unstitchable(record.offset, error) from error
        self._emit(ACTION_SCHEMA, list(action_lines(readable.lines, stitched.placed, stamp.version)))
        self._emit(LINK_SCHEMA, [_encode(link) for link in stitched.links])
        self._emit(DEAD_LETTER_SCHEMA, readable.dead)
        self._emit(MARK_SCHEMA, passed)
        self._dirty.update((key, devices[key]) for key in stitched.dirty)
        self._count(record, readable, stitched, len(passed))

    def _count(self, record: Record, readable: Decoded, stitched: Stitched, marks: int) -> None:
        done = self._done
        done.read += 0 if marks else record.lines
        done.hits += len(readable.heads)
        done.links += len(stitched.links)
        done.erased += readable.gone
        done.place(stitched.placed)
        if readable.unreadable:
            done.dead_letters[readable.reason] += readable.unreadable

    def _passed(self, record: Record) -> list[bytes]:
        """The mark with what it is passed under. It stands behind all that was gathered before it: its kind is last."""
        marks = msgspec.json.Decoder(Mark).decode_lines(record.value)
        known = {
            "epoch": self._epoch,
            "erasures": self._forgotten.records,
            "policy": _encode(self._policy).decode(),
            "key_id": self._forgotten.key_id,
        }
        return [_encode(structs.replace(mark, **known)) for mark in marks]

    def _bury(self, record: Record) -> None:
        why = self._poison[record.offset]
        self._emit(DEAD_LETTER_SCHEMA, dead_letters(record, None, record.value, "stitch_failed", why))
        self._done.poisoned += 1
        self._done.read += record.lines
        self._done.dead_letters["stitch_failed"] += record.lines

    def _reset(self) -> None:
        self._dirty: dict[Key, Device] = {}
        kinds = (ACTION_SCHEMA, LINK_SCHEMA, DEAD_LETTER_SCHEMA, MARK_SCHEMA)
        self._lines: dict[str, list[bytes]] = {kind: [] for kind in kinds}
        self._bytes = 0
        self._done = Done()

    def _emit(self, schema: str, lines: list[bytes]) -> None:
        self._lines[schema] += lines
        self._bytes += sum(map(len, lines))
