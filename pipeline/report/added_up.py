"""Which reports can count days of devices that were added up, and the SQL that does; it must not ask anybody.

What has changed since a day was added up is counted from its rows, so both ways say the same; this one reads a fifth.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.limits import CHANGED_DAYS_MAX, CHANGED_PARTS_MAX
from pipeline.report.segments.condition import EVERYBODY, Condition
from pipeline.times import ms_of
from pipeline.warehouse.texts import sql_text

QUARTER_MS = 900_000  # what a day can be cut at; every time zone is shifted by whole ones
_SAME_TEXT = ("overview", "days", "visit_days", "handovers", "retention", "goals")
_REPORTS = {name: f"reports/{name}" for name in _SAME_TEXT} | {"cross_device": "device_days/cross_device"}
# Each may hold those after it.
_PIECES = ("sums", "spans", "firsts", "conversions", "named", "changed_rows", "within", "whole")


def countable(name: str, segment: Condition) -> bool:
    """Whether it is worth asking for `CHANGED`: a segment is of actions, and those have no days that were added up."""
    return name in _REPORTS and segment.sql == EVERYBODY.sql


def changed(row: Sequence[Any]) -> list[str] | None:
    """The parts that say what has changed, out of an answer to `device_days/changed`; None if too much has."""
    parts, days, months = row
    return None if months or days > CHANGED_DAYS_MAX or len(parts) > CHANGED_PARTS_MAX else list(parts)


def sql_of(name: str, segment: Condition, asked: Mapping[str, Any]) -> str:
    """The SQL of the report over days that were added up; "" where it can only be over actions."""
    if not countable(name, segment) or any(ms_of(f"{asked[end]}Z") % QUARTER_MS for end in ("since", "until")):
        return ""
    sql = sql_text(_REPORTS[name])
    for piece in _PIECES:
        sql = sql.replace(f"${piece}", sql_text(f"device_days/{piece}").rstrip())
    return sql
