"""Production with three replicas of ClickHouse: what the manual asks of a cluster is in its manifests."""

from typing import Any

import pytest

from tests.deploy.kubectl import KubectlMissing, kubectl
from tests.deploy.manifests import Manifest, only, render, workloads
from tests.deploy.operators import known, problems
from tests.deploy.security import findings
from tests.support.lacking import may_lack

CHI, CHK = "clickhouse.altinity.com/chi", "clickhouse-keeper.altinity.com/chk"


@pytest.fixture(scope="module")
def manifests(tmp_path_factory: pytest.TempPathFactory) -> list[Manifest]:
    """The overlay as it stands, with the component after the operator's."""
    with may_lack(KubectlMissing):
        program = kubectl()
    return render(program, "production", tmp_path_factory.mktemp("clickhouse-replicas"), "clickhouse-replicas")


def _installation(manifests: list[Manifest]) -> dict[str, Any]:
    spec: dict[str, Any] = only(manifests, "ClickHouseInstallation/seamline")["spec"]
    return spec


def test_the_operator_takes_them(manifests: list[Manifest]) -> None:
    """Field by field, and nothing is less safe than with one node."""
    assert {m["metadata"]["name"]: problems(m) for m in manifests if known(m) and problems(m)} == {}
    assert findings(manifests) == []


def test_the_setting_names_the_cluster(manifests: list[Manifest]) -> None:
    """Every worker that has a warehouse reads it, and migrate before all."""
    cluster = _installation(manifests)["configuration"]["clusters"][0]
    (settings,) = [
        m for m in manifests if m["kind"] == "ConfigMap" and "SEAMLINE_CLICKHOUSE_CLUSTER" in m.get("data", {})
    ]
    readers = {
        workload["metadata"]["name"]
        for workload in workloads(manifests)
        if settings["metadata"]["name"] in str(workload)
    }

    assert cluster["layout"] == {"shardsCount": 1, "replicasCount": 3}
    assert settings["data"]["SEAMLINE_CLICKHOUSE_CLUSTER"] == cluster["name"]
    assert readers >= {"migrate", "sink", "stitch", "report"}


def test_replicas_have_what_the_manual_asks_for(manifests: list[Manifest]) -> None:
    """A Keeper that is never behind, a path by UUID, a secret among them, and a machine each."""
    configuration = _installation(manifests)["configuration"]
    keeper = only(manifests, "ClickHouseKeeperInstallation/seamline")

    assert configuration["zookeeper"]["nodes"] == [{"host": f"keeper-{keeper['metadata']['name']}", "port": 2181}]
    assert configuration["settings"]["default_replica_path"] == "/clickhouse/tables/{uuid}/{shard}"
    assert configuration["settings"]["default_replica_name"] == "{replica}"
    assert configuration["clusters"][0]["secret"] == {"auto": "true"}
    settings = keeper["spec"]["configuration"]["settings"]
    assert settings["keeper_server/coordination_settings/quorum_reads"] == "true"
    assert keeper["spec"]["configuration"]["clusters"][0]["layout"]["replicasCount"] == 3
    assert [t["podDistribution"][0]["type"] for t in _installation(manifests)["templates"]["podTemplates"]] == [
        "ClickHouseAntiAffinity"
    ]


def _doors(manifests: list[Manifest], label: str, direction: str) -> set[tuple[str, int]]:
    """(the other side's label, port) that pods of this label may reach, or be reached from."""
    peers = {"egress": "to", "ingress": "from"}[direction]
    return {
        (next(iter(peer["podSelector"]["matchLabels"])), port["port"])
        for policy in manifests
        if policy["kind"] == "NetworkPolicy" and label in policy["spec"]["podSelector"].get("matchLabels", {})
        for rule in policy["spec"].get(direction, [])
        for peer in rule[peers]
        if "matchLabels" in peer.get("podSelector", {})
        for port in rule["ports"]
    }


def test_replicas_and_keepers_reach_one_another_and_nobody_else(manifests: list[Manifest]) -> None:
    """Whatever may go out of one may come in to the other."""
    among, asks, agree = {(CHI, 9000), (CHI, 9009)}, {(CHK, 2181)}, {(CHK, 9444)}

    assert _doors(manifests, CHI, "egress") == among | asks
    assert _doors(manifests, CHI, "ingress") == among
    assert _doors(manifests, CHK, "egress") == agree
    assert _doors(manifests, CHK, "ingress") == agree | {(CHI, 2181)}
