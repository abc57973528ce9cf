"""Every alert and panel asks for numbers that exist, in words that Prometheus reads; each alert has its paragraph."""

import json
import re
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from pipeline.ingest.app import IngestApp
from pipeline.settings import load_settings
from pipeline.telemetry.metrics import SINK, STITCH, text
from tests.deploy.kubectl import ROOT
from tests.deploy.operators import metrics_of
from tests.support.fake_log import FakeLog

COMPOSE = ROOT / "deploy" / "compose"
MANUAL = (ROOT / "deploy" / "README.md").read_text()
GROUPS: list[dict[str, Any]] = yaml.safe_load((COMPOSE / "alerts.yaml").read_text())["groups"]
ALERTS = [rule for group in GROUPS for rule in group["rules"]]
PANELS = json.loads((COMPOSE / "grafana" / "dashboards" / "seamline.json").read_text())["panels"]
EXPRESSIONS = [rule["expr"] for rule in ALERTS] + [t["expr"] for panel in PANELS for t in panel["targets"]]


@pytest.fixture(scope="module")
def scraped(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names that the stages' own /metrics texts have."""
    settings = load_settings({"SEAMLINE_DATA": str(tmp_path_factory.mktemp("metrics"))})
    app = IngestApp(settings.sites, FakeLog(), settings.ingest)
    app.counts.hits["demo", "native", "accepted", ""] = 1
    app.counts.replies["native", 200] = 1
    app.counts.events["drained_records"] = 1
    ones = {name: {"any": 1.0} if meaning.label else 1.0 for name, meaning in {**STITCH, **SINK}.items()}
    pages = app.metrics() + text(STITCH, ones) + text(SINK, ones)
    return {s.name for family in text_string_to_metric_families(pages.decode()) for s in family.samples}


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_asks_for_what_is_there(scraped: set[str], expression: str) -> None:
    """It parses, and every metric of ours in it is scraped under that very name."""
    promql_parser.parse(expression)

    assert metrics_of(expression) <= scraped
    assert metrics_of(expression) or expression.startswith("up{")


def test_a_metric_that_is_not_there_is_found(scraped: set[str]) -> None:
    """A counter without its ending, and a name nobody has."""
    assert metrics_of("rate(seamline_sink_rows[5m])") - scraped
    assert metrics_of("seamline_stitch_lag_record") - scraped


def test_the_operator_and_compose_have_the_same_rules() -> None:
    """One text in two places, kept equal."""
    path = ROOT / "deploy" / "kubernetes" / "components" / "monitoring" / "rules.yaml"

    assert yaml.safe_load(path.read_text())["spec"]["groups"] == GROUPS


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_an_alert_says_what_to_do(rule: dict[str, Any]) -> None:
    """A severity, a sentence, and a paragraph of the manual under its name."""
    anchor = rule["annotations"]["runbook"].partition("#")[2]
    paragraph = re.search(rf"^#### {rule['alert']}\n\n(.+?)(?=\n\n|\Z)", MANUAL, re.M | re.S)

    assert rule["labels"]["severity"] in {"warning", "critical"}
    assert rule["annotations"]["summary"]
    assert anchor == rule["alert"].lower()
    assert paragraph is not None
    assert len(paragraph[1]) > 80


def test_no_paragraph_is_left_over() -> None:
    """What no alert points to is not a runbook."""
    assert set(re.findall(r"^#### (Seamline\w+)$", MANUAL, re.M)) == {rule["alert"] for rule in ALERTS}


def test_grafana_finds_its_dashboards() -> None:
    """Where compose mounts them, with the source that is provisioned."""
    provisioning = COMPOSE / "grafana" / "provisioning"
    source = yaml.safe_load((provisioning / "datasources" / "prometheus.yaml").read_text())["datasources"][0]
    provider = yaml.safe_load((provisioning / "dashboards" / "seamline.yaml").read_text())["providers"][0]
    mounts = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())["services"]["grafana"]["volumes"]

    assert {panel["datasource"]["uid"] for panel in PANELS} == {source["uid"]}
    assert f"./compose/grafana/dashboards:{provider['options']['path']}:ro" in mounts
    assert Path(ROOT / "deploy" / "compose" / "grafana" / "dashboards" / "seamline.json").is_file()
