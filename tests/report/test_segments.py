"""A segment selects the persons its words say, or says where it went wrong and what was expected there."""

import re
from collections.abc import Callable, Sequence

import pytest

from pipeline.limits import (
    DAY_MS,
    FUNNEL_STEPS_MAX,
    SEGMENT_CHARS_MAX,
    SEGMENT_CONDITIONS_MAX,
    SEGMENT_DEPTH_MAX,
    SEGMENT_VALUES_MAX,
)
from pipeline.report.parameters import Problem
from pipeline.report.reports import question
from pipeline.report.segments.compile import compiled, compiled_step
from pipeline.report.segments.condition import Condition
from pipeline.report.segments.tokens import Fault
from pipeline.times import ms_of
from tests.report import oracle
from tests.report.reported_world import JOINED, PLAIN, Done, Reported
from tests.report.test_reports_equal import COMMON, SINCE, UNTIL, Known, answered, counted

Says = Callable[[Sequence[Done], Sequence[Done]], bool]  # of a person's actions in the period, and all before its end


def some(met: Callable[[Done], bool], least: int = 1) -> Says:
    """So many actions in the period for which it is true."""
    return lambda done, _: sum(map(met, done)) >= least


def trait(key: str) -> Callable[[Sequence[Done]], str]:
    return lambda ever: oracle.traits(sorted(ever, key=lambda row: row.order)).get(key, "")


PHONE = some(lambda row: row.hit.device_type == "phone")
GERMANY = some(lambda row: row.hit.country in ("DE", "de"))
SAID: dict[str, Says] = {
    "device = phone": PHONE,
    "Device = PHONE": PHONE,
    "device != phone": lambda done, ever: not PHONE(done, ever),
    "not not device = phone": PHONE,
    "device = phone and country = DE": lambda done, ever: PHONE(done, ever) and GERMANY(done, ever),
    "device = tablet or device = phone and os = iOS": lambda done, _: (
        any(row.hit.device_type == "tablet" for row in done)
        or (any(row.hit.device_type == "phone" for row in done) and any(row.hit.os == "iOS" for row in done))
    ),
    "(device = tablet or device = phone) and os = iOS": lambda done, _: (
        any(row.hit.device_type in ("phone", "tablet") for row in done) and any(row.hit.os == "iOS" for row in done)
    ),
    "device in (tablet, Phone)": some(lambda row: row.hit.device_type in ("tablet", "phone")),
    "browser contains FIRE": some(lambda row: row.hit.browser == "Firefox"),
    "language starts with de": some(lambda row: row.hit.language == "de-AT"),
    "page starts with /login or page starts with /identify": some(lambda row: oracle.path(row).startswith("/identify")),
    "url contains example/logout": some(lambda row: "/logout" in row.hit.url),
    "site = plain-site": lambda done, _: True,
    "campaign.source = google and campaign.medium = cpc": lambda done, _: (
        any(row.hit.campaign_source == "google" for row in done) and any(row.hit.campaign_medium for row in done)
    ),
    "did(name != '', campaign.source = google)": some(
        lambda row: bool(row.hit.name) and row.hit.campaign_source == "google"
    ),
    "user_id = user4": some(lambda row: row.hit.user_id == "user4"),
    "attribution in (backfilled, carried)": some(lambda row: row.attribution in ("backfilled", "carried")),
    "identified = true": some(lambda row: row.attribution != "anonymous"),
    "signed_in": some(lambda row: row.attribution != "anonymous"),
    "signed_in = false": lambda done, _: all(row.attribution == "anonymous" for row in done),
    "devices >= 2": lambda done, _: oracle.devices_in(done) >= 2,
    "devices != 1": lambda done, _: oracle.devices_in(done) != 1,
    "visits in (2, 3)": lambda done, _: len(list(oracle.visits(done))) in (2, 3),
    "visits > 4 and actions <= 30": lambda done, _: len(list(oracle.visits(done))) > 4 and len(done) <= 30,
    "first_seen > 14d": lambda _, ever: min(row.ts for row in ever) > UNTIL - 14 * DAY_MS,
    "last_seen < 2025-09-28": lambda done, _: max(row.ts for row in done) < ms_of("2025-09-28T00:00:00Z"),
    "revenue >= 80": some(lambda row: (row.hit.revenue or 0) >= 80),
    "not revenue > 0": lambda done, _: not any(row.hit.revenue for row in done),
    "property.price > 30": some(lambda row: row.hit.properties.get("price", 0) > 30),
    "property.price in (3, 4)": some(lambda row: row.hit.properties.get("price") in (3, 4)),
    "property.sku = boots": some(lambda row: row.hit.properties.get("sku") == "boots"),
    "trait.plan = pro": lambda _, ever: trait("plan")(ever) == "pro",
    "trait.plan = 'Gold\\\\ \"x\"'": lambda _, ever: trait("plan")(ever) == 'Gold\\ "x"',
    'trait."plan" != pro': lambda _, ever: trait("plan")(ever) != "pro",
    "trait.n >= 5": lambda _, ever: int(trait("n")(ever) or 0) >= 5,
    "trait.source contains A": lambda _, ever: "a" in trait("source")(ever),
    "did(Order)": some(lambda row: row.hit.name == "Order"),
    "did(\"Söké 'x'\")": some(lambda row: row.hit.name == "Söké 'x'"),
    "did(Order, count >= 3)": some(lambda row: row.hit.name == "Order", 3),
    "did(Order, revenue > 50, device = desktop, count > 1)": some(
        lambda row: row.hit.name == "Order" and row.hit.revenue > 50 and row.hit.device_type == "desktop", 2
    ),
    "did_not(Signup)": lambda done, _: not any(row.hit.name == "Signup" for row in done),
    "did(Signup) within 5d": lambda done, _: any(
        row.hit.name == "Signup" and row.ts >= UNTIL - 5 * DAY_MS for row in done
    ),
    "did(Order) within 35d and did_not(Order)": lambda done, ever: (
        any(row.hit.name == "Order" and row.ts >= UNTIL - 35 * DAY_MS for row in ever)
        and not any(row.hit.name == "Order" for row in done)
    ),
    "did(not device = phone and type = page)": some(
        lambda row: row.hit.device_type != "phone" and row.hit.type == "page"
    ),
    "device = desktop and country = SE and trait.plan = pro and did(Order) within 30d": lambda done, ever: (
        any(row.hit.device_type == "desktop" for row in done)
        and any(row.hit.country == "SE" for row in done)
        and trait("plan")(ever) == "pro"
        and any(row.hit.name == "Order" and row.ts >= UNTIL - 30 * DAY_MS for row in ever)
    ),
}


def before_end(known: Reported, workspace: str) -> dict[str, list[Done]]:
    """What a person did up to the end of the period, however long ago."""
    rows = (row for row in known.done[workspace] if row.ts < UNTIL and not row.hit.bot)
    return oracle.groups(rows, lambda row: row.person)


@pytest.mark.parametrize(
    ("text", "workspace"),
    [
        *((text, PLAIN) for text in SAID),
        *((text, JOINED) for text in SAID if re.match("devices|trait|visits|did_not", text)),
    ],
)
def test_a_segment_selects_the_persons_it_says(reported: Known, text: str, workspace: str) -> None:
    """All of their actions count, and nobody else's."""
    ask, known = reported
    ever = oracle.groups(
        (row for row in known.done[workspace] if row.ts < UNTIL and not row.hit.bot), lambda r: r.person
    )
    done = oracle.groups(counted(known, workspace), lambda row: row.person)
    says = SAID[text]
    expected = {person for person, rows in done.items() if says(rows, ever[person])}

    rows = answered(ask, "audience", {"workspace": workspace}, text)

    assert expected == {row[0] for row in rows}
    assert {row[0]: row[3] for row in rows} == {person: len(done[person]) for person in expected}


def test_the_segments_tell_persons_apart(reported: Known) -> None:
    """Nearly all of them select somebody and not everybody: the test above could fail."""
    _, known = reported
    ever = before_end(known, PLAIN)
    done = oracle.groups(counted(known, PLAIN), lambda row: row.person)
    sizes = {text: sum(says(rows, ever[person]) for person, rows in done.items()) for text, says in SAID.items()}

    assert [] == [text for text, size in sizes.items() if not 0 < size < len(done) and "site" not in text]


def test_a_segment_and_its_opposite_are_everybody(reported: Known) -> None:
    """Side by side they add up."""
    ask, known = reported
    everybody = oracle.persons_in(counted(known, PLAIN))
    for text in (
        "device = phone",
        "signed_in",
        "trait.plan = pro",
        "did(Order) within 30d",
        "devices > 1 or visits = 1",
    ):
        sizes = [answered(ask, "overview", {"workspace": PLAIN}, one)[0][2] for one in (text, f"not ({text})")]
        assert everybody == sum(sizes)
        assert min(sizes) > 0


@pytest.mark.parametrize(
    "name", ["visits", "handovers", "funnel", "retention", "cross_device", "persons", "identify_time"]
)
def test_every_report_takes_one(reported: Known, name: str) -> None:
    """Of everybody it is the report, and of nobody it is empty."""
    ask, _ = reported
    values = {"workspace": PLAIN}

    assert answered(ask, name, values, "visits >= 1") == answered(ask, name, values)
    assert answered(ask, name, values, "visits < 1") == []


FAULTS = [
    ("devices two", "        ^", "devices takes =, !=, <, <=, >, >=, or in, and a number: devices >= 2"),
    ("devices >= two", "           ^", "devices takes a number: devices >= 2"),
    ("devices contains 2", "        ^", "devices takes =, !=, <, <=, >, >=, or in, and a number: devices >= 2"),
    ("devcie = phone", "^", "no such field; there are device, browser"),
    ("device = phone andcountry = DE", "               ^", "expected and, or, or the end"),
    ("device = phone and", "                  ^", "expected a condition: device = phone"),
    ("device =", "        ^", "device takes a text: device = phone"),
    ("device = and", "         ^", "device takes a text: device = phone"),
    ("device > phone", "       ^", "device takes =, !=, contains, starts with, or in: device = phone"),
    ('device = "phone', "         ^", 'a text that begins with " ends with "'),
    ("device ! phone", "       ^", "device takes"),
    ("country in (DE", "              ^", "expected ): country in (DE, AT)"),
    ("(country = DE", "             ^", "expected ): (country = DE or country = AT)"),
    ("did Order", "    ^", "expected (: did(Order)"),
    ("did(Order, count 3)", "                 ^", "count takes a sign and a number: did(Order, count >= 3)"),
    ("did(Order) within long", "                  ^", "within takes a time of up to 3660 days: did(Order) within 30d"),
    ("did(devices > 2)", "    ^", "devices is about a person; here one action is meant"),
    ("did(did(Order))", "    ^", "did is about a person; here one action is meant"),
    ("trait = pro", "^", "trait takes a name: trait.plan = pro"),
    ("first_seen > soon", "             ^", "first_seen takes a day or how long ago: first_seen > 7d"),
    ("first_seen > 2026-13-01", "             ^", "first_seen takes a day or how long ago"),
    ("signed_in = maybe", "            ^", "signed_in takes true or false"),
    (
        "site = a" + " and site = a" * SEGMENT_CONDITIONS_MAX,
        " " * (13 + 13 * (SEGMENT_CONDITIONS_MAX - 1)) + "^",
        "at most 20",
    ),
    ("not " * (SEGMENT_DEPTH_MAX + 1) + "site = a", "    " * SEGMENT_DEPTH_MAX + "^", "at most 10 inside one another"),
    ("site = " + "a" * SEGMENT_CHARS_MAX, " " * SEGMENT_CHARS_MAX + "^", "at most 2000 characters"),
    (
        f"site in (a{',a' * SEGMENT_VALUES_MAX})",
        " " * (8 + 2 * SEGMENT_VALUES_MAX) + "^",
        "in takes at most 100 values",
    ),
]


@pytest.mark.parametrize(("text", "caret", "sentence"), FAULTS, ids=[fault[2][:40] + fault[0][:9] for fault in FAULTS])
def test_what_is_no_segment_says_where_and_what_was_expected(text: str, caret: str, sentence: str) -> None:
    """A sentence and the place, for a caret under the field."""
    fault = compiled(text)

    assert isinstance(fault, Fault)
    assert (fault.at, fault.message[: len(sentence)]) == (len(caret) - 1, sentence)


@pytest.mark.parametrize("text", ["", "   ", "\n\t"])
def test_a_blank_text_is_everybody(text: str) -> None:
    """Nothing was asked for."""
    assert compiled(text) == Condition("true", {})


def test_a_step_is_a_name_a_path_or_conditions_on_one_action() -> None:
    """And nothing about a person."""
    named, quoted, path, condition = (
        compiled_step(text, 1) for text in ("Order", "'/a b'", "/basket", "device = phone and revenue > 5")
    )

    assert named == Condition("ifNull(name = {s1_0:String}, false)", {"s1_0": "Order"})
    assert quoted == Condition("ifNull(name = {s1_0:String}, false)", {"s1_0": "/a b"})
    assert path == Condition("ifNull(path(url) = {s1_0:String}, false)", {"s1_0": "/basket"})
    assert isinstance(condition, Condition)
    assert condition.parameters == {"s1_0": "phone", "s1_1": 5.0}
    for text in ("", "devices > 2", "did(Order)", "Order and", "and"):
        assert isinstance(compiled_step(text, 1), Fault), text


def test_a_funnel_has_steps_and_not_too_many() -> None:
    """Each is looked for at every action."""
    step = compiled_step("Order", 0)
    assert isinstance(step, Condition)
    for steps in ([], [step] * (FUNNEL_STEPS_MAX + 1)):
        assert isinstance(question("funnel", {**COMMON, "workspace": "w"}, steps=steps), Problem)
    assert SINCE < UNTIL
