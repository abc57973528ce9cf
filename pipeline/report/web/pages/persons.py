"""The list of persons: search, sort, segment; it must not know SQL."""

from datetime import date
from typing import Any
from uuid import UUID

from pipeline.report.parameters import SORTS
from pipeline.report.web.devices import icon
from pipeline.report.web.money import by_key
from pipeline.report.web.pages.page import ALWAYS, Asked, Page, Period, period
from pipeline.report.web.pages.parts import Parts
from pipeline.report.web.pages.segmented import segment_of, with_saved
from pipeline.report.web.plot.acts import ATTRIBUTIONS
from pipeline.report.web.who import unnamed, who
from pipeline.times import ms_of
from pipeline.warehouse.texts import sql_text

PAGE_ROWS = 50
CHIPS = (
    ("Everyone", ""),
    ("Signed in", "signed_in = true"),
    ("Anonymous", "signed_in = false"),
    ("2 or more devices", "devices >= 2"),
    ("Ordered", "revenue > 0"),
)


def persons_page(asked: Asked) -> Page:
    """Who was there in the period, fifty at a time."""
    span, parts = period(asked), Parts(asked)
    said = asked.query.get("segment", "")
    segment, fault = segment_of(asked, said)
    search = asked.query.get("q", "").strip()
    sort = asked.query.get("sort", "last")
    given = {"search": search, "sort": sort if sort in SORTS else "last", "limit": PAGE_ROWS + 1, **_cursor(asked)}
    # whoever is looked for by name is looked for everywhere: a person without a visit this month is somebody too
    given |= {} if search else span.parameters
    found = parts.of("rows", lambda: asked.rows("persons", segment, **given), dated=not search) or []
    rows, more = found[:PAGE_ROWS], len(found) > PAGE_ROWS
    if search and len(rows) == 1 and "after" not in asked.query:
        return Page("", location=asked.person_url(rows[0]["person_id"]))
    return Page(
        "persons.html",
        {
            "asked": asked, "title": "Persons", "page": "persons", "period": span, "search": search,
            "sort": given["sort"],
            "segment": said, "fault": fault, "chips": with_saved(parts, asked, CHIPS),
            "rows": _shown(parts, asked, span, rows, bool(search)), "refused": parts.refused,
            "next": f"{rows[-1]['rank']!r}~{rows[-1]['person_id']}" if more else "",
        },
    )  # fmt: skip


def _cursor(asked: Asked) -> dict[str, Any]:
    rank, _, person = asked.query.get("after", "").partition("~")
    return {"after_rank": rank, "after_person": person} if rank and person else {}


def _shown(parts: Parts, asked: Asked, span: Period, rows: list[dict[str, Any]], search: bool) -> list[dict[str, Any]]:
    if not rows:
        return []
    persons = [str(UUID(row["person_id"])) for row in rows]
    names = parts.of("names", lambda: asked.rows("known", persons=persons), dated=False)
    known = {row["person_id"]: row for row in names or []}
    busy = parts.of("bars", lambda: _bars(asked, span, persons)) or {}
    payers = [row["person_id"] for row in rows if row["conversions"]]
    paid = parts.of("paid", lambda: _paid(asked, None if search else span, payers)) or {}
    shown = []
    for row in rows:
        about = known.get(row["person_id"], {})
        person = who(about.get("user_ids", []), about.get("traits", {}))
        person = unnamed(row["person_id"]) if names is None else person
        shown.append(
            {
                **row,
                "who": person,
                "url": asked.person_url(row["person_id"]),
                "icons": sorted({icon(kind) for kind in row["kinds"]}),
                "parts": [(name, row[name]) for name in ATTRIBUTIONS],
                "bars": busy.get(row["person_id"], []),
                "paid": paid.get(row["person_id"], ""),
                "bar_words": f"{len(busy.get(row['person_id'], []))} days with actions of {span.days}",
                "first": asked.clock.near(ms_of(about["first_seen"])) if about else "",
                "last": asked.clock.near(ms_of(row["last_action"])),
            }
        )
    return shown


def _paid(asked: Asked, span: Period | None, persons: list[str]) -> dict[str, str]:
    """In words; of all time, where somebody was looked for."""
    if not persons:
        return {}
    given = span.parameters if span else {name: f"{day}T00:00:00Z" for name, day in ALWAYS.items()}
    times = {name: text[:-1] for name, text in given.items()}
    return by_key(asked.sql_rows(sql_text("page/person_spent"), persons=persons, **times), "person_id")


def _bars(asked: Asked, span: Period, persons: list[str]) -> dict[str, list[tuple[float, float]]]:
    """Where each day's bar stands, and how tall it is, of 116 by 26."""
    found = asked.sql_rows(
        sql_text("page/person_days"), persons=persons, zone=asked.clock.zone.key,
        since=span.parameters["since"][:-1], until=span.parameters["until"][:-1],
    )  # fmt: skip
    first, step = asked.clock.date(span.since_ms), 116 / span.days
    most: dict[str, int] = {}
    for row in found:
        most[row["person_id"]] = max(most.get(row["person_id"], 1), row["actions"])
    bars: dict[str, list[tuple[float, float]]] = {}
    for row in found:
        at = (date.fromisoformat(row["date"]) - first).days
        tall = max(row["actions"] / most[row["person_id"]] * 22, 3)
        bars.setdefault(row["person_id"], []).append((round(at * step, 1), round(tall, 1)))
    return bars
