"""Flushes with a span each, from the first row to the positions; it must not know what makes spans or what rows say."""

from collections.abc import Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from pipeline.log.port import Record
from pipeline.sink.batch import Batch
from pipeline.sink.sink import Sink
from pipeline.telemetry.tracing import traceparents

if TYPE_CHECKING:
    from pipeline.telemetry.traces import Piece, Traces

_FLUSH: ContextVar["Piece | None"] = ContextVar("span of the flush", default=None)


class TracedSink(Sink):
    """A Sink whose flushes of `stitched` are spans: parts of their first record's trace, linked to the others'."""

    def __init__(self, traces: "Traces", *given: Any, **named: Any) -> None:
        self._traces = traces
        super().__init__(*given, **named)

    async def _flush_stitched(self, records: Sequence[Record]) -> None:
        """Steps 2 to 5 go on after this one returns, in a task that knows the span and ends it."""
        if not records:
            _FLUSH.set(None)
            await super()._flush_stitched(records)
            return
        ends = sorted({record.partition: record.offset + 1 for record in records}.items())
        said = {
            "seamline.records": len(records),
            "seamline.lines": sum(record.lines for record in records),
            "seamline.positions": [f"{partition}/{end}" for partition, end in ends],
        }
        flush = self._traces.begin("store", "consumer", traceparents(records), said)
        _FLUSH.set(flush)
        try:
            await super()._flush_stitched(records)
        except BaseException as error:
            _end(flush, error)
            raise

    async def _after_rows(self, batch: Batch, rows: Any, began: float) -> None:
        flush, error = _FLUSH.get(), None
        try:
            await super()._after_rows(batch, rows, began)
        except BaseException as raised:
            error = raised
            raise
        finally:
            if flush is not None:
                _end(flush, error)


def _end(flush: "Piece", error: BaseException | None) -> None:
    if error is not None:
        flush.fail(type(error).__name__)
    flush.end()
