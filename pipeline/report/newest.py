"""Lists that begin with the newest, out of as few actions as fill a page; it must not know any SQL, or who asks.

The newest actions are few to find and few to look at. What they say is held against everything: whoever is on the page,
and in which order, is what the whole question says. So they are looked at first; if they do not fill the page, eight
times as many; and then everything.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from pipeline.limits import (
    FOUND_MAX,
    NEWEST_MS_MIN,
    NEWEST_ROWS_EACH,
    NEWEST_ROWS_MAX,
    NEWEST_ROWS_MIN,
)
from pipeline.report.catalogue import REPORTS
from pipeline.report.parameters import FIRST_RANK, instant
from pipeline.report.reports import Question, question
from pipeline.report.segments.condition import EVERYBODY, Condition
from pipeline.times import iso, ms_of
from pipeline.warehouse.texts import sql_text

Answer = tuple[Sequence[str], list[list[Any]]]
Ask = Callable[[str, Mapping[str, Any]], tuple[list[str], list[list[Any]]]]
_ANY_VERSION = "action_log", "ts >= {newest:DateTime64(3, 'UTC')}"
_ROWS_MORE = 8  # times as many, where they did not fill a page: a second look finds enough of all but odd visits
_TIME_MORE = 6  # times as long, where less was done: half an hour, 3 hours, 18, 4 days and a half, 27
_ROWS_A_PERSON = 5  # so many of them are asked about, by what was looked at: who is not on the page costs as much


def page(
    ask: Ask, name: str, values: Mapping[str, Any], segment: Condition = EVERYBODY, *, rows_min: int = NEWEST_ROWS_MIN
) -> Answer | None:
    """The columns and rows of a list's page; None where the whole question has to be asked.

    A segment's persons are found in everything, so for them it is asked. `rows_min`: how many actions are looked at
    first.
    """
    if name not in _PAGES or segment.sql != EVERYBODY.sql:
        return None
    whole = question(name, values)
    if isinstance(whole, Question) and _begins_with_newest(name, whole.parameters):
        for count in _counts(max(rows_min, NEWEST_ROWS_EACH * whole.parameters["limit"])):
            newest, all_of_them = _newest(ask, whole.parameters, _before_ms(name, whole.parameters), count)
            columns, rows, complete = _PAGES[name](ask, values, whole.parameters, newest, count)
            if len(rows) == whole.parameters["limit"] or (all_of_them and complete):
                return columns, rows
    return None


def _begins_with_newest(name: str, asked: Mapping[str, Any]) -> bool:
    """Of persons only a short page: their IDs travel in one address."""
    by_last = name == "visits" or (asked["sort"] == "last" and asked["ascending"] == "0" and not asked["search"])
    return by_last and (name == "visits" or asked["limit"] <= FOUND_MAX)


def _counts(first: int) -> Iterator[int]:
    while first <= NEWEST_ROWS_MAX:
        yield first
        first *= _ROWS_MORE


def _before_ms(name: str, asked: Mapping[str, Any]) -> int:
    """The page has nothing that was done after it."""
    until_ms = _ms(asked["until"])
    if name == "visits":
        return min(until_ms, _ms(asked["before_ts"]))
    rank = asked["after_rank"]
    return until_ms if rank >= FIRST_RANK or rank > until_ms else max(int(rank), _ms(asked["since"]))


def _newest(ask: Ask, asked: Mapping[str, Any], before_ms: int, count: int) -> tuple[str, bool]:
    """When the newest `count` actions begin; or when the period does, and that these are all of them."""
    width_ms, since_ms = NEWEST_MS_MIN, _ms(asked["since"])
    while True:
        after_ms = max(before_ms - width_ms, since_ms)
        told = {"workspace": asked["workspace"], "after": _text(after_ms), "before": _text(before_ms), "count": count}
        found = ask(sql_text("reports/newest"), told)[1]
        if found:
            return instant(found[0][0]), False
        if after_ms == since_ms:
            return asked["since"], True
        width_ms *= _TIME_MORE


def _visits(ask: Ask, values: Mapping[str, Any], asked: Mapping[str, Any], newest: str, count: int) -> Any:
    """Those that began since then."""
    one = question("visits", values, newest=newest)
    assert isinstance(one, Question), "the same question was right a moment ago"
    return *ask(one.sql, one.parameters), True


def _persons(ask: Ask, values: Mapping[str, Any], asked: Mapping[str, Any], newest: str, count: int) -> Any:
    """Those whose last action was since then; where they are too many, the latest of them."""
    most = min(FOUND_MAX, max(count // _ROWS_A_PERSON, 1))
    told = {name: asked[name] for name in ("workspace", "since", "until", "bots")}
    told |= {"newest": newest, "before_ts": _text(_before_ms("persons", asked)), "limit": most + 1}
    first_page = asked["after_rank"] >= FIRST_RANK  # then nobody was there later, and the newest actions say enough
    actions, where = _ANY_VERSION if first_page else ("action_log FINAL", sql_text("reports/newest_devices").rstrip())
    found = ask(sql_text("reports/newest_persons").replace("$actions", actions).replace("$newest", where), told)[1]
    if not found:
        return REPORTS["persons"].columns, [], True
    one = question("persons", values, found=[person for person, _ in found[:most]])
    assert isinstance(one, Question), "the same question was right a moment ago"
    columns, rows = ask(one.sql, one.parameters)
    before_all_ms = found[most][1] if len(found) > most else _ms(newest) - 1  # whoever was there later is among them
    rank = one.columns.index("rank")
    return columns, [row for row in rows if row[rank] > before_all_ms], len(found) <= most


def _ms(moment: str) -> int:
    """Of a time as the warehouse takes it."""
    return ms_of(f"{moment}Z")


def _text(ms: int) -> str:
    return instant(iso(ms))


_PAGES = {"visits": _visits, "persons": _persons}
