"""What every report has to say, from a plain list of actions and nothing else; it must not know SQL.

Each function takes the actions that count and gives rows in the order of the report's columns; their order is not said.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pipeline.limits import DAY_MS, HOUR_MS, MINUTE_MS
from pipeline.times import iso
from tests.report.reported_world import Done

Row = tuple[Any, ...]
Rows = Sequence[Done]
Key = TypeVar("Key", bound=Hashable)
KINDS = ("identified", "carried", "backfilled", "anonymous")
GAP_MS = 30 * MINUTE_MS


def groups(rows: Iterable[Done], key: Callable[[Done], Key]) -> dict[Key, list[Done]]:
    """Each in time order."""
    found: defaultdict[Key, list[Done]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: row.order):
        found[key(row)].append(row)
    return found


def visits(rows: Iterable[Done]) -> Iterator[list[Done]]:
    """Runs of one person on one device, with gaps under half an hour."""
    for run in groups(rows, lambda row: (row.person, row.hit.device)).values():
        begins = [n for n, row in enumerate(run) if n == 0 or row.ts - run[n - 1].ts >= GAP_MS]
        for start, end in zip(begins, [*begins[1:], len(run)], strict=True):
            yield run[start:end]


def persons_in(rows: Iterable[Done]) -> int:
    return len({row.person for row in rows})


def devices_in(rows: Iterable[Done]) -> int:
    return len({row.hit.device for row in rows})


def shares(rows: Rows) -> tuple[int, ...]:
    """Actions by attribution."""
    counted = Counter(row.attribution for row in rows)
    return tuple(counted[kind] for kind in KINDS)


def date(ts_ms: int, zone: str) -> str:
    return datetime.fromtimestamp(ts_ms / 1000, ZoneInfo(zone)).date().isoformat()


def converted(rows: Rows, goal: str = "") -> list[Done]:
    return [row for row in rows if (row.hit.name == goal if goal else row.hit.revenue is not None)]


def spent(rows: Rows) -> float:
    return sum(row.hit.revenue or 0 for row in rows)


def path(row: Done) -> str:
    return urlsplit(row.hit.url).path


def kind(row: Done) -> str:
    return row.hit.device_type or "unknown"


def seen(rows: Rows) -> tuple[str, str]:
    return iso(min(row.ts for row in rows)), iso(max(row.ts for row in rows))


# --- reports about many ------------------------------------------------------------------------------------------


def overview(rows: Rows) -> list[Row]:
    actions, devices, persons = len(rows), devices_in(rows), persons_in(rows)
    signed_in = persons_in(row for row in rows if row.attribution != "anonymous")
    by_kind = shares(rows)
    return [
        (actions, devices, persons, signed_in, *by_kind, sum(by_kind[:3]) / actions, by_kind[0] / actions,
         devices / persons, devices / persons - 1)
    ]  # fmt: skip


def days(rows: Rows, zone: str) -> list[Row]:
    by_day = groups(rows, lambda row: date(row.ts, zone))
    return [(day, len(done), *shares(done), devices_in(done), persons_in(done)) for day, done in by_day.items()]


def visit_days(rows: Rows, zone: str) -> list[Row]:
    return list(Counter(date(visit[0].ts, zone) for visit in visits(rows)).items())


def persons(rows: Rows) -> list[Row]:
    """Without the rank."""
    return [
        (person, len(done), devices_in(done), *seen(done), *shares(done),
         sorted({row.hit.device_type for row in done}), len(converted(done)), spent(done))
        for person, done in groups(rows, lambda row: row.person).items()
    ]  # fmt: skip


def audience(rows: Rows) -> list[Row]:
    return [(row[0], row[3], row[4], row[1], row[2], row[10], row[11]) for row in persons(rows)]


def visit_log(rows: Rows) -> list[Row]:
    return [
        (
            iso(visit[0].ts), iso(visit[-1].ts), visit[-1].ts - visit[0].ts, visit[0].hit.device, visit[0].person,
            len(visit), sum(row.hit.type == "page" for row in visit), visit[0].hit.url, visit[-1].hit.url,
            visit[0].hit.referrer, visit[0].hit.campaign_source, visit[0].hit.device_type, visit[0].hit.browser,
            visit[0].hit.os, visit[0].hit.site_id, sorted({row.hit.user_id for row in visit} - {""}), *shares(visit),
            sum(row.hit.logout for row in visit), len(converted(visit)), spent(visit),
            [row.attribution for row in visit],
        )
        for visit in visits(rows)
    ]  # fmt: skip


def users(rows: Rows) -> list[Row]:
    said = groups((row for row in rows if row.hit.user_id), lambda row: row.hit.user_id)
    return [
        (user, done[0].person, len(done), devices_in(done), *seen(done), [done[0].hit.site_id], ["native"])
        for user, done in said.items()
    ]


def pages(rows: Rows) -> list[Row]:
    return [
        (page, len(done), persons_in(done), devices_in(done))
        for page, done in groups((row for row in rows if row.hit.type == "page"), path).items()
    ]


def goals(rows: Rows) -> list[Row]:
    named = groups((row for row in rows if row.hit.name), lambda row: (row.hit.name, row.hit.currency))
    return [
        (*name, len(done), len(converted(done)), spent(done), persons_in(done), devices_in(done))
        for name, done in named.items()
    ]


def handovers(rows: Rows) -> list[Row]:
    """Visit by visit: who goes on where."""
    found: defaultdict[tuple[str, str], list[tuple[str, int]]] = defaultdict(list)
    last_kind = {key: kind(done[-1]) for key, done in groups(rows, lambda row: (row.person, row.hit.device)).items()}
    lines: defaultdict[str, list[tuple[int, int, str, str]]] = defaultdict(list)
    for visit in visits(rows):
        at = (visit[0].person, visit[0].hit.device)
        lines[at[0]].append((visit[0].ts, visit[-1].ts, at[1], last_kind[at]))
    for person, line in lines.items():
        line.sort()
        for before, after in pairwise(line):
            if before[3] != after[3]:
                found[before[3], after[3]].append((person, max(0, after[0] - before[1])))
    return [
        (*kinds, len(moves), len({person for person, _ in moves}), _lower_median([gap for _, gap in moves]))
        for kinds, moves in found.items()
    ]


def _lower_median(values: list[int]) -> int:
    return sorted(values)[(len(values) + 1) // 2 - 1]


def cross_device(rows: Rows, goal: str = "") -> list[Row]:
    found: defaultdict[tuple[str, str, str], list[tuple[str, float, bool]]] = defaultdict(list)
    for person, done in groups(rows, lambda row: row.person).items():
        for one in converted(done, goal):
            so_far = {row.hit.device for row in done if row.order <= one.order}
            key = (kind(done[0]), kind(one), one.hit.currency)
            found[key].append((person, one.hit.revenue or 0, len(so_far) > 1))
    return [
        (*key, len(all_), len({one[0] for one in all_}), sum(one[1] for one in all_), sum(one[2] for one in all_))
        for key, all_ in found.items()
    ]


def funnel(rows: Rows, steps: Sequence[Callable[[Done], bool]], within_ms: int) -> list[Row]:
    """From every first step on, the earliest next one each time; the best of them counts."""
    reached = {True: Counter[int](), False: Counter[int]()}
    for by_person, counts in reached.items():
        for done in groups(rows, lambda row: row.person if by_person else row.hit.device).values():  # noqa: B023
            best = max((_steps_from(done[n:], steps, within_ms) for n in range(len(done))), default=0)
            counts.update(range(1, best + 1))
    return [(step, reached[True][step], reached[False][step]) for step in sorted(reached[True] | reached[False])]


def _steps_from(done: Rows, steps: Sequence[Callable[[Done], bool]], within_ms: int) -> int:
    met = 0
    for row in done:
        if row.ts - done[0].ts > within_ms or (met == 0 and row is not done[0]):
            break
        met += met < len(steps) and steps[met](row)
    return met


def identify_time(rows: Rows, ever: Rows, since_ms: int) -> list[Row]:
    """Of those whose first word is in the period."""
    limits = [
        (1, "at once"), (MINUTE_MS, "under a minute"), (HOUR_MS, "under an hour"), (DAY_MS, "under a day"),
        (7 * DAY_MS, "under 7 days"), (30 * DAY_MS, "under 30 days"), (10**15, "longer"),
    ]  # fmt: skip
    found: defaultdict[str, list[int]] = defaultdict(list)
    named = {row.person for row in rows if row.hit.user_id}
    for person, done in groups(ever, lambda row: row.person).items():
        said = next((row.ts for row in done if row.hit.user_id), None)
        if person in named and said is not None and said >= since_ms:
            waited = said - done[0].ts
            found[next(word for limit, word in limits if waited < limit)].append(waited)
    return [(word, len(all_), min(all_), _lower_median(all_), max(all_)) for word, all_ in found.items()]


def retention(rows: Rows, zone: str) -> list[Row]:
    counted: dict[bool, Counter[tuple[str, int]]] = {True: Counter(), False: Counter()}
    for by_person, counts in counted.items():
        for done in groups(rows, lambda row: row.person if by_person else row.hit.device).values():  # noqa: B023
            mondays = sorted({_monday(row.ts, zone) for row in done})
            counts.update((mondays[0].isoformat()[:10], (one - mondays[0]).days // 7) for one in mondays)
    return [(*key, counted[True][key], counted[False][key]) for key in counted[True] | counted[False]]


def _monday(ts_ms: int, zone: str) -> datetime:
    here = datetime.fromisoformat(date(ts_ms, zone))
    return here - timedelta(days=here.weekday())


def campaigns(rows: Rows, goal: str = "") -> list[Row]:
    found: defaultdict[tuple[str, str, str, str], list[tuple[str, float, str]]] = defaultdict(list)
    for person, done in groups(rows, lambda row: row.person).items():
        came = [row for row in done if row.hit.campaign_source or row.hit.campaign_medium or row.hit.campaign_name]
        for one in converted(done, goal):
            upto = [_campaign(row) for row in came if row.order <= one.order] or [("", "", "")]
            for which, touch in (("first", upto[0]), ("last", upto[-1])):
                found[*touch, one.hit.currency].append((which, one.hit.revenue or 0, person))
    return [
        (*key, *_touched(all_, "first"), *_touched(all_, "last"), len({one[2] for one in all_}))
        for key, all_ in found.items()
    ]


def _campaign(row: Done) -> tuple[str, str, str]:
    return row.hit.campaign_source, row.hit.campaign_medium, row.hit.campaign_name


def _touched(all_: Sequence[tuple[str, float, str]], which: str) -> tuple[int, float]:
    amounts = [amount for one, amount, _ in all_ if one == which]
    return len(amounts), sum(amounts)


def identity_health(rows: Rows, zone: str, crowded: set[str]) -> list[Row]:
    """`crowded`: devices where several users signed in."""
    return [
        (day, len(done), *shares(done), shares(done)[2] / len(done),
         sum(row.attribution == "anonymous" and row.hit.device in crowded for row in done), 0, 0)
        for day, done in groups(rows, lambda row: date(row.ts, zone)).items()
    ]  # fmt: skip


def latest(rows: Rows) -> list[Row]:
    return [
        (row.hit.received_at, iso(row.ts), row.hit.event_id, row.hit.device, row.person, row.hit.user_id,
         row.attribution, row.hit.type, row.hit.name, row.hit.url, row.hit.title, row.hit.device_type,
         row.hit.browser, row.hit.os, row.hit.country, row.hit.site_id, row.hit.logout, row.hit.revenue,
         row.hit.currency)
        for row in rows
    ]  # fmt: skip


# --- reports about one person ------------------------------------------------------------------------------------


def known(rows: Rows) -> list[Row]:
    return [
        (person, sorted({row.hit.user_id for row in done} - {""}), *seen(done), len(done), devices_in(done),
         [done[0].hit.site_id], traits(done))
        for person, done in groups(rows, lambda row: row.person).items()
    ]  # fmt: skip


def traits(done: Rows) -> dict[str, str]:
    """The latest that was set, else the earliest that was set once."""
    found: dict[str, Any] = {}
    for row in reversed(done):
        found |= row.hit.traits_once
    for row in done:
        found |= row.hit.traits
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in found.items()}


def person_devices(done: Rows) -> list[Row]:
    return [
        (device, on[0].hit.device_type, on[0].hit.browser, on[0].hit.os, *seen(on), len(on), *shares(on),
         len(list(visits(on))))
        for device, on in groups(done, lambda row: row.hit.device).items()
    ]  # fmt: skip


def person_pages(done: Rows) -> list[Row]:
    return [
        (page, len(on), devices_in(on), *seen(on))
        for page, on in groups((row for row in done if row.hit.type == "page"), path).items()
    ]


def person_goals(done: Rows) -> list[Row]:
    named = groups((row for row in done if row.hit.name), lambda row: (row.hit.name, row.hit.currency))
    return [(*name, len(on), len(converted(on)), spent(on), devices_in(on), *seen(on)) for name, on in named.items()]


def person_traits(done: Rows) -> list[Row]:
    said = [
        (key, value, row, once)
        for row in sorted(done, key=lambda row: row.order)
        for once, pairs in ((False, row.hit.traits), (True, row.hit.traits_once))
        for key, value in pairs.items()
    ]
    counts = {}
    for key, _, row, once in said:
        set_ = [one for one in said if one[0] == key and not one[3]]
        best = set_[-1] if set_ else next(one for one in said if one[0] == key)
        counts[key, row.order, once] = best[2] is row and best[3] == once
    return [
        (key, json.dumps(value, ensure_ascii=False), iso(row.ts), row.hit.event_id, row.hit.device, row.hit.site_id,
         "native", once, counts[key, row.order, once])
        for key, value, row, once in said
    ]  # fmt: skip


def person_users(done: Rows) -> list[Row]:
    """Without what joined them."""
    return [(row[0], *row[2:]) for row in users(done)]


def journey(done: Rows) -> list[Row]:
    return [
        (iso(row.ts), row.hit.event_id, row.hit.device, row.hit.type, row.hit.name, row.hit.url, row.hit.title,
         row.hit.referrer, row.attribution, row.hit.user_id, row.hit.logout, row.hit.device_type, row.hit.browser,
         row.hit.os, row.hit.country, row.hit.language, row.hit.site_id, row.hit.campaign_source,
         row.hit.campaign_medium, row.hit.campaign_name, row.hit.revenue, row.hit.currency, row.hit.clock, False,
         row.hit.protocol)
        for row in sorted(done, key=lambda row: (row.ts, row.hit.event_id, row.hit.device))
    ]  # fmt: skip
