"""A hundred million actions of ten million devices, made inside the warehouse: what each report takes.

Rows come in the order of time, as the sink would have written them: backfilled ones twice, first as nobody's. Then the
months come to rest, as they do an hour after the last of their rows. It must not know how a report is worked out: each
is asked as the page and the commands ask it.
"""

import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext, suppress
from hashlib import md5
from statistics import median
from typing import Any
from uuid import uuid5

from pipeline.identity.ids import SEAMLINE, user_person
from pipeline.questions import QuestionRefused, Questions, to
from pipeline.report import asking
from pipeline.report.parameters import Problem
from pipeline.sink.device_days import DeviceDays
from pipeline.sink.figures import Figures
from pipeline.warehouse.client import DICTIONARIES, Warehouse, open_warehouse
from pipeline.warehouse.errors import WarehouseRefused, WarehouseUnavailable
from pipeline.warehouse.migrate import migrate
from tests.support.deadline import wait_until

ACTIONS = int(os.environ.get("SEAMLINE_BENCH_ACTIONS", "100_000_000"))
FOLDER = os.environ.get("SEAMLINE_BENCH_FOLDER", "")  # what was made stays there, for another run
PER_DEVICE, PER_VISIT, DAYS, MERGES = 10, 5, 90, 100_000
TIMES, FOR_MS = 5, 2_000  # what is quick is asked more often, or it could not be told from noise
INSERT_ROWS = 1_000_000
REST_S = 3_600  # for a month to become one part
FIRST_DAY = "2026-06-05"
PERIOD = {"workspace": "shop", "since": "2026-08-04", "until": "2026-09-03"}  # the last 30 days
EVER = {"workspace": "shop", "since": "2000-01-01", "until": "2100-01-01"}
_DAY_MS = 86_400_000
_PERSON = """
    (digit -> translate(digit, '0123456789ABCDEF', '89AB89AB89AB89AB')) AS variant,
    (h -> concat(left(h, 12), '5', substring(h, 14, 3), variant(substring(h, 17, 1)), substring(h, 18, 15)))
        AS version_5,
    (name -> toUUID(version_5(hex(SHA1(concat(unhex({space:String}), name)))))) AS person
"""
# One device in five is a user's phone, one their desktop, the others nobody's; half of a user's actions name them.
_ACTIONS = f"""
    INSERT INTO action_log
    (
        workspace, site_id, event_id, ts, received_at, device, day, type, name, anonymous_id, user_id, holds, url,
        referrer, title, device_type, browser, os, language, country, ip, campaign_source, campaign_medium, revenue,
        currency, bot, properties, traits, person_id, attribution, version
    )
    WITH {_PERSON},
        (visit * {{days:UInt64}} * {_DAY_MS} DIV {{visits:UInt64}} + number % {PER_VISIT} * 20000) AS at_ms,
        (with_user AND ({{again:Bool}} OR NOT back)) AS theirs
    SELECT
        'shop',
        ['www', 'app', 'blog'][seat % 3 + 1],
        concat(substring(random, 1, 8), '-', substring(random, 9, 4), '-4', substring(random, 13, 3), '-a',
               substring(random, 16, 3), '-', substring(random, 19, 12)),
        toDateTime64('{FIRST_DAY}', 3, 'UTC') + toIntervalMillisecond(at_ms) AS at,
        at + toIntervalMillisecond(800),
        concat('d:', anonymous),
        toDate(at),
        if(number % 10 = 9, 'track', 'page'),
        multiIf(ordered, 'Order', number % 10 = 9, ['Signup', 'Search', 'Added to basket'][number % 3 + 1], ''),
        lower(hex(MD5(concat('device', toString(seat))))) AS anonymous,
        if(signed_in, user, ''),
        signed_in,
        concat('https://shop.example/section', toString(chance % 20), '/page', toString(chance % 2000)),
        if(number % {PER_VISIT} = 0, 'https://search.example/', ''),
        concat('Page ', toString(chance % 2000)),
        if(with_user, ['phone', 'desktop'][seat % 5 + 1], ['phone', 'desktop', 'tablet'][seat % 3 + 1]),
        ['Firefox', 'Chrome', 'Safari'][seat % 3 + 1], ['Android', 'Windows', 'iOS'][seat % 3 + 1],
        ['de-AT', 'sv', 'en'][seat % 3 + 1], ['DE', 'SE', 'FR', 'PL'][seat % 4 + 1], '192.0.2.0',
        if(visit % 9 = 0, ['google', 'mail'][visit % 2 + 1], ''), if(visit % 9 = 0, 'cpc', ''),
        if(ordered, chance % 400 / 4, NULL), if(ordered, 'EUR', ''),
        seat % 100 = 99,
        if(number % 4 = 0, concat('{{"price":', toString(chance % 90), ',"of":', toString(chance % 500), '}}'), '{{}}'),
        if(signed_in AND visit % 5 = 0, concat('{{"plan":"', ['pro', 'free'][seat % 2 + 1], '"}}'), '{{}}'),
        if(theirs, person(concat('user:', user)), person(concat('device:', anonymous))),
        multiIf(signed_in, 'identified', NOT theirs, 'anonymous', back, 'backfilled', 'carried'),
        281474976710656 + number + {{again:Bool}}
    FROM
    (
        SELECT
            number, intDiv(number, {PER_VISIT}) AS visit, cityHash64(visit) % {{devices:UInt64}} AS seat,
            seat % 5 < 2 AS with_user, concat('user', toString(intDiv(seat, 5)), '@shop.example') AS user,
            with_user AND number % 2 = 0 AS signed_in, with_user AND NOT signed_in AND number % {PER_VISIT} < 2 AS back,
            cityHash64(number, 1) AS chance, chance % 100 = 0 AS ordered, lower(hex(MD5(toString(number)))) AS random
        FROM numbers({{first:UInt64}}, {{count:UInt64}})
    )
    WHERE NOT {{again:Bool}} OR back
"""
_MERGES = f"""
    INSERT INTO person_merges
    WITH {_PERSON}
    SELECT 'shop', concat('user', toString(number), '@shop.example') AS user, person(concat('user:', user)),
        least(person(concat('user:user', toString(intDiv(number, 2) * 2), '@shop.example')),
              person(concat('user:user', toString(intDiv(number, 2) * 2 + 1), '@shop.example'))),
        toUUID('00000000-0000-0000-0000-000000000001'), 2, false, concat('said', toString(number)), 1
    FROM numbers({2 * MERGES})
"""
Asked = Callable[[Questions, int], Any]
TARGETS_MS = {"journey": 50, "search": 200, "overview": 2_000, "cross_device": 5_000}


def _user(number: int) -> str:
    return f"user{number * 7919 % (ACTIONS // PER_DEVICE // 5)}@shop.example"


def _journey(ask: Questions, number: int) -> Any:
    return _rows(ask, "journey", {**EVER, "person": user_person("shop", _user(number))})


def _of_person(name: str) -> Asked:
    return lambda ask, number: _rows(ask, name, {**EVER, "person": user_person("shop", _user(number))})


def _search(text: Callable[[int], str]) -> Asked:
    return lambda ask, number: _rows(ask, "persons", {**PERIOD, "search": text(number)})


def _of_all(name: str) -> Asked:
    return lambda ask, _: _rows(ask, name, PERIOD)


def _event(number: int) -> str:
    """Of the last day."""
    digits = md5(str(ACTIONS - 1_000 * number).encode(), usedforsecurity=False).hexdigest()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[12:15]}-a{digits[15:18]}-{digits[18:30]}"


def _rows(ask: Questions, name: str, values: Mapping[str, Any]) -> list[asking.Row]:
    found = asking.rows(ask, name, values)
    assert not isinstance(found, Problem), found
    return found


# What is asked, by whom, and what it may take.
ROWS: Mapping[str, tuple[Asked, int | None]] = {
    "a journey": (_journey, TARGETS_MS["journey"]),
    "a profile: the devices of a person": (_of_person("person_devices"), None),
    "who goes by this user ID": (lambda ask, number: asking.find(ask, EVER, _user(number)), TARGETS_MS["search"]),
    "persons by part of a user ID": (_search(lambda number: _user(number)[2:-6]), TARGETS_MS["search"]),
    "persons by a whole event ID": (_search(_event), TARGETS_MS["search"]),
    "persons by a value of a trait that nobody has": (_search(lambda number: f"gold{number}"), TARGETS_MS["search"]),
    "overview, 30 days": (_of_all("overview"), TARGETS_MS["overview"]),
    "days, 30 days": (_of_all("days"), None),
    "visits by day, 30 days": (_of_all("visit_days"), None),
    "persons, the latest of 30 days": (_of_all("persons"), None),
    "conversions across devices, 30 days": (_of_all("cross_device"), TARGETS_MS["cross_device"]),
    "hand-overs, 30 days": (_of_all("handovers"), None),
    "who came back, 30 days": (_of_all("retention"), None),
    "goals, 30 days": (_of_all("goals"), None),
    "pages, 30 days": (_of_all("pages"), None),
    "visits log, 30 days": (_of_all("visits"), None),
}  # fmt: skip


def fill(warehouse: Warehouse, actions: int) -> None:
    """All of it, an insert at a time; the engine merges beside, as it would in life."""
    space = uuid5(SEAMLINE, "shop").hex
    sizes = {"days": DAYS, "devices": actions // PER_DEVICE, "visits": actions // PER_VISIT, "space": space}
    for first in range(0, actions, INSERT_ROWS):
        for again in (False, True):
            part = {"first": first, "count": min(INSERT_ROWS, actions - first), "again": again}
            warehouse.command(_ACTIONS, {**sizes, **part})
    warehouse.command(_MERGES, {"space": space})
    for dictionary in DICTIONARIES:
        warehouse.command(f"SYSTEM RELOAD DICTIONARY {dictionary}")


def add_up(warehouse: Warehouse) -> None:
    """What the sink does beside its work, as often as it takes."""
    adding = DeviceDays(warehouse, Figures(), settle_s=0, kept_s=0)
    for _ in range(2):  # the second drops what the first has done
        adding.round()


def rest(warehouse: Warehouse) -> None:
    """Each month one part, as the engine would make it in time."""
    months = (
        "SELECT DISTINCT table, partition FROM system.parts WHERE active AND table IN ('action_log', 'device_days')"
    )
    for table, month in warehouse.query(months, readonly=False).rows:
        with suppress(WarehouseUnavailable, WarehouseRefused):  # nobody waits so long for an answer; the engine goes on
            warehouse.command(f"OPTIMIZE TABLE {table} PARTITION ID '{month}' FINAL")
        wait_until(lambda: not warehouse.query("SELECT count() FROM system.merges", readonly=False).rows[0][0], REST_S)


def asked_ms(ask: Questions, what: Asked) -> float | str:
    """The median of TIMES, and of as many as FOR_MS hold, each about somebody else; or the warehouse's refusal."""
    taken: list[float] = []
    while len(taken) <= TIMES or sum(taken) < FOR_MS:  # the first opens files
        began = time.perf_counter()
        try:
            what(ask, len(taken) + 1)
        except QuestionRefused as refused:
            return str(refused)[:90]
        taken.append((time.perf_counter() - began) * 1_000)
    return median(taken[1:])


def main(chosen: list[str]) -> int:
    """1 when a target was missed. Words choose rows that contain one of them."""
    with nullcontext(FOLDER) if FOLDER else tempfile.TemporaryDirectory() as folder:
        warehouse = open_warehouse(f"chdb://{folder}/warehouse")
        migrate(warehouse)
        began = time.perf_counter()
        if not warehouse.query("SELECT count() FROM action_log").rows[0][0]:
            fill(warehouse, ACTIONS)
            rest(warehouse)
        if warehouse.query("SELECT count() FROM device_days_due").rows[0][0]:
            add_up(warehouse)
            rest(warehouse)
        print(f"{ACTIONS:,} actions, {MERGES:,} merges: made in {time.perf_counter() - began:,.0f} s", flush=True)
        missed = sum([_shown(to(warehouse), name) for name in ROWS if not chosen or any(w in name for w in chosen)])
        print(f"most memory of the process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MiB")
        warehouse.close()
    return min(missed, 1)


def _shown(ask: Questions, name: str) -> bool:
    what, target_ms = ROWS[name]
    taken = asked_ms(ask, what)
    over = isinstance(taken, str) or (target_ms is not None and taken > target_ms)
    verdict = "" if target_ms is None else f"  (target {target_ms:,}{', missed' * over})"
    print(f"{name:<45} {taken if isinstance(taken, str) else f'{taken:>10,.0f} ms'}{verdict}", flush=True)
    return over


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
