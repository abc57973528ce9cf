"""What analysts look at: persons and their journeys, from ClickHouse; it must not know one installation from another.

`make derived` writes it to seamline.json beside this file; import that into Grafana.
"""

from typing import Any, NamedTuple

SOURCE = {"type": "grafana-clickhouse-datasource", "uid": "${source}"}
# A week to either side: `day` is of the client's own clock, and the key that lets ClickHouse skip the rest.
_THESE = (
    "workspace = '${workspace}' AND $__timeFilter(ts) "
    "AND day BETWEEN toDate($__fromTime) - 7 AND toDate($__toTime) + 7 AND NOT bot"
)


class Panel(NamedTuple):
    """`place`: x, y, width and height of 24 columns."""

    title: str
    description: str
    kind: str
    place: tuple[int, int, int, int]
    sql: str
    unit: str = ""


def _of_actions(what: str, rest: str = "") -> str:
    return f"SELECT {what} FROM actions WHERE {_THESE}{rest}"  # noqa: S608


def _by_day(what: str) -> str:
    return _of_actions(f"toStartOfDay(ts) AS time, {what}", " GROUP BY time ORDER BY time")


_ATTRIBUTIONS = ("identified", "carried", "backfilled", "anonymous")
PANELS = (
    Panel("Actions", "What was done, without bots", "stat", (0, 0, 6, 4), _of_actions("count() AS actions")),
    Panel(
        "Devices",
        "What a tool that counts devices would call visitors",
        "stat",
        (6, 0, 6, 4),
        _of_actions("uniqExact(device) AS devices"),
    ),
    Panel(
        "Persons",
        "Who that was, after logins and aliases",
        "stat",
        (12, 0, 6, 4),
        _of_actions("uniqExact(person_id) AS persons"),
    ),
    Panel(
        "Known persons' share of actions",
        "Identified, carried or backfilled",
        "stat",
        (18, 0, 6, 4),
        _of_actions("countIf(attribution != 'anonymous') / greatest(count(), 1) AS share"),
        "percentunit",
    ),
    Panel(
        "Devices and persons by day",
        "The gap is what stitching knows",
        "timeseries",
        (0, 4, 12, 8),
        _by_day("uniqExact(device) AS devices, uniqExact(person_id) AS persons"),
    ),
    Panel(
        "How it is known whose they are",
        "By day; backfilled is history that a later login gave to somebody",
        "timeseries",
        (12, 4, 12, 8),
        _by_day(", ".join(f"countIf(attribution = '{how}') AS {how}" for how in _ATTRIBUTIONS)),
    ),
    Panel(
        "Persons by number of devices",
        "Of everybody who ever signed in",
        "barchart",
        (0, 12, 8, 8),
        "SELECT toString(least(devices, 5)) || if(devices >= 5, '+', '') AS devices_of_a_person, count() AS persons "
        "FROM persons WHERE workspace = '${workspace}' AND notEmpty(user_ids) "
        "GROUP BY devices_of_a_person ORDER BY devices_of_a_person",
    ),
    Panel(
        "Where persons come from",
        "Campaigns named in the address",
        "table",
        (8, 12, 8, 8),
        _of_actions(
            "campaign_source AS source, campaign_medium AS medium, uniqExact(person_id) AS persons, count() AS actions",
            " AND campaign_source != '' GROUP BY source, medium ORDER BY persons DESC LIMIT 20",
        ),
    ),
    Panel(
        "Dead letters",
        "What could not be processed, with its bytes",
        "table",
        (16, 12, 8, 8),
        "SELECT reason, count() AS letters, max(received_at) AS newest FROM dead_letters FINAL "
        "WHERE $__timeFilter(received_at) GROUP BY reason ORDER BY letters DESC",
    ),
    Panel(
        "What arrived last",
        "The newest actions of the period",
        "table",
        (0, 20, 24, 9),
        _of_actions(
            "ts, type, if(name != '', name, if(title != '', title, url)) AS what, device_type, attribution, "
            "toString(person_id) AS person",
            " ORDER BY ts DESC LIMIT 50",
        ),
    ),
)


def dashboard() -> dict[str, Any]:
    """As Grafana imports it; it asks for a ClickHouse and a workspace."""
    return {
        "title": "Seamline: journeys",
        "uid": "seamline-journeys",
        "tags": ["seamline"],
        "schemaVersion": 41,
        "version": 1,
        "editable": True,
        "refresh": "1m",
        "time": {"from": "now-30d", "to": "now"},
        "timezone": "utc",
        "templating": {"list": [_source(), _workspace()]},
        "panels": [_panel(number, panel) for number, panel in enumerate(PANELS, 1)],
    }


def _source() -> dict[str, Any]:
    return {"name": "source", "label": "ClickHouse", "type": "datasource", "query": SOURCE["type"]}


def _workspace() -> dict[str, Any]:
    return {
        "name": "workspace",
        "label": "Workspace",
        "type": "query",
        "datasource": SOURCE,
        "query": "SELECT DISTINCT workspace FROM devices ORDER BY workspace",
        "refresh": 1,
        "includeAll": False,
        "multi": False,
    }


def _panel(number: int, panel: Panel) -> dict[str, Any]:
    over_time = panel.kind == "timeseries"
    return {
        "id": number,
        "title": panel.title,
        "description": panel.description,
        "type": panel.kind,
        "datasource": SOURCE,
        "gridPos": dict(zip("xywh", panel.place, strict=True)),
        "targets": [
            {
                "refId": "A",
                "datasource": SOURCE,
                "editorType": "sql",
                "queryType": "timeseries" if over_time else "table",
                "format": 0 if over_time else 1,
                "rawSql": panel.sql,
            }
        ],
        "fieldConfig": {"defaults": {"unit": panel.unit} if panel.unit else {}, "overrides": []},
        "options": {},
    }
