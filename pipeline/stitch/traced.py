"""Checkpoints with a span each, embedded and in the worker; it must not know what makes spans, or how hits are folded.

A checkpoint is a part of the trace of its first record, linked to the others', and what it appends carries it on.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import structs

from pipeline.stitch.figures import Done
from pipeline.stitch.local import LocalStitch
from pipeline.stitch.partition import Checkpoint
from pipeline.stitch.worker_checkpoint import Snapshot
from pipeline.telemetry.tracing import marked, traceparents

if TYPE_CHECKING:
    from pipeline.telemetry.traces import Traces

Store = Callable[[Sequence[Snapshot]], Awaitable[None]]


def traced(traces: "Traces", store: Store) -> Store:
    """The same, in a span."""

    async def storing(snapshots: Sequence[Snapshot]) -> None:
        said = _said({snapshot.partition: snapshot.position for snapshot in snapshots}, [s.done for s in snapshots])
        parents = [parent for snapshot in snapshots for parent in snapshot.parents]
        with traces.span("stitch", "consumer", parents, said) as span:
            await store([structs.replace(s, outputs=marked(s.outputs, span.traceparent)) for s in snapshots])

    return storing


class TracedLocalStitch(LocalStitch):
    """A LocalStitch whose checkpoints are spans."""

    def __init__(self, traces: "Traces", *given: Any) -> None:
        self._traces = traces
        super().__init__(*given)

    async def _store(self, checkpoints: Mapping[int, Checkpoint]) -> None:
        said = _said({number: c.position for number, c in checkpoints.items()}, [c.done for c in checkpoints.values()])
        with self._traces.span("stitch", "consumer", traceparents(self._taken), said) as span:
            marks = {n: structs.replace(c, outputs=marked(c.outputs, span.traceparent)) for n, c in checkpoints.items()}
            await super()._store(marks)


def _said(positions: Mapping[int, int], done: Sequence[Done]) -> Mapping[str, Any]:
    """`seamline.positions`: `partition/offset` of the next record of hits."""
    return {
        "seamline.hits": sum(part.read for part in done),
        "seamline.links": sum(part.links for part in done),
        "seamline.positions": [f"{partition}/{position}" for partition, position in sorted(positions.items())],
    }
