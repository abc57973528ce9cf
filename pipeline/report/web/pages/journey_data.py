"""Everything the journey page asks of the warehouse; it must not know how it is drawn."""

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from msgspec import Struct

from pipeline.audit.explanation import Explanation, explain
from pipeline.limits import AXIS_ACTIONS_MAX, AXIS_VISITS_MAX, MINUTE_MS
from pipeline.report.asking import Row
from pipeline.report.web.pages.page import Asked, WrongAddress
from pipeline.report.web.plot.acts import Act, Visit, act, visits
from pipeline.report.web.plot.dense import Claimed, Day
from pipeline.report.whose import Whose, whose
from pipeline.times import iso
from pipeline.warehouse.texts import sql_text

LIST_ACTIONS = 200
_NOBODYS_MAX = 150
_SHARED_USERS_SHOWN = 100


class Told(Struct, frozen=True):
    """What is known of one person. `visits`: those that are listed; all of them, unless there are `days`.

    `next_cursor`: where the list goes on. `nobodys_more`: there are more of nobody's actions than are shown.
    `claims`: of sign-ins, where there are `days`.
    """

    person: str
    known: Row
    devices: list[Row]
    users: list[Row]
    goals: list[Row]
    traits: list[Row]
    shared: dict[str, int]
    visits: list[Visit]
    days: list[Day]
    next_cursor: str
    nobodys_more: bool
    claims: list[Claimed] = []

    @property
    def actions(self) -> int:
        """The person's own."""
        return sum(row["actions"] for row in self.devices)

    @property
    def visit_count(self) -> int:
        """The person's own."""
        return sum(row["visits"] for row in self.devices)


def told(asked: Asked, person_text: str) -> Told | None:
    """None: nobody with this ID was ever seen in this workspace. Of a part of the page only what it shows is asked."""
    part = asked.query.get("part", "")
    theirs = _whose(asked, person_text)
    person = theirs.person
    devices = asked.rows("person_devices", person=person, whose=theirs)
    known = asked.rows("known", persons=[person], whose=theirs)
    if not devices or not known:
        return None
    if part == "why":
        return Told(person, known[0], devices, [], [], [], {}, [], [], "", False)
    many = sum(row["actions"] for row in devices) > AXIS_ACTIONS_MAX - 50
    many = many or sum(row["visits"] for row in devices) > AXIS_VISITS_MAX
    done, cursor = _done(asked, theirs, many)
    names = [row["device"] for row in devices if row["device"].startswith("d:")]
    nobodys = _nobodys(asked, person, names, done)
    whole = part != "axis"
    users = asked.rows("person_users", person=person, whose=theirs) if whole else []
    return Told(
        person=person,
        known=known[0],
        devices=devices,
        users=users,
        goals=asked.rows("person_goals", person=person, whose=theirs) if whole else [],
        traits=asked.rows("person_traits", person=person, whose=theirs) if whole else [],
        shared=_shared(asked, names, [row["user_id"] for row in users]),
        visits=visits([*done, *nobodys[:_NOBODYS_MAX]]),
        days=_days(asked, person) if many else [],
        claims=_claims(asked, person) if many else [],
        next_cursor=cursor,
        nobodys_more=len(nobodys) > _NOBODYS_MAX,
    )


def _whose(asked: Asked, text: str) -> Whose:
    """Any of a person's IDs is theirs: links stay right after an alias."""
    try:
        person = str(UUID(text))
    except ValueError:
        raise WrongAddress("a person's ID: expected a UUID") from None
    return whose(asked.ask, asked.workspace, person)


def _done(asked: Asked, theirs: Whose, many: bool) -> tuple[list[Act], str]:
    """All of them; of many, a page after the cursor or from a day on."""
    if not many:
        found = asked.rows("journey", person=theirs.person, whose=theirs, limit=AXIS_ACTIONS_MAX)
        return [act(row, True) for row in found], ""
    found = asked.rows("journey", person=theirs.person, whose=theirs, limit=LIST_ACTIONS, **_cursor(asked))
    last = found[-1] if len(found) == LIST_ACTIONS else None
    cursor = f"{last['ts']}~{last['event_id']}~{last['device']}" if last else ""
    return [act(row, True) for row in found], cursor


def _cursor(asked: Asked) -> dict[str, Any]:
    after = asked.query.get("after", "")
    if after:
        ts, _, rest = after.partition("~")
        event, _, device = rest.rpartition("~")
        return {"after_ts": ts, "after_event": event, "after_device": device}
    day = asked.query.get("day", "")
    if not day:
        return {}
    try:
        start = date.fromisoformat(day)
    except ValueError:
        raise WrongAddress("day: expected a day like 2026-11-22") from None
    return {"after_ts": f"{start.isoformat()}T00:00:00Z"}


def _nobodys(asked: Asked, person: str, devices: Sequence[str], theirs: Sequence[Act]) -> list[Act]:
    """On the same devices, in the time that is shown and as far around it as a sign-in explains."""
    if not devices or not theirs:
        return []
    around = asked.policy.numbers.lookback_ms if len(theirs) < LIST_ACTIONS else 30 * MINUTE_MS
    found = asked.sql_rows(
        sql_text("page/nobodys"),
        devices=list(devices),
        person=person,
        since=iso(theirs[0].ts_ms - around)[:-1],
        until=iso(theirs[-1].ts_ms + around)[:-1],
        limit=_NOBODYS_MAX + 1,
    )
    return [act(row, False) for row in found]


def _shared(asked: Asked, devices: Sequence[str], users: Sequence[str]) -> dict[str, int]:
    """How many others signed in on a device."""
    if not devices:
        return {}
    found = asked.sql_rows(sql_text("page/shared"), devices=list(devices), users=list(users)[:_SHARED_USERS_SHOWN])
    return {row["device"]: row["users"] for row in found}


def _days(asked: Asked, person: str) -> list[Day]:
    found = asked.sql_rows(sql_text("page/journey_days"), person=person, zone=asked.clock.zone.key)
    return [
        Day(
            row["device"],
            date.fromisoformat(row["date"]),
            (row["identified"], row["carried"], row["backfilled"], row["anonymous"]),
        )
        for row in found
    ]


def _claims(asked: Asked, person: str) -> list[Claimed]:
    found = asked.sql_rows(sql_text("page/journey_claims"), person=person, zone=asked.clock.zone.key)
    return [
        Claimed(row["device"], date.fromisoformat(row["first_date"]), date.fromisoformat(row["signed_date"]),
                row["actions"])
        for row in found
    ]  # fmt: skip


def explained(asked: Asked, data: Told, event_id: str) -> Explanation | None:
    """Why this action has its person; None where it is none of those the page is about."""
    devices = {row["device"] for row in data.devices}
    for found in explain(asked.ask, asked.policy, event_id, asked.workspace):
        nobodys = found.attribution == "anonymous"
        if found.device in devices and (nobodys or found.person_id == data.person):
            return found
    return None


def title_of(asked: Asked, device: str, event_id: str) -> str:
    """What an action is called, as in the list."""
    rows = asked.sql_rows(sql_text("page/title"), device=device, event_id=event_id)
    return next((rows[0][name] for name in ("name", "title", "url", "type") if rows[0][name]), "") if rows else ""
