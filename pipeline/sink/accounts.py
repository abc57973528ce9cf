"""What a sink has taken off the log and what came of it, line by line; it must not know how anything is stored."""

import time
from collections import deque
from collections.abc import Iterable, Mapping

import msgspec
from msgspec import structs

from pipeline.limits import SECOND_MS
from pipeline.log.port import Log
from pipeline.model import ACTION_SCHEMA, LINK_SCHEMA, MARK_SCHEMA
from pipeline.sink.batch import Batch, Line
from pipeline.sink.figures import OTHER, Figures
from pipeline.telemetry.lag import GroupLags
from pipeline.telemetry.metrics import SINK, text


class _Reason(msgspec.Struct):
    reason: str = ""


_decode = msgspec.json.Decoder(_Reason).decode


class Accounts:
    """A flush begins with `took` and ends with one of the others. Each changes everything at once, so that whoever
    looks in between finds the books balanced."""

    def __init__(self, log: Log, groups: Mapping[str, str]) -> None:
        """`groups`: topic to group of readers."""
        self.figures = Figures()
        self._lags = GroupLags(log, groups)
        self._open: dict[str, deque[int]] = {topic: deque() for topic in groups}  # oldest record of each flush, ms

    async def watch(self) -> None:
        """Look now and then how much waits, until cancelled."""
        await self._lags.watch()

    def took(self, topic: str, batch: Batch, *, lines: bool = True) -> None:
        """Its records have been read. `lines`: they are among those that have to balance."""
        if batch.ends:
            self._open[topic].append(min(record.timestamp_ms for record in batch.records))
        if lines:
            self.figures.read += batch.said
            self.figures.in_flight += batch.said

    def flushed(self, topic: str, batch: Batch, rows_refused: int, links_refused: int, began_s: float) -> None:
        """Rows and links are stored, and the position says so."""
        figures, rows = self.figures, batch.count(ACTION_SCHEMA) - rows_refused
        figures.rows += rows
        figures.links += batch.count(LINK_SCHEMA) - links_refused
        figures.marks += batch.count(MARK_SCHEMA)
        self._done(topic, batch, rows_refused + links_refused)
        if batch.ends:
            figures.flushes += 1
            figures.flush_seconds = time.monotonic() - began_s
            figures.flush_duration_seconds.observe(figures.flush_seconds)
            figures.flush_rows.observe(rows)
            now_ms = time.time() * SECOND_MS
            for record in batch.records:
                figures.latency_seconds.observe((now_ms - record.timestamp_ms) / SECOND_MS)

    def heard(self, topic: str, batch: Batch, stored: int, erased: int, refused: int) -> None:
        """Statements are stored; those of the forgotten are not."""
        self.figures.aliases += stored
        self.figures.aliases_erased += erased
        self._done(topic, batch, refused)

    def buried(self, topic: str, batch: Batch, lines: Iterable[Line], refused: int) -> None:
        """Dead letters are stored; `refused` of them wrapped in others."""
        counts = self.figures.dead_letters
        for line in lines:
            counts[_reason(line, counts)] += 1
        counts["dead_letter_refused"] += refused
        counts["unknown_schema"] += len(batch.unknown)
        self._close(topic, batch)

    def metrics(self, retries: int, behind_ms: int) -> bytes:
        """The Prometheus text of all that."""
        now_ms = time.time() * SECOND_MS
        ages = {topic: max(0.0, now_ms - min(at)) / SECOND_MS for topic, at in self._open.items() if at}
        now = {
            "unaccounted": self.figures.unaccounted,
            "retries": retries,
            "behind_seconds": behind_ms / SECOND_MS,
            "lag": self._lags.records(),
            "lag_seconds": self._lags.seconds(ages),
        }
        return text(SINK, {**structs.asdict(self.figures), **now})

    def _done(self, topic: str, batch: Batch, refused: int) -> None:
        self.figures.refused += refused + sum(record.lines for record in batch.unknown)
        self.figures.in_flight -= batch.said
        self._close(topic, batch)

    def _close(self, topic: str, batch: Batch) -> None:
        if batch.ends:
            self._open[topic].popleft()


def _reason(line: Line, known: Mapping[str, int]) -> str:
    """As the letter says; anybody can write to a log, so a label is one of few words."""
    try:
        reason = _decode(line.text).reason
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return OTHER
    return reason if reason in known else OTHER
