"""compose.yaml is what the specification allows, and what its files and Seamline's settings agree with."""

import hashlib
import re
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import compose_spec
import pytest
import yaml

from pipeline.privacy.keys import erasure_key
from pipeline.report.web.access import parse_tokens
from pipeline.settings import PREFIX, SETTINGS, load_settings
from tests.deploy.kubectl import ROOT

FILE = ROOT / "deploy" / "compose.yaml"
Compose = dict[str, Any]
WORKERS = ("migrate", "ingest", "stitch", "sink", "report")


@pytest.fixture
def compose() -> Compose:
    """The file with its anchors resolved, to change as one likes."""
    made: Compose = yaml.safe_load(FILE.read_text())
    return yaml.safe_load(yaml.dump(made, Dumper=_NoAliases))  # type: ignore[no-any-return]


class _NoAliases(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        """Nothing is shared between services."""
        return True


def findings(compose: Compose) -> list[str]:
    """What makes a service weaker than it has to be."""
    found = []
    for name, service in compose["services"].items():
        if "no-new-privileges:true" not in service.get("security_opt", []):
            found.append(f"{name}: privileges can be gained")
        if "mem_limit" not in service:
            found.append(f"{name}: no bound on memory")
        if not re.search(r":v?\d+\.\d+", service["image"]):
            found.append(f"{name}: an image without a version")
        if any(not str(port).startswith("127.0.0.1:") for port in service.get("ports", [])):
            found.append(f"{name}: open to the network")
        if name in WORKERS and (service.get("read_only"), service.get("cap_drop")) != (True, ["ALL"]):
            found.append(f"{name}: may do more than it has to")
        if name in WORKERS and service.get("user") != "10001:10001":
            found.append(f"{name}: not the image's user")
    return found


def test_the_specification_allows_it(compose: Compose) -> None:
    """Every key of it is known, and has a value of its kind."""
    assert len(compose_spec.PyCompose.from_yaml(yaml.dump(compose))) == len(compose["services"])


def test_an_unknown_key_is_found(compose: Compose) -> None:
    """In any service."""
    compose["services"]["ingest"]["replicaz"] = 3

    with pytest.raises(ValueError, match="replicaz"):
        compose_spec.PyCompose.from_yaml(yaml.dump(compose))


def test_every_service_is_closed(compose: Compose) -> None:
    """Not one finding."""
    assert findings(compose) == []


WORSE: dict[str, Callable[[Compose], Any]] = {
    "a port for everybody": lambda c: c["ingest"].update(ports=["8080:8080"]),
    "root": lambda c: c["sink"].pop("user"),
    "a root that is written to": lambda c: c["stitch"].pop("read_only"),
    "capabilities": lambda c: c["report"].pop("cap_drop"),
    "privileges": lambda c: c["kafka"].pop("security_opt"),
    "no bound": lambda c: c["clickhouse"].pop("mem_limit"),
    "a moving image": lambda c: c["grafana"].update(image="grafana/grafana:latest"),
}


@pytest.mark.parametrize("change", WORSE.values(), ids=WORSE.keys())
def test_an_opening_is_found(compose: Compose, change: Callable[[Compose], Any]) -> None:
    """Each question sees what it is there for."""
    change(compose["services"])

    assert findings(compose) != []


def test_every_variable_is_a_setting(compose: Compose) -> None:
    """Known to `pipeline.settings`, and with a value that it takes."""
    names = {PREFIX + setting.name for setting in SETTINGS}
    for name in WORKERS:
        given = compose["services"][name]["environment"]
        assert set(given) <= names
        load_settings({key: value for key, value in given.items() if not key.endswith("_FILE")})


def test_what_is_named_is_there(compose: Compose) -> None:
    """Files beside compose.yaml, volumes, networks, and services that others wait for."""
    for name, service in compose["services"].items():
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            assert (FILE.parent / source).exists() if source.startswith(".") else source in compose["volumes"]
        assert set(service.get("networks", [])) <= set(compose["networks"])
        waits = service.get("depends_on", {})
        assert set(waits) <= set(compose["services"]), name
        healthy = [o for o in waits if isinstance(waits, dict) and waits[o]["condition"] == "service_healthy"]
        assert all("test" in compose["services"][other]["healthcheck"] for other in healthy)
    assert {s["build"]["dockerfile"] for s in compose["services"].values() if "build" in s} == {"deploy/Dockerfile"}


def test_workers_start_after_the_migration(compose: Compose) -> None:
    """And the migration after what it migrates is healthy."""
    services = compose["services"]

    assert all(
        services[n]["depends_on"]["migrate"]["condition"] == "service_completed_successfully" for n in WORKERS[1:]
    )
    assert {entry["condition"] for entry in services["migrate"]["depends_on"].values()} == {"service_healthy"}


def test_the_log_and_the_warehouse_are_not_reachable(compose: Compose) -> None:
    """Kafka has no password here: its network has no way in."""
    services = compose["services"]

    assert compose["networks"]["inside"]["internal"] is True
    assert all(
        services[name]["networks"] == ["inside"] and "ports" not in services[name] for name in ("kafka", "clickhouse")
    )


def test_prometheus_scrapes_every_stage(compose: Compose) -> None:
    """By the names of the services, on the port that they listen on."""
    scraped = yaml.safe_load((FILE.parent / "compose" / "prometheus.yaml").read_text())["scrape_configs"]

    targets = [target for job in scraped for entry in job["static_configs"] for target in entry["targets"]]
    assert targets == [f"{name}:8080" for name in ("ingest", "stitch", "sink")]
    assert {target.split(":")[0] for target in targets} <= set(compose["services"])


def test_keys_are_made_once_and_fit(tmp_path: Path) -> None:
    """Seamline reads them; ClickHouse knows the password by its hash; a second start changes nothing."""
    make_keys = runpy.run_path(str(FILE.parent / "compose" / "keys.py"))["make_keys"]
    workers, clickhouse = tmp_path / "workers", tmp_path / "clickhouse"
    workers.mkdir()
    clickhouse.mkdir()

    make_keys(workers, clickhouse)
    first = {path.name: path.read_text() for path in tmp_path.rglob("*") if path.is_file()}
    make_keys(workers, clickhouse)

    assert {path.name: path.read_text() for path in tmp_path.rglob("*") if path.is_file()} == first
    variables = {"SEAMLINE_WAREHOUSE_PASSWORD_FILE": str(workers / "clickhouse-password")}
    password = load_settings(variables).warehouse.password
    assert hashlib.sha256(password.encode()).hexdigest() in first["seamline.xml"]
    assert len(erasure_key(workers / "erasure-key", make=False)) >= 32
    assert parse_tokens(first["report-tokens"], {"demo"})
    assert len(set(first.values())) == len(first)
