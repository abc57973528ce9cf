"""The counts and the state of ingest in the Prometheus text format; it changes nothing."""

from collections.abc import Callable, Iterable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from pipeline.ingest.counts import Counts

Gauges = Callable[[], Iterable[tuple[str, str, float]]]


class IngestCollector(Collector):
    """Reads the numbers when asked; `gauges` gives (name, what it is, value) at that moment."""

    def __init__(self, counts: Counts, gauges: Gauges) -> None:
        self._counts, self._gauges = counts, gauges

    def collect(self) -> Iterator[Metric]:
        """Every metric of ingest."""
        labels = ["site", "protocol", "outcome", "detail"]
        hits = CounterMetricFamily("seamline_ingest_hits", "Hits by what became of them", labels=labels)
        for key, number in list(self._counts.hits.items()):
            hits.add_metric(list(key), number)
        yield hits
        replies = CounterMetricFamily("seamline_ingest_replies", "Replies", labels=["protocol", "status"])
        for (protocol, status), number in list(self._counts.replies.items()):
            replies.add_metric([protocol, str(status)], number)
        yield replies
        events = CounterMetricFamily("seamline_ingest_events", "What happened inside", labels=["event"])
        for event, number in list(self._counts.events.items()):
            events.add_metric([event], number)
        yield events
        for name, sentence, value in self._gauges():
            yield GaugeMetricFamily(f"seamline_ingest_{name}", sentence, value=value)
