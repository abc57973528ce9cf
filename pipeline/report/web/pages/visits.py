"""The visits log, latest first; it must not know SQL."""

from typing import Any
from urllib.parse import urlsplit

from pipeline.report.asking import Row
from pipeline.report.web.devices import device
from pipeline.report.web.moments import length, long_day
from pipeline.report.web.money import by_key
from pipeline.report.web.pages.page import Asked, Page, period
from pipeline.report.web.pages.parts import Parts
from pipeline.report.web.pages.segmented import segment_of, with_saved
from pipeline.report.web.who import Who, unnamed, who
from pipeline.times import iso, ms_of
from pipeline.warehouse.texts import sql_text

PAGE_ROWS = 50
_MARKS = 13
CHIPS = (
    ("All", ""),
    ("a sign-in", "attribution = identified"),
    ("a claimed past", "attribution = backfilled"),
    ("an order", "revenue > 0"),
    ("several devices", "devices >= 2"),
)


def visits_page(asked: Asked) -> Page:
    """Fifty at a time."""
    span, parts = period(asked), Parts(asked)
    said = asked.query.get("segment", "")
    segment, fault = segment_of(asked, said)
    given = {**span.parameters, "limit": PAGE_ROWS + 1, **_cursor(asked)}
    found = parts.of("rows", lambda: asked.rows("visits", segment, **given)) or []
    rows, more = found[:PAGE_ROWS], len(found) > PAGE_ROWS
    by_day = parts.of("total", lambda: asked.rows("visit_days", segment, **span.parameters))
    last = rows[-1] if rows else None
    return Page(
        "visits.html",
        {
            "asked": asked, "title": "Visits", "page": "visits", "period": span, "segment": said, "fault": fault,
            "chips": with_saved(parts, asked, CHIPS), "days": _by_day(parts, asked, rows),
            "total": None if by_day is None else sum(row["visits"] for row in by_day), "refused": parts.refused,
            "next": f"{last['started_at']}~{last['person_id']}~{last['device']}" if more and last else "",
        },
    )  # fmt: skip


def _cursor(asked: Asked) -> dict[str, Any]:
    parts = asked.query.get("after", "").split("~", 2)
    return {"before_ts": parts[0], "before_person": parts[1], "before_device": parts[2]} if len(parts) == 3 else {}


def _by_day(parts: Parts, asked: Asked, rows: list[Row]) -> list[tuple[str, list[dict[str, Any]]]]:
    names = _names(parts, asked, sorted({row["person_id"] for row in rows}))
    paid = parts.of("paid", lambda: _payments(asked, [row for row in rows if row["conversions"]])) or []
    days: list[tuple[str, list[dict[str, Any]]]] = []
    for row in rows:
        day = long_day(asked.clock.date(ms_of(row["started_at"])))
        if not days or days[-1][0] != day:
            days.append((day, []))
        days[-1][1].append(_shown(asked, row, names[row["person_id"]], paid))
    return days


def _names(parts: Parts, asked: Asked, persons: list[str]) -> dict[str, Who]:
    """Of each; one who is gone by now is nobody."""
    found = parts.of("names", lambda: asked.rows("known", persons=persons) if persons else [], dated=False)
    if found is None:
        return {person: unnamed(person) for person in persons}
    nobody = dict.fromkeys(persons, who([], {}))
    return nobody | {row["person_id"]: who(row["user_ids"], row["traits"]) for row in found}


def _shown(asked: Asked, row: Row, person: Who, paid: list[Row]) -> dict[str, Any]:
    marks = list(row["attributions"])
    signed = next((at for at, name in enumerate(marks) if name == "identified"), -1)
    claimed = row["backfilled"] if signed > 0 else 0
    return {
        **row,
        "time": asked.clock.time(ms_of(row["started_at"])),
        "long": length(row["duration_ms"]),
        "now": asked.clock.now_ms - ms_of(row["ended_at"]) < 30 * 60_000,
        "who": person,
        "url": f"{asked.person_url(row['person_id'])}?day={asked.clock.date(ms_of(row['started_at']))}",
        "device_shown": device(row),
        "source": row["campaign_source"] or _host(row["referrer"], row["entry_url"]) or "Direct",
        "from": _path(row["entry_url"]),
        "to": _path(row["exit_url"]),
        "claimed": claimed,
        "paid": _paid(row, paid),
        "marks": marks[:_MARKS],
        "more": max(len(marks) - _MARKS, 0),
        "mark_words": ", ".join(
            f"{row[name]} {'nobody’s' if name == 'anonymous' else name}"
            for name in ("identified", "carried", "backfilled", "anonymous")
            if row[name]
        ),
    }


def _payments(asked: Asked, rows: list[Row]) -> list[Row]:
    """Each of those made in these visits, and others of the same persons meanwhile."""
    if not rows:
        return []
    return asked.sql_rows(
        sql_text("page/visit_spent"),
        persons=sorted({row["person_id"] for row in rows}),
        devices=sorted({row["device"] for row in rows}),
        since=iso(min(ms_of(row["started_at"]) for row in rows))[:-1],
        until=iso(max(ms_of(row["ended_at"]) for row in rows))[:-1],
    )


def _paid(row: Row, payments: list[Row]) -> str:
    first, last = ms_of(row["started_at"]), ms_of(row["ended_at"])
    there = (row["person_id"], row["device"])
    mine = [
        {"visit": "", "currency": one["currency"], "spent": one["revenue"]}
        for one in payments
        if (one["person_id"], one["device"]) == there and first <= ms_of(one["ts"]) <= last
    ]
    return by_key(mine, "visit").get("", "")


def _path(url: str) -> str:
    try:
        return urlsplit(url).path or url
    except ValueError:
        return url


def _host(referrer: str, entry: str) -> str:
    try:
        host, own = urlsplit(referrer).netloc, urlsplit(entry).netloc
    except ValueError:
        return ""
    return host if host != own else ""
