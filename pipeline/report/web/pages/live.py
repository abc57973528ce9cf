"""What arrives while somebody looks: the latest actions as rows, and the same as JSON; it must not know SQL."""

from typing import Any

import orjson
from msgspec import Struct

from pipeline.limits import MINUTE_MS
from pipeline.report.asking import Row
from pipeline.report.web.devices import device
from pipeline.report.web.moments import count, length
from pipeline.report.web.pages.page import Asked, Page
from pipeline.report.web.plot.acts import anchor
from pipeline.report.web.who import who
from pipeline.times import iso, ms_of

_ROWS = 12
_LOOKED_MS = 30 * MINUTE_MS


class Live(Struct, frozen=True):
    """`rows`: newest first; `after`: where the next question goes on."""

    rows: list[dict[str, Any]]
    after: str
    words: str


def live_rows(asked: Asked, after: str) -> Live:
    """Of the last half hour, or after the place where the last answer ended."""
    received, _, event = after.partition("~")
    now = asked.clock.now_ms
    since = received or iso(now - _LOOKED_MS)
    # by arrival: an old hit may come now
    found = asked.rows("latest", after_received=since, after_event=event, limit=_ROWS, until="2100-01-01")
    names = asked.rows("known", persons=sorted({row["person_id"] for row in found})[:_ROWS]) if found else []
    known = {row["person_id"]: row for row in names}
    last = f"{found[0]['received_at']}~{found[0]['event_id']}" if found else after or f"{since}~"
    persons = len({row["person_id"] for row in found})
    words = ""
    if found:
        behind = length(max(now - ms_of(found[0]["received_at"]), 0))
        words = f"{count(len(found), 'action')} of {count(persons, 'person')}, the latest {behind} ago."
    return Live([_shown(asked, row, known.get(row["person_id"])) for row in found], last, words)


def _shown(asked: Asked, row: Row, known: Row | None) -> dict[str, Any]:
    person = who(known["user_ids"] if known else [], known["traits"] if known else {}, row["device"])
    signs_in = row["type"] == "identify" or (row["user_id"] and row["type"] == "login")
    place = anchor(row["device"], row["event_id"], row["ts"])
    return {
        "time": f"{asked.clock.at(ms_of(row['received_at'])):%H:%M:%S}",
        "attribution": row["attribution"],
        "shape": "login" if signs_in else "logout" if row["logout"] else row["attribution"],
        "name": person.name if person.known or person.named else "Nobody yet",
        "what": "signed in" if signs_in else row["name"] or row["title"] or row["url"] or row["type"],
        "device": device(row).name,
        "url": f"{asked.person_url(row['person_id'])}#{place}",
    }


def live_json(asked: Asked) -> Page:
    """For the page's own script: new rows as HTML, made by the same template."""
    from pipeline.report.web.rendering import rendered  # rendering knows pages; pages do not know it

    live = live_rows(asked, asked.query.get("after", ""))
    html = rendered(Page("live_rows.html", {"live": live})) if live.rows else ""
    return Page("live.json", {"json": orjson.dumps({"html": html, "after": live.after, "now": live.words})})
