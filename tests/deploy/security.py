"""What makes a set of manifests safe, as questions with sentences for answers; it must not know how it was rendered."""

from collections.abc import Iterator
from typing import Any

from tests.deploy.manifests import Manifest, name_of, pod_template, workloads

SERVERS = {"Deployment", "StatefulSet"}
_LATEST = ("", "latest")


def findings(manifests: list[Manifest]) -> list[str]:
    """Every property that is missing, by workload; nothing where all is well."""
    return [
        *(
            f"{name_of(workload)}: {what}"
            for workload in workloads(manifests)
            for what in _workload(workload, manifests)
        ),
        *_cluster(manifests),
    ]


def _workload(workload: Manifest, manifests: list[Manifest]) -> Iterator[str]:
    pod = pod_template(workload)["spec"]
    yield from _pod(pod)
    yield from _account(pod, manifests)
    for container in [*pod.get("initContainers", []), *pod["containers"]]:
        yield from _container(container)
        if workload["kind"] in SERVERS:
            yield from _probes(container)
    if workload["kind"] in SERVERS and not _has_budget(workload, manifests):
        yield "no disruption budget"
    if not _policies(pod_template(workload)["metadata"]["labels"], manifests) - {"nobody", "names"}:
        yield "no network policy says whom it may speak to"


def _pod(pod: Manifest) -> Iterator[str]:
    security = pod.get("securityContext", {})
    if security.get("runAsNonRoot") is not True:
        yield "runAsNonRoot is not true"
    if security.get("runAsUser", 0) < 10_000:
        yield "runAsUser is not a high number"
    if security.get("seccompProfile") != {"type": "RuntimeDefault"}:
        yield "seccompProfile is not RuntimeDefault"
    if pod.get("automountServiceAccountToken") is not False:
        yield "the pod gets a token"
    if pod.get("enableServiceLinks") is not False:
        yield "every service is in its environment"
    if any(pod.get(shared) for shared in ("hostNetwork", "hostPID", "hostIPC")):
        yield "shares the host's namespaces"
    if any("hostPath" in volume for volume in pod.get("volumes", [])):
        yield "mounts a path of the host"
    held = [v.get("projected") or v["secret"] for v in pod.get("volumes", []) if "secret" in v or "projected" in v]
    if any(secret.get("defaultMode", 0o644) & 0o007 for secret in held):
        yield "a secret that others may read"
    if any("emptyDir" in volume and "sizeLimit" not in volume["emptyDir"] for volume in pod.get("volumes", [])):
        yield "an emptyDir without a bound"


def _account(pod: Manifest, manifests: list[Manifest]) -> Iterator[str]:
    accounts = [m for m in manifests if name_of(m) == f"ServiceAccount/{pod.get('serviceAccountName', 'default')}"]
    if not accounts:
        yield "no account of its own"
    elif accounts[0].get("automountServiceAccountToken") is not False:
        yield "its account hands out tokens"


def _container(container: Manifest) -> Iterator[str]:
    security = container.get("securityContext", {})
    if security.get("readOnlyRootFilesystem") is not True:
        yield "the root can be written to"
    if security.get("allowPrivilegeEscalation") is not False:
        yield "privileges can be gained"
    if security.get("capabilities") != {"drop": ["ALL"]}:
        yield "capabilities are left"
    if security.get("privileged"):
        yield "privileged"
    resources = container.get("resources", {})
    asked = [(kind, what) for kind in ("requests", "limits") for what in resources.get(kind, {})]
    for needed in (("requests", "cpu"), ("requests", "memory"), ("limits", "memory")):
        if needed not in asked:
            yield f"resources.{needed[0]}.{needed[1]} is not set"
    if container["image"].partition("@")[0].rpartition("/")[2].partition(":")[2] in _LATEST:
        yield "an image without a version"
    if any("secretKeyRef" in str(entry) for entry in container.get("env", [])) or any(
        "secretRef" in source for source in container.get("envFrom", [])
    ):
        yield "a secret in its environment: files do not end up in crash reports"


def _probes(container: Manifest) -> Iterator[str]:
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        if probe not in container:
            yield f"no {probe}"
    asked = [_asked(container.get(probe, {})) for probe in ("livenessProbe", "readinessProbe")]
    if asked[0] == asked[1]:
        yield "liveness asks what readiness asks"


def _asked(probe: Manifest) -> Any:
    return probe.get("httpGet") or probe.get("tcpSocket")


def _has_budget(workload: Manifest, manifests: list[Manifest]) -> bool:
    labels = pod_template(workload)["metadata"]["labels"]
    return any(
        _selects(budget["spec"]["selector"], labels) for budget in manifests if budget["kind"] == "PodDisruptionBudget"
    )


def _policies(labels: dict[str, str], manifests: list[Manifest]) -> set[str]:
    found = [m for m in manifests if m["kind"] == "NetworkPolicy" and _selects(m["spec"]["podSelector"], labels)]
    return {policy["metadata"]["name"] for policy in found}


def _selects(selector: Manifest, labels: dict[str, str]) -> bool:
    exact = all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())
    return exact and all(labels.get(e["key"]) in e["values"] for e in selector.get("matchExpressions", []))


def _cluster(manifests: list[Manifest]) -> Iterator[str]:
    closed = [m["spec"] for m in manifests if m["kind"] == "NetworkPolicy" and m["spec"]["podSelector"] == {}]
    closed = [spec for spec in closed if not spec.get("ingress") and not spec.get("egress")]
    if not any(set(spec["policyTypes"]) == {"Ingress", "Egress"} for spec in closed):
        yield "nothing is closed by default"
    for manifest in manifests:
        labels = manifest["metadata"].get("labels", {})
        if manifest["kind"] == "Namespace" and labels.get("pod-security.kubernetes.io/enforce") != "restricted":
            yield "the namespace enforces nothing"
        if manifest["kind"] == "Ingress":
            covered = {host for entry in manifest["spec"].get("tls", []) for host in entry["hosts"]}
            if {rule["host"] for rule in manifest["spec"]["rules"]} - covered:
                yield f"{name_of(manifest)}: a name without TLS"
        if manifest["kind"] in {"Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"}:
            yield f"{name_of(manifest)}: rights in the cluster"
        if manifest["kind"] == "Service" and manifest["spec"].get("type", "ClusterIP") != "ClusterIP":
            yield f"{name_of(manifest)}: open beside the ingress"
