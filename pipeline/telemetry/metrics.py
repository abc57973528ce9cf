"""What each stage counts, in the Prometheus text format and under names that stay; it must not know who counts."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate
from typing import Any, NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

from pipeline.telemetry.histogram import Histogram

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"


class Meaning(NamedTuple):
    """One metric. `kind`: counter, gauge or histogram. `labels`: it has a number for each combination of them. A
    counter's name gets `_total` behind it."""

    name: str
    what: str
    kind: str = "counter"
    labels: tuple[str, ...] = ()

    @property
    def told_as(self) -> str:
        """Its name as Prometheus has it; a histogram's has `_bucket`, `_sum` and `_count` behind this."""
        return self.name + "_total" * (self.kind == "counter")


def _gauge(name: str, what: str, *labels: str) -> Meaning:
    return Meaning(name, what, "gauge", labels)


def _histogram(name: str, what: str) -> Meaning:
    return Meaning(name, what, "histogram")


INGEST: Mapping[str, Meaning] = {
    "hits": Meaning(
        "seamline_ingest_hits",
        "Hits by what became of them",
        labels=("site", "protocol", "outcome", "detail"),
    ),
    "replies": Meaning("seamline_ingest_replies", "Replies", labels=("protocol", "status")),
    "events": Meaning("seamline_ingest_events", "What happened inside", labels=("event",)),
    "read": Meaning("seamline_ingest_read_hits", "Hits that requests were understood to be"),
    "in_flight": _gauge("seamline_ingest_in_flight_hits", "Of these, hits not durable and not turned away yet"),
    "unaccounted": _gauge("seamline_ingest_unaccounted_hits", "Of these, hits of which nobody knows what became: 0"),
    "publish_seconds": _histogram(
        "seamline_ingest_publish_seconds", "From the first hit of a batch until the log, or the spool, has it"
    ),
    "reply_seconds": _histogram(
        "seamline_ingest_reply_seconds", "From the head of a request to its reply; slow senders included"
    ),
    "batch_hits": _histogram("seamline_ingest_batch_hits", "Hits that were made durable together"),
    "waiting_bytes": _gauge("seamline_ingest_waiting_bytes", "Hits in memory that are not durable yet"),
    "spool_records": _gauge("seamline_ingest_spool_records", "Records on this node's disk that wait for the log"),
    "spool_bytes": _gauge("seamline_ingest_spool_bytes", "Their size"),
    "spool_age_seconds": _gauge("seamline_ingest_spool_age_seconds", "Age of the oldest of them; 0 when none waits"),
    "spool_damaged": _gauge("seamline_ingest_spool_damaged", "Records of the spool that could not be read back"),
    "agents_skipped": _gauge("seamline_ingest_agents_skipped", "User agents left unknown: too many new ones"),
    "agents_failed": _gauge("seamline_ingest_agents_failed", "User agents left unknown: the library broke"),
    "addresses_forgotten": _gauge(
        "seamline_ingest_addresses_forgotten", "Senders past their rate, or near it, who began anew: too many addresses"
    ),
}
STITCH: Mapping[str, Meaning] = {
    "records": Meaning("seamline_stitch_records", "Records of hits that were folded; a replay counts again"),
    "hits": Meaning("seamline_stitch_hits", "Hits in checkpoints that became durable"),
    "read": Meaning("seamline_stitch_read_hits", "Hits that their records said to hold"),
    "actions": Meaning("seamline_stitch_actions", "Actions made of them, as known then", labels=("attribution",)),
    "links": Meaning("seamline_stitch_links", "Links: stretches of the past given to somebody else"),
    "dead_letters": Meaning("seamline_stitch_dead_letters", "Hits that became dead letters", labels=("reason",)),
    "erased": Meaning("seamline_stitch_erased_hits", "Hits of people who were forgotten, which are not kept"),
    "unaccounted": _gauge("seamline_stitch_unaccounted_hits", "Hits read that became none of these: 0"),
    "in_flight": _gauge("seamline_stitch_in_flight_hits", "Hits taken off the log and in no durable checkpoint yet"),
    "checkpoints": Meaning("seamline_stitch_checkpoints", "Checkpoints that became durable"),
    "checkpoint_seconds": _histogram("seamline_stitch_checkpoint_seconds", "How long a checkpoint took to be durable"),
    "checkpoint_hits": _histogram("seamline_stitch_checkpoint_hits", "Hits in one"),
    "checkpoint_age_seconds": _gauge(
        "seamline_stitch_checkpoint_age_seconds",
        "Since the last one, or the start; a quiet site has none to make",
    ),
    "latency_seconds": _histogram(
        "seamline_stitch_latency_seconds", "From when the log had a record of hits until its actions were durable"
    ),
    "states": Meaning("seamline_stitch_states", "Device states written"),
    "states_joined": Meaning("seamline_stitch_states_joined", "Device states read back from the changelog"),
    "states_unreadable": Meaning("seamline_stitch_states_unreadable", "Its lines that became dead letters"),
    "poisoned": Meaning("seamline_stitch_poisoned_records", "Records that could not be folded: now dead letters"),
    "skipped_records": Meaning("seamline_stitch_skipped_records", "Records fetched from the log a second way"),
    "lost_offsets": Meaning("seamline_stitch_lost_offsets", "Offsets of hits that retention removed unread"),
    "waits": Meaning("seamline_stitch_log_waits", "Attempts that the log did not answer"),
    "fenced": Meaning("seamline_stitch_fenced", "Checkpoints refused because the group had moved on"),
    "assignments": Meaning("seamline_stitch_assignments", "Times that partitions were assigned"),
    "lag": _gauge("seamline_stitch_lag_records", "Records of hits behind the end of the log"),
    "lag_seconds": _gauge("seamline_stitch_lag_seconds", "Age of the oldest of them, or more if it was not read"),
    "partitions": _gauge("seamline_stitch_partitions", "Partitions this worker has"),
}
SINK: Mapping[str, Meaning] = {
    "rows": Meaning("seamline_sink_rows", "Rows inserted; what is met again after a crash counts again"),
    "links": Meaning("seamline_sink_links", "Links applied"),
    "links_held": Meaning("seamline_sink_links_held", "Links that waited because their device is large"),
    "read": Meaning("seamline_sink_read_lines", "Lines that records of stitched and of aliases said to hold"),
    "marks": Meaning("seamline_sink_marks", "Marks passed: they are for `seamline forget` and new epochs"),
    "refused": Meaning("seamline_sink_refused", "Lines that no table takes: now dead letters"),
    "in_flight": _gauge("seamline_sink_in_flight_lines", "Lines taken off the log and not committed yet"),
    "unaccounted": _gauge("seamline_sink_unaccounted_lines", "Lines read that are none of these: 0"),
    "dead_letters": Meaning("seamline_sink_dead_letters", "Dead letters stored, of every stage", labels=("reason",)),
    "aliases": Meaning("seamline_sink_aliases", "Statements that two users are one person, and withdrawals"),
    "aliases_erased": Meaning("seamline_sink_aliases_erased", "Statements that named somebody forgotten: not kept"),
    "merges": Meaning("seamline_sink_merges", "Persons whose canonical person was written"),
    "merges_refused": Meaning("seamline_sink_merges_refused", "Components that would join too many users"),
    "flushes": Meaning("seamline_sink_flushes", "Flushes that were committed"),
    "flush_seconds": _gauge("seamline_sink_flush_seconds", "How long the last one took"),
    "flush_duration_seconds": _histogram("seamline_sink_flush_duration_seconds", "How long each took"),
    "flush_rows": _histogram("seamline_sink_flush_rows", "Rows in one"),
    "latency_seconds": _histogram(
        "seamline_sink_latency_seconds", "From when the log had a record of stitched until its rows could be seen"
    ),
    "retries": Meaning("seamline_sink_retries", "Attempts at the log or the warehouse that were made again"),
    "behind_seconds": _gauge("seamline_sink_behind_seconds", "Age of the newest record when it was read"),
    "lag": _gauge("seamline_sink_lag_records", "Records no sink has stored; every sink tells them all", "topic"),
    "lag_seconds": _gauge(
        "seamline_sink_lag_seconds", "Age of the oldest of them, or more if it was not read", "topic"
    ),
    "days_due": _gauge("seamline_sink_device_days_due", "Days of devices that wait to be added up, at the last look"),
    "days_failed": Meaning(
        "seamline_sink_device_days_failed", "Rounds of adding up that came to nothing; reports count rows then"
    ),
    "suspects": _gauge("seamline_suspects", "IDs that look wrong, by guard: `seamline doctor`", "guard"),
}


class Numbers(Collector):
    """Numbers by field, as they are when they are asked for."""

    def __init__(self, meanings: Mapping[str, Meaning], numbers: Mapping[str, Any]) -> None:
        self._meanings, self._numbers = meanings, numbers

    def collect(self) -> Iterator[Metric]:
        """Every number that has a meaning; one that is not known just now is left out."""
        for field, meaning in self._meanings.items():
            value = self._numbers.get(field)
            if value is not None:
                yield _family(meaning, value)


def text(meanings: Mapping[str, Meaning], numbers: Mapping[str, Any]) -> bytes:
    """The numbers of a stage. With labels: a mapping from their values, a tuple where they are several."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Numbers(meanings, numbers))
    return generate_latest(registry)


def _family(meaning: Meaning, value: Any) -> Metric:
    if meaning.kind == "histogram":
        return _histogram_family(meaning, value)
    kind = CounterMetricFamily if meaning.kind == "counter" else GaugeMetricFamily
    family = kind(meaning.name, meaning.what, labels=meaning.labels or None)
    for labels, number in _labelled(meaning, value):
        family.add_metric(labels, number)
    return family


def _labelled(meaning: Meaning, value: Any) -> Iterable[tuple[list[str], float]]:
    if not meaning.labels:
        return [([], value)]
    keyed = ((key if isinstance(key, tuple) else (key,), number) for key, number in value.items())
    return sorted(([str(label) for label in key], number) for key, number in keyed)


def _histogram_family(meaning: Meaning, value: Histogram) -> Metric:
    bounds = [*map(str, map(float, value.bounds)), "+Inf"]
    buckets = list(zip(bounds, map(float, accumulate(value.counts)), strict=True))
    return HistogramMetricFamily(meaning.name, meaning.what, buckets=buckets, sum_value=value.sum)
