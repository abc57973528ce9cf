"""What an attacker who got into a pod would not find there; taking away any one property is noticed."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.deploy.manifests import OVERLAYS, Manifest, only, pod_template, workloads
from tests.deploy.security import findings

Rendered = Callable[[str], list[Manifest]]
OURS = (
    "StatefulSet/ingest",
    "StatefulSet/stitch",
    "Deployment/sink",
    "Deployment/report",
    "Job/migrate",
    "CronJob/drain-spool",
)
POD = (
    ("securityContext", "runAsNonRoot"),
    ("securityContext", "runAsUser"),
    ("securityContext", "seccompProfile"),
    ("automountServiceAccountToken",),
    ("enableServiceLinks",),
    ("serviceAccountName",),
)
CONTAINER = (
    ("securityContext", "readOnlyRootFilesystem"),
    ("securityContext", "allowPrivilegeEscalation"),
    ("securityContext", "capabilities"),
    ("resources", "requests", "cpu"),
    ("resources", "requests", "memory"),
    ("resources", "limits", "memory"),
)
PROBES = (("startupProbe",), ("livenessProbe",), ("readinessProbe",))  # of those that something is sent to
TAKEN_AWAY = [
    (workload, path)
    for workload in OURS
    for path in (*POD, *CONTAINER, *(PROBES if workload.startswith(("Deployment", "StatefulSet")) else ()))
]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_an_overlay_is_safe(rendered: Rendered, overlay: str) -> None:
    """Not one finding."""
    assert findings(rendered(overlay)) == []


def test_every_workload_is_looked_at(rendered: Rendered) -> None:
    """The list below is the list of what runs."""
    found = sorted(f"{w['kind']}/{w['metadata']['name']}" for w in workloads(rendered("production")))

    assert found == sorted(OURS)


@pytest.mark.parametrize(
    ("workload", "path"), TAKEN_AWAY, ids=lambda part: part if isinstance(part, str) else ".".join(part)
)
def test_a_property_that_is_taken_away_is_missed(rendered: Rendered, workload: str, path: tuple[str, ...]) -> None:
    """Each property of each workload, one at a time."""
    manifests = rendered("production")
    pod = pod_template(only(manifests, workload))["spec"]

    _remove(pod if path in POD else pod["containers"][0], path)

    assert [finding for finding in findings(manifests) if finding.startswith(workload)]


def _remove(owner: Manifest, path: tuple[str, ...]) -> None:
    for step in path[:-1]:
        owner = owner[step]
    del owner[path[-1]]


def _pod(manifests: list[Manifest]) -> Any:
    return pod_template(only(manifests, "Deployment/sink"))["spec"]


def _without(kind: str) -> Callable[[list[Manifest]], None]:
    def change(manifests: list[Manifest]) -> None:
        manifests[:] = [manifest for manifest in manifests if manifest["kind"] != kind]

    return change


def _without_named(name: str) -> Callable[[list[Manifest]], None]:
    def change(manifests: list[Manifest]) -> None:
        manifests.remove(only(manifests, name))

    return change


WORSE: dict[str, Callable[[list[Manifest]], Any]] = {
    "no budgets": _without("PodDisruptionBudget"),
    "no policies": _without("NetworkPolicy"),
    "open by default": _without_named("NetworkPolicy/nobody"),
    "only closed inwards": lambda m: only(m, "NetworkPolicy/nobody")["spec"].update(policyTypes=["Ingress"]),
    "a token by the account": lambda m: only(m, "ServiceAccount/sink").pop("automountServiceAccountToken"),
    "no TLS": lambda m: only(m, "Ingress/hits")["spec"].pop("tls"),
    "a lax namespace": lambda m: only(m, "Namespace/seamline")["metadata"].pop("labels"),
    "a node port": lambda m: only(m, "Service/ingest")["spec"].update(type="NodePort"),
    "a privileged container": lambda m: _pod(m)["containers"][0]["securityContext"].update(privileged=True),
    "a capability added": lambda m: _pod(m)["containers"][0]["securityContext"]["capabilities"].update(add=["CHOWN"]),
    "a moving image": lambda m: _pod(m)["containers"][0].update(image="seamline:latest"),
    "the host's network": lambda m: _pod(m).update(hostNetwork=True),
    "the host's files": lambda m: _pod(m)["volumes"].append({"name": "h", "hostPath": {"path": "/"}}),
    "a readable secret": lambda m: _pod(m)["volumes"].append({"name": "s", "secret": {"secretName": "x"}}),
    "an unbounded folder": lambda m: _pod(m)["volumes"].append({"name": "e", "emptyDir": {}}),
    "a secret in the environment": lambda m: _pod(m)["containers"][0]["envFrom"].append({"secretRef": {"name": "x"}}),
    "a role": lambda m: m.append({"kind": "Role", "metadata": {"name": "r"}}),
}


@pytest.mark.parametrize("change", WORSE.values(), ids=WORSE.keys())
def test_a_change_for_the_worse_is_found(rendered: Rendered, change: Callable[[list[Manifest]], Any]) -> None:
    """Whatever it was, there is a sentence about it."""
    manifests = rendered("production")

    change(manifests)

    assert findings(manifests)
