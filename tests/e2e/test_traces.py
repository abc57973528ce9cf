"""Stages as they are started, with a collector to send to: one trace from the request to the report."""

import json
import urllib.request
from pathlib import Path

import pytest

from tests.support.clickhouse_front import start_front
from tests.support.collector import Collector, collecting
from tests.support.deadline import wait_until
from tests.support.deployment import Cluster, Deployment, Embedded, sites_file
from tests.support.kafka_broker import KafkaBroker

CHAIN = ("POST native", "publish", "stitch", "store")


def test_up_tells_of_a_hit_until_it_is_in_a_report(tmp_path: Path) -> None:
    """Four spans, each within the one before, all of one service."""
    with collecting() as collector:
        deployment = Embedded(tmp_path, sites_file(tmp_path, ["shop"]))
        deployment.set(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
        services = told(deployment, collector)

    assert ["seamline-up"] * 4 == services


@pytest.mark.kafka
def test_workers_of_a_cluster_tell_of_the_same_trace(tmp_path: Path, kafka: KafkaBroker) -> None:
    """It crosses Kafka twice, in the headers of records."""
    front = start_front(tmp_path / "clickhouse")
    with collecting() as collector:
        more = {"SEAMLINE_TOPIC_PREFIX": "traced.", "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
        where = sites_file(tmp_path, ["shop"])
        services = told(Cluster(tmp_path, kafka.bootstrap, front.url, where, partitions=1, **more), collector)
    front.stop()

    assert ["seamline-ingest", "seamline-ingest", "seamline-stitch", "seamline-sink"] == services


def told(deployment: Deployment, collector: Collector) -> list[str]:
    """The services of the chain, once one hit has gone all the way and every stage has ended."""
    deployment.start()
    try:
        body = json.dumps([{"type": "page", "anonymous_id": "canary", "url": "https://shop.example/?canary"}]).encode()
        urllib.request.urlopen(f"{deployment.url}/v1/hits?key=shop", body, timeout=10).close()
        wait_until(lambda: deployment.query("SELECT count() FROM actions") == [[1]], 60, "the hit is in the reports")
        assert {0} == {deployment.stop_stage(name) for name in deployment.stages}
    finally:
        deployment.stop()
    (request,) = collector.named("POST native")
    chain = [span for name in CHAIN for span in collector.named(name) if span.trace == request.trace]
    assert list(CHAIN) == [span.name for span in chain]
    assert [span.id for span in chain[:-1]] == [span.parent for span in chain[1:]]
    assert chain[1].id in request.links
    assert b"canary" not in collector.bytes
    return [span.service for span in chain]
