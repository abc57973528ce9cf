"""What operators look at: every worker, from Prometheus; it must not know where Grafana is.

`make derived` writes it to compose/grafana/dashboards/seamline.json.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

SOURCE = {"type": "prometheus", "uid": "prometheus"}
_WIDE, _HIGH = 12, 8


class Panel(NamedTuple):
    """`asks`: expression to what its lines are called."""

    title: str
    description: str
    unit: str
    asks: dict[str, str]
    kind: str = "timeseries"
    stacked: bool = False


def _rate(metric: str, by: str) -> dict[str, str]:
    return {f"sum by ({by}) (rate({metric}[5m]))": f"{{{{{by}}}}}"}


def _percentiles(histogram: str) -> dict[str, str]:
    """Half of them, and all but one in a hundred."""
    rate = f"sum by (le) (rate({histogram}_bucket[5m]))"
    return {f"histogram_quantile({q}, {rate})": name for q, name in ((0.5, "median"), (0.99, "99 of 100"))}


def _mean(histogram: str) -> dict[str, str]:
    return {f"sum(rate({histogram}_sum[5m])) / sum(rate({histogram}_count[5m]))": "mean"}


_UNACCOUNTED = {
    "sum(abs(seamline_ingest_unaccounted_hits))": "ingest",
    "sum(abs(seamline_stitch_unaccounted_hits))": "stitch",
    "sum(abs(seamline_sink_unaccounted_lines))": "sink",
}
_LAG_S = {
    "max(seamline_ingest_spool_age_seconds)": "spool",
    "max(seamline_stitch_lag_seconds)": "stitch",
    'max(seamline_sink_lag_seconds{topic="stitched"})': "sink",
}
_STITCH_LOG = "From when the log had a record of hits until its actions were durable"
_SINK_LOG = "From when the log had a record of stitched until its rows could be seen"

ROWS: dict[str, tuple[Panel, ...]] = {
    "Is all well?": (
        Panel("How late", "Age of the oldest that waits, at each stage", "s", _LAG_S, "stat"),
        Panel(
            "Unaccounted for", "Anything but 0 is a bug: see SeamlineBooksDoNotBalance", "short", _UNACCOUNTED, "stat"
        ),
    ),
    "Ingest": (
        Panel("Hits by what became of them", "", "reqps", _rate("seamline_ingest_hits_total", "outcome"), stacked=True),
        Panel(
            "Accepted hits by site",
            "",
            "reqps",
            _rate('seamline_ingest_hits_total{outcome="accepted"}', "site"),
            stacked=True,
        ),
        Panel(
            "Accepted hits by tracker",
            "",
            "reqps",
            _rate('seamline_ingest_hits_total{outcome="accepted"}', "protocol"),
            stacked=True,
        ),
        Panel("Replies", "", "reqps", _rate("seamline_ingest_replies_total", "status")),
        Panel("Time to reply", "Slow senders included", "s", _percentiles("seamline_ingest_reply_seconds")),
        Panel(
            "Time to be durable",
            "From the first hit of a batch until the log, or the spool, has it",
            "s",
            _percentiles("seamline_ingest_publish_seconds"),
        ),
        Panel("Hits made durable together", "", "short", _mean("seamline_ingest_batch_hits")),
        Panel("Records that wait on disk", "", "short", {"seamline_ingest_spool_records": "{{instance}}"}),
    ),
    "Stitch": (
        Panel("Stitched hits", "", "reqps", {"sum(rate(seamline_stitch_hits_total[5m]))": "hits"}),
        Panel(
            "Whose they are",
            "Share of new actions by attribution, as known when they came",
            "percentunit",
            {
                "sum by (attribution) (rate(seamline_stitch_actions_total[5m])) "
                "/ scalar(sum(rate(seamline_stitch_actions_total[5m])))": "{{attribution}}"
            },
            stacked=True,
        ),
        Panel("Records that wait", "", "short", {"sum(seamline_stitch_lag_records)": "records"}),
        Panel(
            "Since the last checkpoint",
            "A quiet site has none to make",
            "s",
            {"seamline_stitch_checkpoint_age_seconds": "{{instance}}"},
        ),
        Panel("Time in stitch", _STITCH_LOG, "s", _percentiles("seamline_stitch_latency_seconds")),
        Panel("Time of a checkpoint", "", "s", _percentiles("seamline_stitch_checkpoint_seconds")),
        Panel("Hits of a checkpoint", "", "short", _mean("seamline_stitch_checkpoint_hits")),
        Panel(
            "Not going smoothly",
            "Refused checkpoints, waits for the log, records put aside",
            "short",
            {
                "sum(increase(seamline_stitch_fenced_total[5m]))": "refused checkpoints",
                "sum(increase(seamline_stitch_log_waits_total[5m]))": "waits for the log",
                "sum(increase(seamline_stitch_poisoned_records_total[5m]))": "records put aside",
            },
        ),
    ),
    "Sink": (
        Panel(
            "To ClickHouse",
            "",
            "reqps",
            {"sum(rate(seamline_sink_rows_total[5m]))": "rows", "sum(rate(seamline_sink_links_total[5m]))": "links"},
        ),
        Panel("Records no sink has stored", "", "short", {"max by (topic) (seamline_sink_lag_records)": "{{topic}}"}),
        Panel("Time in the sink", _SINK_LOG, "s", _percentiles("seamline_sink_latency_seconds")),
        Panel("Time of a flush", "", "s", _percentiles("seamline_sink_flush_duration_seconds")),
        Panel("Rows of a flush", "", "short", _mean("seamline_sink_flush_rows")),
        Panel("Attempts made again", "", "short", {"sum(increase(seamline_sink_retries_total[5m]))": "attempts"}),
        Panel(
            "Dead letters",
            "What could not be processed, of every stage",
            "short",
            {"sum by (reason) (increase(seamline_sink_dead_letters_total[5m]))": "{{reason}}"},
        ),
        Panel(
            "IDs that look wrong",
            "`seamline doctor` names them",
            "short",
            {"max by (guard) (seamline_suspects)": "{{guard}}"},
        ),
    ),
}


def dashboard() -> dict[str, Any]:
    """As Grafana imports it."""
    return {
        "uid": "seamline-workers",
        "title": "Seamline: workers",
        "schemaVersion": 39,
        "editable": False,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "panels": list(_placed()),
    }


def _placed() -> Iterator[dict[str, Any]]:
    number = y = 0
    for title, panels in ROWS.items():
        number += 1
        place = {"h": 1, "w": 2 * _WIDE, "x": 0, "y": y}
        yield {"id": number, "type": "row", "title": title, "gridPos": place, "collapsed": False, "panels": []}
        y += 1
        for at, panel in enumerate(panels):
            number += 1
            place = {"h": _HIGH, "w": _WIDE, "x": at % 2 * _WIDE, "y": y + at // 2 * _HIGH}
            yield _panel(number, panel, place)
        y += (len(panels) + 1) // 2 * _HIGH


def _panel(number: int, panel: Panel, place: dict[str, int]) -> dict[str, Any]:
    defaults: dict[str, Any] = {"unit": panel.unit, "min": 0}
    if panel.stacked:
        defaults["custom"] = {"stacking": {"mode": "normal"}, "fillOpacity": 20}
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + at), "expr": expression, "legendFormat": legend}
            for at, (expression, legend) in enumerate(panel.asks.items())
        ],
    }
