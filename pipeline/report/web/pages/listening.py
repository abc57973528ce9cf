"""What a beginner waits for, what to paste, and what could not be taken; it must not know SQL or any tracker."""

from typing import Any

from msgspec import Struct

from pipeline.limits import DAY_MS
from pipeline.report.asking import Row
from pipeline.report.web.moments import Clock, count
from pipeline.report.web.pages.page import Asked, Page, Period
from pipeline.times import iso, ms_of
from pipeline.warehouse.texts import sql_text

_BEGINNERS_ACTIONS = 1_000  # past them whoever runs this knows what they do
_EMPTY_DAYS = 14  # of dead letters: as long as they are kept


class Check(Struct, frozen=True):
    """Something to wait for."""

    words: str
    about: str
    done: bool


def empty_page(asked: Asked) -> Page:
    """Nothing ever arrived: how to begin."""
    now = asked.clock.now_ms
    values = {
        "asked": asked, "title": "Overview", "page": "overview", "checks": checks({}, False),
        "pastes": asked.pastes, "letters": dead_letters(asked, iso(now - _EMPTY_DAYS * DAY_MS), iso(now + DAY_MS)),
    }  # fmt: skip
    return Page("overview_empty.html", values)


def checks(now: Row, second_device: bool) -> list[Check]:
    """In the order in which they come. `now`: the overview of the period, or nothing."""
    actions, signed, claimed = (now.get(name, 0) for name in ("actions", "signed_in_persons", "backfilled"))
    return [
        Check("Seamline is up", "this page and its warehouse answer", True),
        Check("First hit", count(actions, "action") if actions else "none yet; this page will notice", actions > 0),
        Check("First sign-in", count(signed, "person") if signed else "a hit with a user ID", signed > 0),
        Check("First claimed page", count(claimed, "action") if claimed else "an action whose person came later",
              claimed > 0),
        Check("Second device", "the same user ID elsewhere", second_device),
    ]  # fmt: skip


def still_to_come(now: Row, signed_devices: int) -> list[Check]:
    """The list for a beginner's overview; nothing once all of it is done, or much has been."""
    found = checks(now, signed_devices > now["signed_in_persons"] > 0)
    missing = not all(check.done for check in found)
    return found if missing and 0 < now["actions"] < _BEGINNERS_ACTIONS else []


def books(asked: Asked, span: Period) -> dict[str, Any]:
    """What the warehouse knows of what came in; the rest is counted by the stages themselves."""
    rows = dead_letters(asked, span.parameters["since"], span.parameters["until"])
    return {"letters": rows, "letters_all": sum(row["letters"] for row in rows)}


def dead_letters(asked: Asked, since: str, until: str) -> list[Row]:
    """By reason. Those that name no workspace are shown to whoever may see all of them."""
    workspaces = [asked.workspace, *([""] if asked.sees_all else [])]
    found = asked.sql_rows(sql_text("page/dead_letters"), workspaces=workspaces, since=since[:-1], until=until[:-1])
    return [{**row, "latest": asked.clock.near(ms_of(row["latest"]))} for row in found]


def erased_days(asked: Asked, clock: Clock) -> list[Row]:
    """When somebody was erased here: a date is all that is left."""
    return asked.sql_rows(sql_text("page/erased"), zone=clock.zone.key)
