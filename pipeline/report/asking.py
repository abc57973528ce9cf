"""Puts a report's question to whoever answers, and names the columns of what comes back; it must not know any SQL."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from pipeline.identity.ids import user_person
from pipeline.limits import FOUND_MAX
from pipeline.report import added_up, newest
from pipeline.report.parameters import Problem
from pipeline.report.reports import Question, about_one, question, whom
from pipeline.report.segments.condition import EVERYBODY, Condition
from pipeline.report.whose import Whose, whose
from pipeline.warehouse.texts import sql_text

Row = dict[str, Any]
KNOWN_MAX = 500  # persons whose names are asked for at once: their IDs travel in one address


class Ask(Protocol):
    """SQL and parameters in; columns and rows out. `pipeline.questions` has one."""

    def __call__(self, sql: str, parameters: Mapping[str, Any]) -> tuple[list[str], list[list[Any]]]:
        """Ask."""


def rows(
    ask: Ask,
    name: str,
    values: Mapping[str, Any],
    segment: Condition = EVERYBODY,
    steps: Sequence[Condition] = (),
) -> list[Row] | Problem:
    """The rows of a report.

    About one person `values` may have, as `whose`, what `whose(...)` told of them; else it is asked first.
    """
    if page := newest.page(ask, name, values, segment):
        return _named(*page)
    changed = None
    if added_up.countable(name, segment):
        changed = added_up.changed(ask(sql_text("device_days/changed"), {})[1][0])
    found = None
    if search := whom(name, values):  # by itself: in the report it would be worked out for every place that names it
        found = ask(search.sql, search.parameters)[1][0][0]
        found = found if len(found) <= FOUND_MAX else None
    theirs = told if isinstance(told := values.get("whose"), Whose) else None
    asked = question(name, values, segment, steps, changed=changed, found=found, whose=theirs)
    if isinstance(asked, Question) and theirs is None and about_one(name):
        theirs = whose(ask, asked.parameters["workspace"], asked.parameters["person"])
        asked = question(name, values, segment, steps, whose=theirs)
    if isinstance(asked, Problem):
        return asked
    return _named(*ask(asked.sql, asked.parameters)) if found != [] else []


def _named(columns: Sequence[str], lines: Sequence[Sequence[Any]]) -> list[Row]:
    return [dict(zip(columns, line, strict=True)) for line in lines]


def find(ask: Ask, values: Mapping[str, Any], search: str) -> list[Row] | Problem:
    """Who goes by exactly this user ID, or was on exactly this device: to be asked before everything is searched."""
    person = user_person(str(values.get("workspace", "")), search)
    return rows(ask, "find", {**values, "search": search, "user_person": person})


def known(ask: Ask, values: Mapping[str, Any], persons: Sequence[str]) -> dict[str, Row]:
    """What is known of these persons over all time, by their ID."""
    found: dict[str, Row] = {}
    for start in range(0, len(persons), KNOWN_MAX):
        part = rows(ask, "known", {**values, "persons": persons[start : start + KNOWN_MAX]})
        found |= {row["person_id"]: row for row in part} if not isinstance(part, Problem) else {}
    return found


def audience(ask: Ask, values: Mapping[str, Any], segment: Condition, page: int = 5_000) -> Iterator[list[Row]]:
    """Everybody in the segment with what is known of them, a page at a time, however many they are.

    `values` are right: ask `rows(ask, "audience", ...)` first, which says what is not.
    """
    after: dict[str, Any] = {}
    while True:
        found = rows(ask, "audience", {**values, **after, "limit": page}, segment)
        if isinstance(found, Problem) or not found:
            return
        names = known(ask, values, [row["person_id"] for row in found])
        yield [{**row, **_names(names.get(row["person_id"], {}))} for row in found]
        if len(found) < page:
            return
        after = {"after_person": found[-1]["person_id"]}


def _names(row: Mapping[str, Any]) -> Row:
    """Of somebody who was forgotten a moment ago nothing is known."""
    return {name: row.get(name, empty) for name, empty in (("user_ids", []), ("sites", []), ("traits", {}))}
