"""The counts and the state of ingest in the Prometheus text format; it changes nothing."""

from collections.abc import Mapping
from typing import Any

from pipeline.ingest.counts import Counts
from pipeline.telemetry.metrics import INGEST, text


def ingest_text(counts: Counts, now: Mapping[str, Any]) -> bytes:
    """`now`: by field of INGEST, what is not counted but looked up at this moment."""
    counted = {
        name: getattr(counts, name)
        for name in (
            *("hits", "replies", "events", "read", "in_flight", "unaccounted"),
            *("publish_seconds", "reply_seconds", "batch_hits"),
        )
    }
    return text(INGEST, {**counted, **now})
