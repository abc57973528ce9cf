"""The overview: what stitching changed, and what was done, in one period; it must not know SQL."""

from datetime import date
from typing import Any

from pipeline.report.asking import Row
from pipeline.report.web.pages.across import conversions, hand_overs
from pipeline.report.web.pages.every_day import every_day
from pipeline.report.web.pages.listening import books, empty_page, still_to_come
from pipeline.report.web.pages.live import live_rows
from pipeline.report.web.pages.page import Asked, Page, Period, period
from pipeline.report.web.plot.acts import ATTRIBUTIONS, WHY
from pipeline.report.web.plot.series import spark, stacked, threads

_NUMBERS = (*ATTRIBUTIONS, "actions", "devices", "persons")


def overview_page(asked: Asked) -> Page:
    """What was done; where nothing ever was, how to begin."""
    span = period(asked)
    now = asked.rows("overview", **span.parameters)[0]
    if not now["actions"] and not asked.rows("overview")[0]["actions"]:
        return empty_page(asked)
    before = asked.rows("overview", **span.before.parameters)[0]
    days = every_day(asked, span, asked.rows("days", **span.parameters), _NUMBERS)
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
            "shares": [(name, now[name], WHY[name]) for name in ATTRIBUTIONS],
            **hand_overs(asked.rows("handovers", **span.parameters)),
            **conversions(asked.rows("cross_device", **span.parameters)),
            "live": live_rows(asked, ""),
            **_health(asked, span),
            **books(asked, span),
            "checks": still_to_come(now, now["devices"] - anonymous),
        },
    )


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


def _health(asked: Asked, span: Period) -> dict[str, Any]:
    rows = asked.rows("identity_health", **span.parameters)
    aliases = asked.rows("aliases")[0]
    return {name: sum(row[name] for row in rows) for name in ("contested", "late", "illegal_ids")} | {
        "aliases": aliases
    }
