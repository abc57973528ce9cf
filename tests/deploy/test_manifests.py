"""The manifests are what Kubernetes, its operators and Seamline itself understand."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import kubernetes_validate
import pytest

from pipeline.identity.policy import Policy
from pipeline.limits import DAY_MS, SPOOL_BYTES_MAX
from pipeline.log.port import ERASURES, HITS, TOPICS
from pipeline.log.retention import retention_ms
from pipeline.settings import PREFIX, SETTINGS, load_settings
from pipeline.sink.sink import ALIAS_GROUP, DEAD_GROUP
from pipeline.sink.sink import GROUP as SINK_GROUP
from pipeline.stitch.worker import GROUP as STITCH_GROUP
from pipeline.stitch.worker import WorkerSettings
from tests.deploy.manifests import (
    KUBERNETES,
    OVERLAYS,
    Manifest,
    files_of,
    held,
    name_of,
    only,
    pod_template,
    workloads,
)
from tests.deploy.operators import known, problems

KUBERNETES_VERSION = "1.37"
Rendered = Callable[[str], list[Manifest]]


def refused(manifest: Manifest) -> list[str]:
    """What Kubernetes or an operator has against it, unknown fields included."""
    if known(manifest):
        return problems(manifest)
    try:
        kubernetes_validate.validate(manifest, KUBERNETES_VERSION, strict=True)
    except kubernetes_validate.ValidationError as error:
        return [f"{'.'.join(map(str, error.path))}: {error.message}"]
    except kubernetes_validate.SchemaNotFoundError as error:
        return [error.message]
    return []


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_manifest_fits_its_schema(rendered: Rendered, overlay: str) -> None:
    """Built-in kinds strictly, those of the operators field by field."""
    wrong = {name_of(manifest): found for manifest in rendered(overlay) if (found := refused(manifest))}

    assert wrong == {}


def test_a_field_that_nobody_knows_is_found(rendered: Rendered) -> None:
    """In the spec of every single manifest of production."""
    manifests = [manifest for manifest in rendered("production") if "spec" in manifest]
    for manifest in manifests:
        manifest["spec"]["replicaz"] = 3

    assert [name_of(manifest) for manifest in manifests if not refused(manifest)] == []


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_names_are_unique_and_in_one_namespace(rendered: Rendered, overlay: str) -> None:
    """Nothing would be applied over something else, or elsewhere."""
    manifests = rendered(overlay)
    names = [name_of(manifest) for manifest in manifests]

    assert sorted(set(names)) == sorted(names)
    assert len({manifest["metadata"].get("namespace") for manifest in manifests} - {None}) == 1


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_what_a_pod_names_exists(rendered: Rendered, overlay: str) -> None:
    """Every ConfigMap, Secret and key of one, account and claim."""
    manifests = rendered(overlay)
    there = held(manifests)
    for workload in workloads(manifests):
        pod = pod_template(workload)["spec"]
        for volume in pod["volumes"]:
            if "secret" in volume or "projected" in volume:
                assert files_of(volume, manifests)
            if "configMap" in volume:
                assert f"ConfigMap/{volume['configMap']['name']}" in there
        volumes = {v["name"] for v in [*pod["volumes"], *_claims(workload)]}
        for container in pod["containers"]:
            assert {mount["name"] for mount in container["volumeMounts"]} == volumes
            assert all(f"ConfigMap/{s['configMapRef']['name']}" in there for s in container.get("envFrom", []))


def _claims(workload: Manifest) -> list[Manifest]:
    return [claim["metadata"] for claim in workload["spec"].get("volumeClaimTemplates", [])]


def environment(workload: Manifest, manifests: list[Manifest]) -> dict[str, str]:
    """The variables of a workload's container. Files are not there: their variables are left to look at."""
    (container,) = pod_template(workload)["spec"]["containers"]
    found: dict[str, str] = {}
    for source in container.get("envFrom", []):
        found |= only(manifests, f"ConfigMap/{source['configMapRef']['name']}")["data"]
    return found | {
        entry["name"]: entry.get("value", workload["metadata"]["name"] + "-0") for entry in container["env"]
    }


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_variable_is_a_setting(rendered: Rendered, overlay: str) -> None:
    """Known to `pipeline.settings`, and with a value that it takes."""
    manifests = rendered(overlay)
    names = {PREFIX + setting.name for setting in SETTINGS}
    for workload in workloads(manifests):
        given = environment(workload, manifests)
        assert set(given) <= names
        load_settings({name: value for name, value in given.items() if not name.endswith(("_FILE", "_SITES"))})


def test_a_file_that_a_setting_names_is_mounted(rendered: Rendered) -> None:
    """Under the very path."""
    manifests = rendered("production")
    for workload in workloads(manifests):
        pod = pod_template(workload)["spec"]
        mounts = {mount["mountPath"]: mount["name"] for mount in pod["containers"][0]["volumeMounts"]}
        for name, value in environment(workload, manifests).items():
            if name.endswith(("_FILE", "_SITES")):
                folder, _, file = value.rpartition("/")
                (volume,) = [v for v in pod["volumes"] if v["name"] == mounts[folder]]
                assert file in files_of(volume, manifests)


def test_a_pod_has_time_to_end(rendered: Rendered) -> None:
    """preStop and the stage's own deadline fit into the grace period, with room."""
    manifests = rendered("production")
    ingest = pod_template(only(manifests, "StatefulSet/ingest"))["spec"]
    pause_s = ingest["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    drain_ms = int(environment(only(manifests, "StatefulSet/ingest"), manifests)["SEAMLINE_DRAIN_MS"])
    stitch = pod_template(only(manifests, "StatefulSet/stitch"))["spec"]
    worker = WorkerSettings(bootstrap="", epoch=1, policy=Policy(), data_dir=Path())

    assert ingest["terminationGracePeriodSeconds"] >= pause_s + drain_ms / 1_000 + 10
    assert stitch["terminationGracePeriodSeconds"] >= worker.stop_ms_max / 1_000 + 10


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_spool_is_kept_and_has_room(rendered: Rendered, overlay: str) -> None:
    """Scaling down deletes no acknowledged hit, and the claim holds more than the spool's bound."""
    manifests = rendered(overlay)
    ingest = only(manifests, "StatefulSet/ingest")
    size = ingest["spec"]["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"]
    bound = int(environment(ingest, manifests).get("SEAMLINE_SPOOL_BYTES_MAX", SPOOL_BYTES_MAX))

    assert ingest["spec"]["persistentVolumeClaimRetentionPolicy"] == {"whenScaled": "Retain", "whenDeleted": "Retain"}
    assert int(size.removesuffix("Gi")) * 2**30 >= 2 * bound


def test_a_stitch_pod_is_a_member_under_its_own_name(rendered: Rendered) -> None:
    """Static membership: a restart is no rebalance."""
    (container,) = pod_template(only(rendered("production"), "StatefulSet/stitch"))["spec"]["containers"]
    (instance,) = [entry for entry in container["env"] if entry["name"] == "SEAMLINE_INSTANCE"]

    assert instance["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.name"


def test_scaling_asks_for_the_lag_of_the_real_groups(rendered: Rendered) -> None:
    """The groups and topics that the workers use, and no more workers than partitions."""
    manifests = rendered("production")
    asked = {m["metadata"]["name"]: m["spec"] for m in manifests if m["kind"] == "ScaledObject"}
    groups = {name: spec["triggers"][0]["metadata"] for name, spec in asked.items()}
    partitions = int(environment(only(manifests, "StatefulSet/stitch"), manifests)["SEAMLINE_PARTITIONS"])

    assert (groups["stitch"]["consumerGroup"], groups["stitch"]["topic"]) == (STITCH_GROUP, HITS)
    assert (groups["sink"]["consumerGroup"], groups["sink"]["topic"]) == (SINK_GROUP, "stitched")
    assert all(spec["maxReplicaCount"] <= partitions for spec in asked.values())
    assert not [m for m in manifests if m["kind"] == "HorizontalPodAutoscaler" and m["metadata"]["name"] in asked]


def test_strimzi_makes_the_topics_that_migrate_would(rendered: Rendered) -> None:
    """The same partitions and retention; all but `hits`, whose making begins an epoch."""
    manifests = rendered("production")
    partitions = int(environment(only(manifests, "Job/migrate"), manifests)["SEAMLINE_PARTITIONS"])
    wanted = {name: (partitions, kept_ms) for name, kept_ms in retention_ms().items() if name != HITS}
    topics = {m["metadata"]["name"]: m["spec"] for m in manifests if m["kind"] == "KafkaTopic"}

    assert {n: (t["partitions"], t["config"]["retention.ms"]) for n, t in topics.items()} == wanted | {
        ERASURES: (1, -1)
    }
    assert {topic["config"]["segment.ms"] for topic in topics.values()} == {DAY_MS}
    assert {topic["config"]["cleanup.policy"] for topic in topics.values()} == {"delete"}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_kafka_lets_in_nobody_without_a_certificate(rendered: Rendered, overlay: str) -> None:
    """Every listener is TLS and asks who comes, nobody may do everything, and workers may what they do."""
    manifests = rendered(overlay)
    kafka = only(manifests, "Kafka/seamline")["spec"]["kafka"]
    acls = only(manifests, "KafkaUser/seamline-workers")["spec"]["authorization"]["acls"]
    written = {acl["resource"]["name"] for acl in acls if "Write" in acl["operations"]}

    assert [(True, "tls")] == [(listener["tls"], listener["authentication"]["type"]) for listener in kafka["listeners"]]
    assert {"type": "simple"} == kafka["authorization"]
    assert {*TOPICS, ERASURES} == written
    assert {STITCH_GROUP, "sink"} == {acl["resource"]["name"] for acl in acls if acl["resource"]["type"] == "group"}
    assert all(group.startswith("sink") for group in (SINK_GROUP, ALIAS_GROUP, DEAD_GROUP))
    for workload in workloads(manifests):
        given = environment(workload, manifests)
        assert ("SSL", "9093") == (given["SEAMLINE_KAFKA_SECURITY_PROTOCOL"], given["SEAMLINE_LOG"].rpartition(":")[2])


def test_no_secret_is_in_the_repository() -> None:
    """The folders for keys are in it with nothing but the rule that keeps it so."""
    listing = subprocess.run(
        ["git", "ls-files", str(KUBERNETES)], cwd=KUBERNETES, capture_output=True, text=True, check=True
    )
    kept = [name for name in listing.stdout.splitlines() if "/secrets/" in name]

    assert [Path(name).name for name in kept] == [".gitignore"] * len(OVERLAYS)
    assert {(KUBERNETES / "overlays" / o / "secrets" / ".gitignore").read_text() for o in OVERLAYS} == {
        "*\n!.gitignore\n"
    }


def test_every_request_has_a_reason() -> None:
    """Beside each workload's resources stands why so much."""
    for file in ("ingest", "stitch", "sink", "report", "migrate", "drain"):
        text = (KUBERNETES / "base" / f"{file}.yaml").read_text()
        (block,) = re.findall(r"resources:\n((?: *#.*\n| +(?:requests|limits):.*\n)+)", text)
        assert block.count("#") >= 1, file


def test_production_spreads_and_survives_a_node(rendered: Rendered) -> None:
    """Two of what visitors see, on different nodes where there are any, one at a time taken away."""
    manifests = rendered("production")
    for name in ("StatefulSet/ingest", "Deployment/report"):
        workload = only(manifests, name)
        keys = {c["topologyKey"] for c in pod_template(workload)["spec"]["topologySpreadConstraints"]}
        assert workload["spec"]["replicas"] >= 2
        assert keys == {"topology.kubernetes.io/zone", "kubernetes.io/hostname"}
