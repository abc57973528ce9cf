"""The manifests as a cluster would get them: rendered, with keys made up for the occasion; it must not judge them."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.deploy.kubectl import ROOT

KUBERNETES = ROOT / "deploy" / "kubernetes"
OVERLAYS = sorted(folder.name for folder in (KUBERNETES / "overlays").iterdir())
WORKLOADS = {"Deployment", "StatefulSet", "Job", "CronJob"}
Manifest = dict[str, Any]


def render(program: Path, overlay: str, folder: Path, component: str = "") -> list[Manifest]:
    """Every resource of an overlay, from a copy in `folder`, whose overlays have the secret files they ask for.

    `component`: one more, after those that the overlay has.
    """
    copy = folder / "kubernetes"
    if not copy.exists():
        shutil.copytree(KUBERNETES, copy)
    if component:
        _add(component, copy / "overlays" / overlay / "kustomization.yaml")
    secrets = copy / "overlays" / overlay / "secrets"
    for name in ("clickhouse-password", "erasure-key", "report-tokens"):
        (secrets / name).write_text("5e" * 32 + "\n")
    shutil.copyfile(ROOT / "deploy" / "sites.example.yaml", secrets / "sites.yaml")
    command = [str(program), "kustomize", str(copy / "overlays" / overlay)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""  # warnings: a field that a next version will not know
    return [manifest for manifest in yaml.safe_load_all(done.stdout) if manifest]


def _add(component: str, kustomization: Path) -> None:
    text = kustomization.read_text()
    components = re.findall(r"^  - \.\./\.\./components/.*\n", text, re.MULTILINE)
    kustomization.write_text(text.replace(components[-1], f"{components[-1]}  - ../../components/{component}\n"))


def held(manifests: list[Manifest]) -> dict[str, set[str]]:
    """The keys of every ConfigMap and Secret, by `Kind/name`: of those, too, that Strimzi makes."""
    found = {name_of(m): set(m.get("data", {})) for m in manifests if m["kind"] in {"ConfigMap", "Secret"}}
    for manifest in manifests:
        name = manifest["metadata"]["name"]
        if manifest["kind"] == "Kafka":
            found[f"Secret/{name}-cluster-ca-cert"] = {"ca.crt", "ca.p12", "ca.password"}
        if manifest["kind"] == "KafkaUser":
            found[f"Secret/{name}"] = {"ca.crt", "user.crt", "user.key", "user.p12", "user.password"}
    return found


def files_of(volume: Manifest, manifests: list[Manifest]) -> dict[str, str]:
    """File name -> `Secret/name/key` of what a pod's volume of secrets holds; every one of them is there."""
    sources = volume.get("projected", {}).get("sources") or [volume]
    files = {}
    for secret in (source["secret"] for source in sources if "secret" in source):
        name = "Secret/" + (secret.get("secretName") or secret["name"])
        keys = held(manifests)[name]
        items = secret.get("items") or [{"key": key, "path": key} for key in keys]
        assert {item["key"] for item in items} <= keys, name
        files |= {item["path"]: f"{name}/{item['key']}" for item in items}
    return files


def name_of(manifest: Manifest) -> str:
    """`Kind/name`."""
    return f"{manifest['kind']}/{manifest['metadata']['name']}"


def pod_template(workload: Manifest) -> Manifest:
    """What the pods of a workload are made from."""
    spec = workload["spec"]
    template: Manifest = spec["jobTemplate"]["spec"]["template"] if workload["kind"] == "CronJob" else spec["template"]
    return template


def workloads(manifests: list[Manifest]) -> Iterator[Manifest]:
    """Those of our own; Kafka's and ClickHouse's pods are made by their operators."""
    return (manifest for manifest in manifests if manifest["kind"] in WORKLOADS)


def only(manifests: list[Manifest], name: str) -> Manifest:
    """The one of this `Kind/name`."""
    (found,) = [manifest for manifest in manifests if name_of(manifest) == name]
    return found
