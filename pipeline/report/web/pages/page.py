"""What every page is given and gives back; it must not know any page."""

from collections.abc import Mapping
from datetime import datetime, time, timedelta
from typing import Any
from urllib.parse import quote, urlencode

from msgspec import Struct

from pipeline.audit.policy import AuditPolicy
from pipeline.questions import Questions
from pipeline.report.asking import Row, rows
from pipeline.report.parameters import Problem
from pipeline.report.segments.condition import EVERYBODY, Condition
from pipeline.report.web.moments import Clock, short_day
from pipeline.times import iso

PERIODS = (7, 28, 90)
_DAYS_SHOWN = 28
ALWAYS = {"since": "2000-01-01", "until": "2100-01-01"}


class Page(Struct, frozen=True):
    """A template and what it shows; or, with `location`, where to go instead."""

    template: str
    values: Mapping[str, Any] = {}
    status: int = 200
    location: str = ""


class Asked(Struct, frozen=True):
    """One request, after the door. `query`: what stands behind the question mark, each name once. `pastes`: for whom,
    and what to paste so that a tracker sends here. `sites`: of the workspace. `sees_all`: every workspace, and what
    belongs to none."""

    ask: Questions
    workspace: str
    query: Mapping[str, str]
    clock: Clock
    policy: AuditPolicy
    path: Mapping[str, str] = {}
    pastes: tuple[tuple[str, str], ...] = ()
    sites: tuple[str, ...] = ()
    sees_all: bool = False

    @property
    def root(self) -> str:
        """Where this workspace's pages are."""
        return f"/report/{quote(self.workspace, safe='')}"

    def person_url(self, person: str) -> str:
        """The journey of a person."""
        return f"{self.root}/persons/{quote(person, safe='')}"

    def values(self, **more: Any) -> dict[str, Any]:
        """What reports are told."""
        return {"workspace": self.workspace, "zone": self.clock.zone.key, **ALWAYS, **more}

    def rows(self, report: str, segment: Condition = EVERYBODY, **more: Any) -> list[Row]:
        """The rows of a report whose parameters are our own. Raises what the warehouse refuses."""
        found = rows(self.ask, report, self.values(**more), segment)
        if isinstance(found, Problem):
            raise WrongAddress(str(found))
        return found

    def sql_rows(self, sql: str, **parameters: Any) -> list[Row]:
        """The rows of a question that only a page asks."""
        columns, found = self.ask(sql, {"workspace": self.workspace, **parameters})
        return [dict(zip(columns, row, strict=True)) for row in found]

    def kept(self, *names: str) -> str:
        """These of this page's parameters, for the address of another one."""
        kept = {name: self.query[name] for name in names if self.query.get(name)}
        return "?" + urlencode(kept) if kept else ""

    def address(self, **changed: Any) -> str:
        """This page with other parameters; None takes one out."""
        kept = {name: value for name, value in {**self.query, **changed}.items() if value not in (None, "")}
        kept.pop("part", None)
        return "?" + urlencode(kept) if kept else "?"


class WrongAddress(Exception):
    """Something in the address is odd. The text says what was expected."""


class Period(Struct, frozen=True):
    """Whole days of the viewer's zone, today so far included. `days` 0: given by its ends."""

    since_ms: int
    until_ms: int
    days: int
    words: str

    @property
    def parameters(self) -> dict[str, Any]:
        """As reports take them."""
        return {"since": iso(self.since_ms), "until": iso(self.until_ms)}

    @property
    def before(self) -> "Period":
        """As long, just before."""
        return Period(2 * self.since_ms - self.until_ms, self.since_ms, self.days, "")


def period(asked: Asked) -> Period:
    """By `?days=`, 28 if nothing is said."""
    text = asked.query.get("days", str(_DAYS_SHOWN))
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 366):
        raise WrongAddress("days: expected a number from 1 to 366")
    days = int(text)
    today = asked.clock.date(asked.clock.now_ms)
    first = today - timedelta(days=days - 1)
    words = f"{short_day(first)} – {short_day(today)}"
    return Period(_midnight_ms(asked.clock, first), _midnight_ms(asked.clock, today + timedelta(days=1)), days, words)


def _midnight_ms(clock: Clock, day: Any) -> int:
    return int(datetime.combine(day, time(), clock.zone).timestamp() * 1_000)
