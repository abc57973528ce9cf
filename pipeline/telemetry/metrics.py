"""What each stage counts, in the Prometheus text format and under names that stay; it must not know who counts."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"


class Meaning(NamedTuple):
    """One metric. `label`: it has a number for each value of the label. A counter's name gets `_total` behind it."""

    name: str
    what: str
    counts: bool = True
    label: str = ""


STITCH: Mapping[str, Meaning] = {
    "records": Meaning("seamline_stitch_records", "Records of hits that were folded; a replay counts again"),
    "hits": Meaning("seamline_stitch_hits", "Hits in checkpoints that became durable"),
    "erased": Meaning("seamline_stitch_erased_hits", "Hits of people who were forgotten, which are not kept"),
    "checkpoints": Meaning("seamline_stitch_checkpoints", "Checkpoints that became durable"),
    "states": Meaning("seamline_stitch_states", "Device states written to the changelog"),
    "states_joined": Meaning("seamline_stitch_states_joined", "Device states read back from it"),
    "states_unreadable": Meaning("seamline_stitch_states_unreadable", "Its lines that became dead letters"),
    "poisoned": Meaning("seamline_stitch_poisoned_records", "Records that could not be folded: now dead letters"),
    "skipped_records": Meaning("seamline_stitch_skipped_records", "Records fetched from the log a second way"),
    "lost_offsets": Meaning("seamline_stitch_lost_offsets", "Offsets of hits that retention removed unread"),
    "waits": Meaning("seamline_stitch_log_waits", "Attempts that the log did not answer"),
    "fenced": Meaning("seamline_stitch_fenced", "Checkpoints refused because the group had moved on"),
    "assignments": Meaning("seamline_stitch_assignments", "Times that partitions were assigned"),
    "lag": Meaning("seamline_stitch_lag_records", "Records of hits behind the end of the log", counts=False),
    "partitions": Meaning("seamline_stitch_partitions", "Partitions this worker has", counts=False),
}
SINK: Mapping[str, Meaning] = {
    "rows": Meaning("seamline_sink_rows", "Rows inserted; what is met again after a crash counts again"),
    "links": Meaning("seamline_sink_links", "Links applied"),
    "links_held": Meaning("seamline_sink_links_held", "Links that waited because their device is large"),
    "refused": Meaning("seamline_sink_refused", "Lines that no table takes: now dead letters"),
    "dead_letters": Meaning("seamline_sink_dead_letters", "Dead letters stored"),
    "aliases": Meaning("seamline_sink_aliases", "Statements that two users are one person, and withdrawals"),
    "merges": Meaning("seamline_sink_merges", "Persons whose canonical person was written"),
    "merges_refused": Meaning("seamline_sink_merges_refused", "Components that would join too many users"),
    "flushes": Meaning("seamline_sink_flushes", "Flushes that were committed"),
    "flush_seconds": Meaning("seamline_sink_flush_seconds", "How long the last one took", counts=False),
    "retries": Meaning("seamline_sink_retries", "Attempts at the log or the warehouse that were made again"),
    "behind_seconds": Meaning(
        "seamline_sink_behind_seconds", "Age of the newest record when it was read", counts=False
    ),
    "suspects": Meaning("seamline_suspects", "IDs that look wrong, by guard: `seamline doctor`", False, "guard"),
}


def exposition(collector: Collector) -> bytes:
    """The text of these metrics alone."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    return generate_latest(registry)


class Numbers(Collector):
    """Numbers by field, as they are when they are asked for."""

    def __init__(self, meanings: Mapping[str, Meaning], numbers: Mapping[str, Any]) -> None:
        self._meanings, self._numbers = meanings, numbers

    def collect(self) -> Iterator[Metric]:
        """Every number that has a meaning; one that is not known just now is left out."""
        for field, meaning in self._meanings.items():
            value = self._numbers.get(field)
            if value is not None:
                yield _family(meaning, sorted(value.items()) if meaning.label else [("", value)])


def text(meanings: Mapping[str, Meaning], numbers: Mapping[str, Any]) -> bytes:
    """The numbers of a stage."""
    return exposition(Numbers(meanings, numbers))


def _family(meaning: Meaning, values: Iterable[tuple[str, float]]) -> Metric:
    kind = CounterMetricFamily if meaning.counts else GaugeMetricFamily
    family = kind(meaning.name, meaning.what, labels=[meaning.label] if meaning.label else None)
    for label, value in values:
        family.add_metric([label] if meaning.label else [], value)
    return family
