"""The log to ClickHouse, flush by flush; it must not know where persons come from or how a log is kept.

One flush of `stitched`, in this order; a crash at any point reads everything since the last commit again, perhaps with
other borders, and every step is idempotent, so that nothing is lost and nothing is doubled:

1. rows are inserted (a crash after it: the same rows again, replaced by key and version);
2. links are staged, and with that kept in `identity_links` (again: the same keys);
3. links are applied to rows of a lower version (again: no row has one any more);
4. what was refused goes to `dead-letters` (again: the same ids);
5. positions are committed, no further than what still waits.

Within a flush the order of rows and links does not matter: a link leaves rows of its own version and above alone, and
rows that come after their link carry their own attribution. So the rows of the next flush are read and inserted while
steps 2 to 5 of this one are at work; those steps never overlap with themselves.
"""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence

from pipeline.log.dead_letters import dead_letters
from pipeline.log.port import ALIASES, DEAD_LETTERS, STITCHED, Append, Log, Record
from pipeline.model import ACTION_SCHEMA, ALIAS_SCHEMA, DEAD_LETTER_SCHEMA, LINK_SCHEMA, MARK_SCHEMA
from pipeline.privacy.suppression import Suppression
from pipeline.sink.accounts import Accounts
from pipeline.sink.batch import Batch, Line, sort
from pipeline.sink.deferral import DEVICE_ROWS_MAX, Deferral, Device
from pipeline.sink.device_days import DeviceDays
from pipeline.sink.figures import Figures
from pipeline.sink.lane import INTERVAL_MS, Lane
from pipeline.sink.merges import Merges
from pipeline.sink.patience import Patience, Stopped
from pipeline.sink.poison import insert_good
from pipeline.sink.statements import nobody, spoken
from pipeline.sink.suspects import Suspects
from pipeline.warehouse.errors import RowsRefused
from pipeline.warehouse.port import Store

GROUP = "sink"
DEAD_GROUP = "sink-dead-letters"  # apart: members of one Kafka group should read the same topics
ALIAS_GROUP = "sink-aliases"
_ALIASES_LINGER_S = 10.0  # trackers may state aliases while stitching stands still
Flush = Callable[[Sequence[Record]], Awaitable[None]]
_DEAD = {"schema": DEAD_LETTER_SCHEMA, "count": "1"}


class Sink:
    """Reads `stitched` as group `sink`, `aliases` and `dead-letters`, and writes them to the warehouse.

    `figures`, `behind_ms` and `retries` may be read at any time; `on_flush` is called after each commit of `stitched`.
    """

    def __init__(
        self,
        log: Log,
        warehouse: Store,
        *,
        interval_ms: int = INTERVAL_MS,
        deferral: Deferral | None = None,
        on_flush: Callable[[Figures], None] = lambda figures: None,
        forgotten: Callable[[], Awaitable[Suppression]] = nobody,
    ) -> None:
        self._accounts = Accounts(log, {STITCHED: GROUP, ALIASES: ALIAS_GROUP, DEAD_LETTERS: DEAD_GROUP})
        self.figures = self._accounts.figures
        self._log = log
        self._warehouse = warehouse
        self._stitched = Lane(log, STITCHED, GROUP, interval_ms)
        self._aliases = Lane(log, ALIASES, ALIAS_GROUP, interval_ms)
        self._dead = Lane(log, DEAD_LETTERS, DEAD_GROUP, interval_ms)
        self._merges = Merges(warehouse)
        self._suspects = Suspects(warehouse, self.figures.suspects)
        self._device_days = DeviceDays(warehouse, self.figures)
        self._deferral = deferral or Deferral()
        self._on_flush = on_flush
        self._forgotten = forgotten
        self._patience = Patience()
        self._state = "not started"
        self._reached: dict[int, int] = {}
        self._committed: dict[int, int] = {}
        self._rest: asyncio.Task[None] | None = None  # steps 2 to 5 of the last flush

    @property
    def behind_ms(self) -> int:
        """How old the newest record of the last flush was when it was taken off the log."""
        return self._stitched.behind_ms

    @property
    def retries(self) -> int:
        """Attempts at the log or the warehouse that had to be made again."""
        return self._patience.retries

    def metrics(self) -> bytes:
        """The Prometheus text of all that."""
        return self._accounts.metrics(self.retries, self.behind_ms)

    def unready(self) -> str:
        """Why nothing gets through just now, or ""."""
        return self._state or self._patience.trouble

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set, then to the end of what is on the log. What cannot be stored then is not committed."""
        self._patience.stop = stop
        drained = asyncio.Event()

        async def stitched() -> None:
            try:
                await self._keep(self._stitched, self._flush_stitched, stop)
                await self._rested()
            except Stopped:
                pass
            finally:
                await self._abandon()

        async def sources() -> None:
            async with asyncio.TaskGroup() as both:
                both.create_task(stitched())
                both.create_task(self._keep(self._aliases, self._flush_aliases, stop, _ALIASES_LINGER_S))
            drained.set()

        self._state = ""
        watching = asyncio.create_task(self._accounts.watch(), name="lag of the sink")
        try:
            async with asyncio.TaskGroup() as lanes:
                lanes.create_task(sources())
                lanes.create_task(self._suspects.watch(stop))
                lanes.create_task(self._device_days.watch(stop))
                lanes.create_task(self._keep(self._dead, self._flush_dead, drained))  # what they refuse too
        finally:
            self._state = "stopped"
            watching.cancel()
            await asyncio.wait({watching})
            await self._stitched.close()
            await self._aliases.close()
            await self._dead.close()

    async def flush_once(self) -> int:
        """Flush what is on the log now, every topic; how many records that was."""
        self._state = ""
        done = 0
        lanes = (
            (self._stitched, self._flush_stitched),
            (self._aliases, self._flush_aliases),
            (self._dead, self._flush_dead),
        )
        for lane, flush in lanes:
            while records := await lane.bite(patient=False):
                await flush(records)
                done += len(records)
            await flush([])  # what waited and is due
        await self._rested()
        return done

    async def _keep(self, lane: Lane, flush: Flush, stop: asyncio.Event, linger_s: float = float("inf")) -> None:
        """Flush until `stop` is set and nothing is left, or for `linger_s` more where there is always something."""
        deadline_s = float("inf")
        while time.monotonic() < deadline_s:
            stopping = stop.is_set()
            deadline_s = min(deadline_s, time.monotonic() + linger_s) if stopping else deadline_s
            try:
                records = await self._patience.insist(lambda: lane.bite(patient=not stop.is_set()))
                await flush(records)
            except Stopped:
                return
            if stopping and not records:
                return

    async def _flush_stitched(self, records: Sequence[Record]) -> None:
        began = time.monotonic()
        batch = sort(records, (ACTION_SCHEMA, LINK_SCHEMA, MARK_SCHEMA))  # a mark is passed by committing it
        self._accounts.took(STITCHED, batch)
        refused = await self._insert_rows(batch)
        await self._rested()
        self._rest = asyncio.create_task(self._after_rows(batch, refused, began), name="links")

    async def _after_rows(self, batch: Batch, rows: list[tuple[Line, str]], began: float) -> None:
        """Steps 2 to 5. `rows`: the refused ones."""
        links = await self._apply_links(batch)
        await self._bury(batch, rows + links)
        await self._commit(batch)
        self._accounts.flushed(STITCHED, batch, len(rows), len(links), began)
        if batch.ends:
            self._on_flush(self.figures)

    async def _rested(self) -> None:
        """Wait until the last flush is through. Raises what it raised."""
        if self._rest is not None:
            await self._rest
            self._rest = None

    async def _abandon(self) -> None:
        """What is still at work, if this ends early: it is not committed, and comes again."""
        rest, self._rest = self._rest, None
        if rest is not None:
            rest.cancel()
            await asyncio.wait({rest})

    async def _insert_rows(self, batch: Batch) -> list[tuple[Line, str]]:
        """Step 1: the lines of the log as they are, without looking into them; the refused ones and why."""
        if not batch.kinds[ACTION_SCHEMA]:
            return []
        try:
            await self._patience.in_thread(self._warehouse.insert_rows, "action_log", batch.body(ACTION_SCHEMA))
        except RowsRefused:
            return await self._insert_good("action_log", batch.lines(ACTION_SCHEMA))
        return []

    async def _apply_links(self, batch: Batch) -> list[tuple[Line, str]]:
        """Steps 2 and 3, with what has waited long enough; the refused lines and why."""
        lines = self._deferral.due(all_of_them=self._patience.stop.is_set()) + batch.lines(LINK_SCHEMA)
        if not lines:
            return []
        refused, name = await self._stage("links_staged", lines)
        suspects = self._deferral.suspects(lines)
        large = set[Device]()
        if suspects:
            large = await self._patience.in_thread(self._warehouse.large_devices, name, DEVICE_ROWS_MAX)
        lines, held = self._deferral.part(lines, suspects, large)
        if held:
            _, name = await self._stage("links_staged", lines)
        await self._patience.in_thread(self._warehouse.apply_links, name)
        self._deferral.settle(lines, held)
        self.figures.links_held = self._deferral.held_total
        return refused

    async def _stage(self, table: str, lines: Sequence[Line]) -> tuple[list[tuple[Line, str]], str]:
        """Put lines into a batch of their own; the refused ones, and the batch's name."""
        name = str(uuid.uuid4())
        prefix = b'{"batch":"%b",' % name.encode()
        staged = [prefix + line.text.lstrip()[1:] for line in lines]
        return await self._insert_good(table, lines, staged), name

    async def _insert_good(
        self, table: str, lines: Sequence[Line], texts: Sequence[bytes] | None = None
    ) -> list[tuple[Line, str]]:
        """Insert what can be, each line as `texts` has it; the refused lines and why."""
        body = [line.text for line in lines] if texts is None else texts
        refused = await self._patience.in_thread(
            insert_good, lambda ndjson: self._warehouse.insert_rows(table, ndjson), body
        )
        return [(lines[at], why) for at, why in refused]

    async def _bury(self, batch: Batch, refused: Sequence[tuple[Line, str]]) -> None:
        """Step 4: what no table takes, to `dead-letters`."""
        letters = [letter for record in batch.unknown for letter in _unknown(record)]
        letters += [letter for line, why in refused for letter in _letters(line, "row_refused", why)]
        if letters:
            appends = [Append(DEAD_LETTERS, 0, letter, _DEAD) for letter in letters]
            await self._patience.insist(lambda: self._log.append(appends))

    async def _commit(self, batch: Batch) -> None:
        """Step 5: as far as nothing waits."""
        self._reached |= batch.ends
        floor = self._deferral.floor()
        positions = {p: min(end, floor.get(p, end)) for p, end in self._reached.items()}
        await self._stitched.commit({p: at for p, at in positions.items() if self._committed.get(p) != at})
        self._committed = positions

    async def _flush_aliases(self, records: Sequence[Record]) -> None:
        """Statements to their table and to who everybody is; see `sink.merges`."""
        batch = sort(records, (ALIAS_SCHEMA,))
        self._accounts.took(ALIASES, batch)
        said = lines = batch.lines(ALIAS_SCHEMA)
        if lines:
            lines = spoken(lines, await self._patience.insist(self._forgotten))
        refused: list[tuple[Line, str]] = []
        if lines:
            refused, name = await self._stage("aliases_staged", lines)
            await self._patience.in_thread(self._merges.settle, name)
        if self._merges.due:
            await self._patience.in_thread(self._merges.load)
        await self._bury(batch, refused)
        self.figures.merges, self.figures.merges_refused = self._merges.written, self._merges.refused
        await self._aliases.commit(batch.ends)
        self._accounts.heard(ALIASES, batch, len(lines) - len(refused), len(said) - len(lines), len(refused))

    async def _flush_dead(self, records: Sequence[Record]) -> None:
        """Dead letters to their table. One that is itself refused is wrapped in another, straight into the table:
        through the log it would come back for ever.
        """
        batch = sort(records, (DEAD_LETTER_SCHEMA,))
        self._accounts.took(DEAD_LETTERS, batch, lines=False)
        lines = batch.lines(DEAD_LETTER_SCHEMA)
        refused = await self._insert_good("dead_letters", lines)
        wrapped = [letter for record in batch.unknown for letter in _unknown(record)]
        wrapped += [letter for line, why in refused for letter in _letters(line, "dead_letter_refused", why)]
        if wrapped:
            await self._patience.in_thread(self._warehouse.insert_rows, "dead_letters", b"\n".join(wrapped))
        await self._dead.commit(batch.ends)
        turned_back = {id(line) for line, _ in refused}
        self._accounts.buried(DEAD_LETTERS, batch, (x for x in lines if id(x) not in turned_back), len(refused))


def _letters(line: Line, reason: str, detail: str) -> list[bytes]:
    return dead_letters(line.record, line.number, line.text, reason, detail)


def _unknown(record: Record) -> list[bytes]:
    detail = f"schema: {record.headers.get('schema', '')!r}"
    return dead_letters(record, None, record.value, "unknown_schema", detail)
