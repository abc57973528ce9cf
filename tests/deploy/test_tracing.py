"""Production with the component for traces: who makes spans is told where to, and may go there."""

from urllib.parse import urlsplit

import pytest

from pipeline.telemetry.tracing import ENDPOINT, trace_settings
from tests.deploy.kubectl import KubectlMissing, kubectl
from tests.deploy.manifests import Manifest, only, render
from tests.deploy.security import findings
from tests.support.lacking import may_lack

TRACED = ["ingest", "stitch", "sink"]


@pytest.fixture(scope="module")
def manifests(tmp_path_factory: pytest.TempPathFactory) -> list[Manifest]:
    """The overlay as it stands, with the component after all others."""
    with may_lack(KubectlMissing):
        program = kubectl()
    return render(program, "production", tmp_path_factory.mktemp("tracing"), "tracing")


def test_the_workers_are_told_where_spans_go(manifests: list[Manifest]) -> None:
    """By the settings that every worker reads, in words that the workers take; and nothing is less safe."""
    (settings,) = [m for m in manifests if m["kind"] == "ConfigMap" and ENDPOINT in m.get("data", {})]

    assert trace_settings(settings["data"]).endpoint == settings["data"][ENDPOINT]
    for worker in TRACED:
        (workload,) = [m for m in manifests if m["metadata"]["name"] == worker and "template" in m.get("spec", {})]
        assert settings["metadata"]["name"] in str(workload)
    assert findings(manifests) == []


def test_they_may_go_there_and_nowhere_else(manifests: list[Manifest]) -> None:
    """The port is the endpoint's, and the namespace is the one in its name."""
    (settings,) = [m for m in manifests if m["kind"] == "ConfigMap" and ENDPOINT in m.get("data", {})]
    endpoint = urlsplit(settings["data"][ENDPOINT])
    policy = only(manifests, "NetworkPolicy/to-collector")["spec"]
    (way,) = policy["egress"]
    (peer,) = way["to"]

    assert policy["podSelector"]["matchExpressions"][0]["values"] == TRACED
    assert [port["port"] for port in way["ports"]] == [endpoint.port]
    assert str(endpoint.hostname).endswith(
        "." + peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
    )
