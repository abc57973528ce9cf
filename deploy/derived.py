"""Files of this folder that are made of code or of one another; `make derived` writes them. It decides nothing."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from deploy.grafana import analysts, operators
from pipeline.setting_table import ALL, PREFIX, SETTINGS, Setting

ROOT = Path(__file__).parent
_RULES = """\
# Made from compose/alerts.yaml by `make derived`, for the Prometheus operator: change it there.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: seamline
spec:
"""
_BEGIN, _END = "<!-- settings: make derived -->", "<!-- end of settings -->"
_HEAD = ("| setting | default | takes | what it is | read by |\n", "| --- | --- | --- | --- | --- |\n")


def _json(dashboard: Callable[[], dict[str, Any]]) -> str:
    return json.dumps(dashboard(), indent=2) + "\n"


def _rules() -> str:
    """The groups as they stand in the file for compose, one level deeper."""
    groups = (ROOT / "compose" / "alerts.yaml").read_text().partition("groups:\n")
    lines = "".join(groups[1:]).splitlines()
    return _RULES + "".join(f"  {line}\n" if line else "\n" for line in lines)


def _settings() -> str:
    """The manual with its table of settings."""
    manual = (ROOT / "README.md").read_text()
    before, begin, rest = manual.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    assert begin and end, "the manual has no place for the table"
    rows = [_setting(setting) for setting in SETTINGS]
    return "".join([before, begin, "\n", *_HEAD, *rows, end, after])


def _setting(setting: Setting) -> str:
    default = f"`{setting.default}`" if setting.default else ""
    readers = "all" if setting.readers == ALL else ", ".join(setting.readers)
    cells = (f"`{PREFIX}{setting.name}`", default, setting.takes, setting.sentence, readers)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


DERIVED: Mapping[Path, Callable[[], str]] = {
    ROOT / "compose" / "grafana" / "dashboards" / "seamline.json": lambda: _json(operators.dashboard),
    ROOT / "grafana" / "seamline.json": lambda: _json(analysts.dashboard),
    ROOT / "kubernetes" / "components" / "monitoring" / "rules.yaml": _rules,
    ROOT / "README.md": _settings,
}

if __name__ == "__main__":
    for path, text in DERIVED.items():
        path.write_text(text())
