"""The overview: what stitching changed, and what was done, in one period; it must not know SQL."""

from datetime import date
from typing import Any

from pipeline.report.asking import Row
from pipeline.report.web.pages.across import conversions, hand_overs
from pipeline.report.web.pages.every_day import every_day
from pipeline.report.web.pages.listening import books, empty_page, still_to_come
from pipeline.report.web.pages.live import live_rows
from pipeline.report.web.pages.page import Asked, Page, Period, period
from pipeline.report.web.pages.parts import Parts
from pipeline.report.web.plot.acts import ATTRIBUTIONS, WHY
from pipeline.report.web.plot.series import spark, stacked, threads

_NUMBERS = (*ATTRIBUTIONS, "actions", "devices", "persons")


def overview_page(asked: Asked) -> Page:
    """What was done; where nothing ever was, how to begin."""
    span, parts = period(asked), Parts(asked)
    now = asked.rows("overview", **span.parameters)[0]
    if not now["actions"] and not asked.rows("overview")[0]["actions"]:
        return empty_page(asked)
    days = parts.of("days", lambda: every_day(asked, span, asked.rows("days", **span.parameters), _NUMBERS))
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
            "kpis": _kpis(now, days or [], *_visits(parts, asked, span), _before(parts, asked, span)),
            "wide": stacked(_parts(days), 820, 250) if days else None,
            "phone": stacked(_parts(days), 326, 220) if days else None,
            "days": days,
            "shares": [(name, now[name], WHY[name]) for name in ATTRIBUTIONS],
            **parts.values("handovers", lambda: hand_overs(asked.rows("handovers", **span.parameters))),
            **parts.values("conversions", lambda: conversions(asked.rows("cross_device", **span.parameters))),
            **parts.values("live", lambda: {"live": live_rows(asked, "")}, dated=False),
            **parts.values("health", lambda: _health(asked, span)),
            **parts.values("letters", lambda: books(asked, span)),
            "checks": still_to_come(now, now["devices"] - anonymous),
            "refused": parts.refused,
        },
    )


def _visits(parts: Parts, asked: Asked, span: Period) -> tuple[dict[str, int] | None, int | None]:
    """By day, and how many there were in the period before; each may be untold."""
    rows = parts.of("visits", lambda: asked.rows("visit_days", **span.parameters))
    before = parts.of("visits_before", lambda: asked.rows("visit_days", **span.before.parameters))
    by_day = None if rows is None else {row["date"]: row["visits"] for row in rows}
    return by_day, None if before is None else sum(row["visits"] for row in before)


def _before(parts: Parts, asked: Asked, span: Period) -> Row | None:
    found = parts.of("before", lambda: asked.rows("overview", **span.before.parameters))
    return found[0] if found else None


def _parts(days: list[Row]) -> list[tuple[date, list[int]]]:
    return [(date.fromisoformat(row["date"]), [row[name] for name in ATTRIBUTIONS]) for row in days]


def _kpis(
    now: Row, days: list[Row], visits: dict[str, int] | None, visits_before: int | None, before: Row | None
) -> list[dict[str, Any]]:
    """Numbers of the period, each with its course and what it is against the period before, where those are told."""

    def kpi(name: str, value: str, delta: str, numbers: list[float]) -> dict[str, Any]:
        return {"name": name, "value": value, "delta": delta, "spark": spark(numbers) if numbers else None}

    def counted(name: str) -> dict[str, Any]:
        delta = _delta(now[name], before[name] if before else None)
        return kpi(name.capitalize(), f"{now[name]:,}", delta, [float(row[name]) for row in days])

    share = [(row["actions"] - row["anonymous"]) / row["actions"] if row["actions"] else 0.0 for row in days]
    said = kpi("Signed-in share", f"{now['identified_share'] * 100:.1f} %", _points(now, before), share)
    came = kpi("Visits", "–", "", [])
    if visits is not None:
        all_of_them, by_day = sum(visits.values()), [float(visits.get(row["date"], 0)) for row in days]
        came = kpi("Visits", f"{all_of_them:,}", _delta(all_of_them, visits_before), by_day)
    return [counted("actions"), came, counted("devices"), counted("persons"), said]


def _delta(now: int, before: int | None) -> str:
    if before is None:
        return ""
    if not before:
        return "nothing in the period before"
    change = (now - before) / before * 100
    return f"{abs(change):.1f} % {'more' if change >= 0 else 'less'} than before"


def _points(now: Row, before: Row | None) -> str:
    if before is None:
        return ""
    points = (now["identified_share"] - before["identified_share"]) * 100
    return f"{abs(points):.1f} points {'more' if points >= 0 else 'less'}" if before["actions"] else "nothing before"


def _health(asked: Asked, span: Period) -> dict[str, Any]:
    rows = asked.rows("identity_health", **span.parameters)
    aliases = asked.rows("aliases")[0]
    return {name: sum(row[name] for row in rows) for name in ("contested", "late", "illegal_ids")} | {
        "aliases": aliases
    }
