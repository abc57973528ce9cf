"""Every alert and panel asks for numbers that exist, in words that Prometheus reads; each alert has its paragraph.

`tests/e2e/test_metrics.py` asks the same of workers that run.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.derived import DERIVED
from deploy.grafana import operators
from pipeline.telemetry.histogram import seconds
from pipeline.telemetry.metrics import INGEST, SINK, STITCH, Meaning, text
from tests.deploy.kubectl import ROOT
from tests.deploy.promql import asked, missing, told

COMPOSE = ROOT / "deploy" / "compose"
MANUAL = (ROOT / "deploy" / "README.md").read_text()
GROUPS: list[dict[str, Any]] = yaml.safe_load((COMPOSE / "alerts.yaml").read_text())["groups"]
ALERTS = [rule for group in GROUPS for rule in group["rules"]]
PANELS = json.loads((COMPOSE / "grafana" / "dashboards" / "seamline.json").read_text())["panels"]
EXPRESSIONS = [rule["expr"] for rule in ALERTS] + [t["expr"] for panel in PANELS for t in panel.get("targets", ())]


def _any(meaning: Meaning) -> Any:
    if meaning.kind == "histogram":
        return seconds()
    return {meaning.labels: 1.0} if meaning.labels else 1.0


@pytest.fixture(scope="module")
def names() -> dict[str, frozenset[str]]:
    """What the stages' own /metrics texts have."""
    pages = [text(stage, {name: _any(meaning) for name, meaning in stage.items()}) for stage in (INGEST, STITCH, SINK)]
    return told(b"".join(pages).decode())


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_asks_for_what_is_there(names: dict[str, frozenset[str]], expression: str) -> None:
    """It parses, and every metric in it is scraped under that very name and with those labels."""
    assert missing(expression, names) == []
    assert asked(expression)


def test_what_is_not_there_is_found(names: dict[str, frozenset[str]]) -> None:
    """A counter without its ending, a name nobody has, a histogram without a part of it, a label of another metric."""
    assert missing("rate(seamline_sink_rows[5m])", names)
    assert missing("up == 0 and seamline_stitch_lag_record > 1", names)
    assert missing("max(seamline_sink_latency_seconds) > 3", names)
    assert missing("sum by (outcome) (rate(seamline_ingest_replies_total[5m]))", names)
    assert missing('seamline_sink_lag_seconds{topics="stitched"}', names)


@pytest.mark.parametrize(("path", "made"), DERIVED.items(), ids=lambda part: getattr(part, "name", ""))
def test_a_file_that_is_made_is_as_it_was_made(path: Path, made: Callable[[], str]) -> None:
    """One source each: who changes a copy by hand is told to `make derived`."""
    assert made() == path.read_text()


def test_the_operator_and_compose_have_the_same_rules() -> None:
    """One text in two places."""
    path = ROOT / "deploy" / "kubernetes" / "components" / "monitoring" / "rules.yaml"

    assert yaml.safe_load(path.read_text())["spec"]["groups"] == GROUPS


def test_a_dashboard_shows_every_stage_and_hides_no_panel() -> None:
    """Panels do not overlap, and each line of each has a name."""
    panels = [panel for row in operators.ROWS.values() for panel in row]
    places = [
        (x, y)
        for panel in PANELS
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]

    assert {"Ingest", "Stitch", "Sink"} < operators.ROWS.keys()
    assert len(places) == len(set(places))
    assert len(PANELS) == len({panel["id"] for panel in PANELS})
    assert all(legend for panel in panels for legend in panel.asks.values())


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


def test_an_alert_says_nothing_that_its_numbers_do_not() -> None:
    """A sentence that names a label is of an expression that keeps it."""
    for rule in ALERTS:
        named = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
        kept = {label for by in re.findall(r"by \(([^)]*)\)", rule["expr"]) for label in by.split(", ")}
        aggregated = re.match(r"(sum|max|histogram_quantile)\b", rule["expr"])

        assert named <= kept or not aggregated, rule["alert"]


def test_no_paragraph_is_left_over() -> None:
    """What no alert points to is not a runbook."""
    assert set(re.findall(r"^#### (Seamline\w+)$", MANUAL, re.M)) == {rule["alert"] for rule in ALERTS}


def test_grafana_finds_its_dashboards() -> None:
    """Where compose mounts them, with the source that is provisioned."""
    provisioning = COMPOSE / "grafana" / "provisioning"
    source = yaml.safe_load((provisioning / "datasources" / "prometheus.yaml").read_text())["datasources"][0]
    provider = yaml.safe_load((provisioning / "dashboards" / "seamline.yaml").read_text())["providers"][0]
    mounts = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())["services"]["grafana"]["volumes"]

    assert {panel["datasource"]["uid"] for panel in PANELS if panel["type"] != "row"} == {source["uid"]}
    assert f"./compose/grafana/dashboards:{provider['options']['path']}:ro" in mounts
    assert Path(ROOT / "deploy" / "compose" / "grafana" / "dashboards" / "seamline.json").is_file()
