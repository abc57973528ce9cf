"""The journey page: one person, one axis, a lane a device, and why each action is theirs; it must not know SQL."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from msgspec import Struct

from pipeline.report.web.devices import Device, device, icon
from pipeline.report.web.moments import Clock, count, short_day
from pipeline.report.web.money import sums
from pipeline.report.web.pages.journey_data import Told, explained, title_of, told
from pipeline.report.web.pages.journey_list import listed
from pipeline.report.web.pages.listening import erased_days
from pipeline.report.web.pages.page import Asked, Page
from pipeline.report.web.plot.acts import ATTRIBUTIONS, anchor
from pipeline.report.web.plot.dense import Dense, dense
from pipeline.report.web.plot.lanes import Lanes, lanes
from pipeline.report.web.plot.picture import STEPS, WIDTH_PX, picture
from pipeline.report.web.plot.reasons import Reason, reason_of
from pipeline.report.web.plot.ring import ring
from pipeline.report.web.plot.strip import strip
from pipeline.report.web.who import Who, who
from pipeline.times import ms_of

PHONE_PX = 302.0
_TRAITS_SHOWN = 6


class Lane(Struct, frozen=True):
    """The name of a lane."""

    name: str
    icon: str
    counted: str
    short: str
    shared: bool


def journey_page(asked: Asked) -> Page:
    """All of it; with `part`, only the axis or the explanation: the same template, cut out."""
    data = told(asked, asked.path["person"])
    if data is None:
        days = [{**row, "day": short_day(date.fromisoformat(row["date"]))} for row in erased_days(asked, asked.clock)]
        return Page("journey_none.html", {"asked": asked, "title": "No such person", "erased": days}, 404)
    if data.person != asked.path["person"] and "part" not in asked.query:
        return Page("", location=asked.person_url(data.person) + (asked.address() if asked.query else ""))
    part = asked.query.get("part", "")
    if part == "why":
        return Page("journey_why.html", {"asked": asked, **_who(data), **_why(asked, data)})
    values = {"asked": asked, **_who(data), **_why(asked, data)}
    values |= _axis(asked, data, values["picked"])
    if part == "axis":
        return Page("journey_axis.html", values)
    return Page("journey.html", {**values, **_header(asked, data), **_list(asked, data, values), "page": "persons"})


def _who(data: Told) -> dict[str, Any]:
    known = data.known
    person = who(known["user_ids"], known["traits"], data.devices[0]["device"])
    devices = {row["device"]: device(row) for row in data.devices}
    return {"who": person, "title": f"Journey of {person.name}", "devices": devices, "data": data}


def _why(asked: Asked, data: Told) -> dict[str, Any]:
    """The explanation that was asked for, and the place of the action it is about."""
    event_id = asked.query.get("why", "")
    if not event_id or asked.query.get("part") == "axis":
        return {"reason": None, "picked": _picked(data, event_id), "picked_title": "", "why_missing": False}
    found = explained(asked, data, event_id)
    return {
        "reason": reason_of(found, asked.clock) if found else None,
        "picked": anchor(found.device, event_id, found.ts) if found else "",
        "picked_title": title_of(asked, found.device, event_id) if found else "",
        "why_missing": found is None,
    }


def _picked(data: Told, event_id: str) -> str:
    acts = (act for visit in data.visits for act in visit.acts)
    return next((act.anchor for act in acts if act.event_id == event_id), "")


def _axis(asked: Asked, data: Told, picked: str) -> dict[str, Any]:
    text = asked.query.get("zoom", "0")
    step = int(text) if text in ("0", "1", "2") else 0
    drawn = None if data.days else picture(data.visits, asked.clock, step, picked)
    columns = dense(data.days, WIDTH_PX, data.claims) if data.days else None
    rows = drawn.lanes if drawn else columns.lanes if columns else lanes(data.visits)
    return {
        "step": step,
        "steps": STEPS,
        "drawn": drawn,
        "dense": columns,
        "lanes": rows,
        "lane_names": _lane_names(data, rows, {row["device"]: device(row) for row in data.devices}),
        "strip": strip(data.visits, rows, asked.clock, WIDTH_PX) if drawn else None,
        "axis_words": _axis_words(data, asked.clock, columns),
        "counts": _counts(data),
    }


def _lane_names(data: Told, rows: Lanes, devices: Mapping[str, Device]) -> list[Lane]:
    counts = {row["device"]: row for row in data.devices}
    names = []
    for known_as in rows.devices:
        row, shown = counts.get(known_as), devices.get(known_as)
        if row and shown:
            counted = f"{count(row['visits'], 'visit')} · {count(row['actions'], 'action')}"
            names.append(Lane(shown.name, shown.icon, counted, shown.short, known_as in data.shared))
    if rows.more:
        counted = count(sum(counts[one]["actions"] for one in rows.more if one in counts), "action")
        names.append(Lane(f"{len(rows.more)} more devices", "more", counted, "", False))
    return names


def _counts(data: Told) -> list[tuple[str, int]]:
    """By attribution; nobody's are those drawn beside the person's, and the person's own where nobody signed in."""
    own = {name: sum(row[name] for row in data.devices) for name in ATTRIBUTIONS}
    own["anonymous"] += sum(not act.mine for visit in data.visits for act in visit.acts)
    return list(own.items())


def _axis_words(data: Told, clock: Clock, columns: Dense | None) -> str:
    first, last = ms_of(data.known["first_seen"]), ms_of(data.known["last_seen"])
    actions, devices = count(data.actions, "action"), count(len(data.devices), "device")
    between = f"{clock.day(first)} to {clock.day(last)} {clock.at(last).year}"
    if columns:
        size = "a column a day" if columns.days_a_column == 1 else f"a column for {columns.days_a_column} days"
        return f"{actions} on {devices}, {between}, {size}. The table below has the days."
    return f"{actions} on {devices}, {between}. Arrow keys move between actions."


def _header(asked: Asked, data: Told) -> dict[str, Any]:
    clock, known = asked.clock, data.known
    first, last = ms_of(known["first_seen"]), ms_of(known["last_seen"])
    spent: dict[str, float] = {}
    for row in data.goals:
        if row["conversions"]:
            spent[row["currency"] or ""] = spent.get(row["currency"] or "", 0.0) + row["spent"]
    shares = dict(_counts(data))
    person: Who = who(known["user_ids"], known["traits"])
    return {
        "ring": ring([(name, shares[name]) for name in ATTRIBUTIONS[:3]]),
        "first_seen": clock.day_time(first),
        "last_seen": clock.near(last),
        "first_on": _on(data, "first_seen", min),
        "last_on": _on(data, "last_seen", max),
        "days": (clock.date(last) - clock.date(first)).days + 1,
        "spent": sums(spent),
        "orders": sum(row["conversions"] for row in data.goals),
        "traits": person.traits[:_TRAITS_SHOWN],
        "traits_more": person.traits[_TRAITS_SHOWN:],
        "unclaimed": sum(not act.mine for visit in data.visits for act in visit.acts),
        "icon": icon,
        "until_claimed": clock.day(last + asked.policy.numbers.lookback_ms),
        "claimable": last + asked.policy.numbers.lookback_ms > clock.now_ms,
    }


def _on(data: Told, key: str, best: Any) -> str:
    row = best(data.devices, key=lambda row: row[key])
    return device(row).name


def _list(asked: Asked, data: Told, values: Mapping[str, Any]) -> dict[str, Any]:
    shown = {one: values["devices"].get(one) for visit in data.visits for one in (visit.device,)}
    named: dict[str, Device] = {one: found for one, found in shown.items() if found}
    reason: Reason | None = values["reason"]
    return {
        "listed": list(listed(data.visits, named, values["lanes"], asked.clock, values["picked"])),
        "list_lanes": values["lanes"],
        "why_open": reason is not None or values["why_missing"],
    }
