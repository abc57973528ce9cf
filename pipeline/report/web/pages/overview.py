"""The overview: what stitching changed, and what was done, in one period; it must not know SQL."""

from datetime import date, timedelta
from typing import Any

from pipeline.report.asking import Row
from pipeline.report.web.devices import icon
from pipeline.report.web.moments import length, short_day
from pipeline.report.web.money import sums
from pipeline.report.web.pages.live import live_rows
from pipeline.report.web.pages.page import Asked, Page, Period, period
from pipeline.report.web.plot.acts import ATTRIBUTIONS
from pipeline.report.web.plot.series import flows, spark, stacked, threads

_KINDS = {"phone": "Phone", "laptop": "Desktop", "tablet": "Tablet", "app": "App", "desktop": "Other"}
_WHY = {
    "identified": "The hit named its user.",
    "carried": "Someone was signed in on the device.",
    "backfilled": "A later sign-in explained it.",
    "anonymous": "No sign-in explains it. No guess.",
}


def overview_page(asked: Asked) -> Page:
    """What was done; where nothing ever was, how to begin."""
    span = period(asked)
    now = asked.rows("overview", **span.parameters)[0]
    if not now["actions"] and not asked.rows("overview")[0]["actions"]:
        return Page("overview_empty.html", {"asked": asked, "title": "Overview", "page": "overview", "key": ""})
    before = asked.rows("overview", **span.before.parameters)[0]
    days = _every_day(asked, span)
    visits = {row["date"]: row["visits"] for row in asked.rows("visit_days", **span.parameters)}
    visits_before = sum(row["visits"] for row in asked.rows("visit_days", **span.before.parameters))
    signed = now["signed_in_persons"]
    anonymous = now["persons"] - signed
    return Page(
        "overview.html",
        {
            "asked": asked,
            "title": "Overview",
            "page": "overview",
            "period": span,
            "now": now,
            "signed_devices": now["devices"] - anonymous,
            "anonymous": anonymous,
            "threads": threads(max(now["devices"] - anonymous, 0), signed, anonymous),
            "kpis": _kpis(now, before, days, visits, visits_before),
            "wide": stacked(_parts(days), 820, 250),
            "phone": stacked(_parts(days), 326, 220),
            "days": days,
            "shares": [(name, now[name], _WHY[name]) for name in ATTRIBUTIONS],
            **_hand_overs(asked, span),
            **_orders(asked, span),
            "live": live_rows(asked, ""),
            **_health(asked, span),
        },
    )


def _every_day(asked: Asked, span: Period) -> list[Row]:
    """The days without actions too."""
    found = {row["date"]: row for row in asked.rows("days", **span.parameters)}
    first = asked.clock.date(span.since_ms)
    rows = []
    for number in range(span.days):
        day = (first + timedelta(days=number)).isoformat()
        rows.append(found.get(day, {"date": day, **dict.fromkeys((*ATTRIBUTIONS, "actions", "devices", "persons"), 0)}))
    return [{**row, "short": short_day(date.fromisoformat(row["date"]))} for row in rows]


def _parts(days: list[Row]) -> list[tuple[date, list[int]]]:
    return [(date.fromisoformat(row["date"]), [row[name] for name in ATTRIBUTIONS]) for row in days]


def _kpis(now: Row, before: Row, days: list[Row], visits: dict[str, int], visits_before: int) -> list[dict[str, Any]]:
    def kpi(name: str, value: str, delta: str, numbers: list[float]) -> dict[str, Any]:
        return {"name": name, "value": value, "delta": delta, "spark": spark(numbers)}

    by_day = [float(visits.get(row["date"], 0)) for row in days]
    share = [(row["actions"] - row["anonymous"]) / row["actions"] if row["actions"] else 0.0 for row in days]
    made = [
        kpi("Actions", f"{now['actions']:,}", _delta(now["actions"], before["actions"]), _of(days, "actions")),
        kpi("Visits", f"{sum(visits.values()):,}", _delta(sum(visits.values()), visits_before), by_day),
    ]
    made += [
        kpi(name.capitalize(), f"{now[name]:,}", _delta(now[name], before[name]), _of(days, name))
        for name in ("devices", "persons")
    ]
    points = (now["identified_share"] - before["identified_share"]) * 100
    delta = f"{abs(points):.1f} points {'more' if points >= 0 else 'less'}" if before["actions"] else "nothing before"
    return [*made, kpi("Signed-in share", f"{now['identified_share'] * 100:.1f} %", delta, share)]


def _of(days: list[Row], name: str) -> list[float]:
    return [float(row[name]) for row in days]


def _delta(now: int, before: int) -> str:
    if not before:
        return "nothing in the period before"
    change = (now - before) / before * 100
    return f"{abs(change):.1f} % {'more' if change >= 0 else 'less'} than before"


def _hand_overs(asked: Asked, span: Period) -> dict[str, Any]:
    rows = asked.rows("handovers", **span.parameters)
    merged: dict[tuple[str, str], int] = {}
    for row in rows:
        pair = (_KINDS[icon(row["from_kind"])], _KINDS[icon(row["to_kind"])])
        merged[pair] = merged.get(pair, 0) + row["handovers"]
    pairs = [(a, b, number) for (a, b), number in merged.items()]
    bands, nodes = flows(pairs)
    total = sum(row["handovers"] for row in rows)
    middle = sorted(row["median_gap_ms"] for row in rows)
    return {
        "bands": bands,
        "nodes": nodes,
        "pairs": sorted(pairs, key=lambda pair: -pair[2]),
        "hand_overs": total,
        "typical_gap": length(middle[len(middle) // 2]) if middle else "",
    }


def _orders(asked: Asked, span: Period) -> dict[str, Any]:
    rows = asked.rows("cross_device", **span.parameters)
    cells: dict[tuple[str, str], int] = {}
    spent: dict[str, float] = {}
    for row in rows:
        pair = (_KINDS[icon(row["began_on"])], _KINDS[icon(row["converted_on"])])
        cells[pair] = cells.get(pair, 0) + row["persons"]
        spent[row["currency"] or ""] = spent.get(row["currency"] or "", 0) + row["spent"]
    names = sorted({name for pair in cells for name in pair})
    most = max(cells.values(), default=1)
    matrix = [
        (a, [(b, cells.get((a, b), 0), min(int(cells.get((a, b), 0) / most * 4.99) + 1, 5), a == b) for b in names])
        for a in names
    ]
    persons, across = sum(cells.values()), sum(number for (a, b), number in cells.items() if a != b)
    return {"order_kinds": names, "matrix": matrix, "buyers": persons, "across": across, "spent": sums(spent)}


def _health(asked: Asked, span: Period) -> dict[str, Any]:
    rows = asked.rows("identity_health", **span.parameters)
    aliases = asked.rows("aliases")[0]
    return {name: sum(row[name] for row in rows) for name in ("contested", "late", "illegal_ids")} | {
        "aliases": aliases
    }
