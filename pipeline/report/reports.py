"""A report's name, what is asked of it and of whom, put together as SQL and parameters; it must not ask anybody."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct, structs

from pipeline.limits import FOUND_MAX, FUNNEL_STEPS_MAX
from pipeline.report import added_up
from pipeline.report.catalogue import REPORTS, Report
from pipeline.report.parameters import SORTS, Parameter, Problem, checked
from pipeline.report.segments.condition import EVERYBODY, Condition
from pipeline.report.whose import Whose, with_whose
from pipeline.warehouse.texts import sql_text

COMMON = (
    Parameter("workspace", "name"),
    Parameter("since", "instant"),
    Parameter("until", "instant"),
    Parameter("zone", "zone", "UTC"),
    Parameter("bots", "flag", "0"),
)
# What persons are sorted by: `sort` chooses one of these, and no other is worked out.
_RANKS = {
    "last": "toUnixTimestamp64Milli(max(ts))",
    "first": "toUnixTimestamp64Milli(min(ts))",
    "actions": "count()",
    "devices": "uniqExact(device_key)",
    "conversions": "count(revenue)",
}


_FOUND = "{found:Array(UUID)}"
# Of which persons a question is that has found out first who they are.
_FEW = {"persons": "page.1", "persons_found": _FOUND, "known": "{persons:Array(UUID)}"}


class Question(Struct, frozen=True):
    """What to put to the warehouse, and the columns that will come."""

    sql: str
    parameters: dict[str, Any]
    columns: tuple[str, ...]


def question(
    name: str,
    values: Mapping[str, Any],
    segment: Condition = EVERYBODY,
    steps: Sequence[Condition] = (),
    *,
    changed: Sequence[str] | None = None,
    found: Sequence[str] | None = None,
    newest: str | None = None,
    whose: Whose | None = None,
) -> Question | Problem:
    """The question to put to the warehouse, or the first thing that is wrong with it.

    `segment` is `compiled(...)` of a segment, `steps` (of a funnel) are `compiled_step(...)` each. `changed`: the parts
    that say which days of devices have changed since they were added up; None counts every action by itself.
    `found`: the persons whom `whom(...)` found; None looks for them in the same question. `newest`: of `visits`, only
    those that began since then, as the warehouse takes a time. `whose`: what is known of the `person` already; None
    looks for them in the same question.
    """
    if name not in REPORTS:
        return Problem("report", f"one of {', '.join(REPORTS)}")
    report = REPORTS[name]
    if segment.sql != EVERYBODY.sql and not report.segmented:
        return Problem("segment", f"none: {name} is not about many persons")
    if (name == "funnel" and not steps) or len(steps) > FUNNEL_STEPS_MAX:
        return Problem("step", f"1 to {FUNNEL_STEPS_MAX} steps: Order, /basket, or conditions on one action")
    asked: dict[str, Any] = {}
    for parameter in (*COMMON, *report.parameters):
        value = checked(parameter, values)
        if isinstance(value, Problem):
            return value
        asked[parameter.name] = value
    if asked["since"] >= asked["until"]:
        return Problem("until", f"a time after {asked['since']}")
    if changed is not None and (counting := added_up.sql_of(name, segment, asked)):
        return Question(counting, {**asked, "changed": list(changed)}, report.columns)
    if found is not None:
        asked["found"] = list(found)
    if name == "visits":
        asked["newest"] = newest or asked["since"]
    if whose is not None:
        asked |= whose.parameters
    made = _put_together(report, asked, segment, steps, newest=newest is not None)
    return structs.replace(made, sql=with_whose(made.sql, whose))


def whom(name: str, values: Mapping[str, Any]) -> Question | None:
    """Whom a search finds, to be asked before the report itself: one row of one array, of at most FOUND_MAX + 1 IDs.

    None where nobody is searched for, or what is asked is wrong.
    """
    asked = question(name, values)
    if name != "persons" or not isinstance(asked, Question) or not asked.parameters["search"]:
        return None
    sql = f"SELECT arraySlice({sql_text('reports/found').rstrip()}, 1, {FOUND_MAX + 1}) AS found"
    return Question(sql, {name: asked.parameters[name] for name in ("workspace", "search")}, ("found",))


def about_one(name: str) -> bool:
    """Whether it is a report about one `person`."""
    return any(parameter.name == "person" for parameter in REPORTS[name].parameters)


def _put_together(
    report: Report, asked: dict[str, Any], segment: Condition, steps: Sequence[Condition], *, newest: bool
) -> Question:
    """All SQL comes from files and the compiler's constants; whatever was said stands in the parameters."""
    few = "found" in asked and segment.sql == EVERYBODY.sql
    sql = sql_text(f"reports/{report.name}{'_found' * few}").replace("$rank", _RANKS[asked.get("sort", SORTS[0])])
    sql = sql.replace("$figures", sql_text("reports/figures").rstrip())
    looked_for = bool(asked.get("search"))
    whom_sql = _FOUND if "found" in asked else sql_text("reports/found").rstrip()
    sql = sql.replace("$found", f"{whom_sql} AS found," if looked_for else "")
    sql = sql.replace("$searched", sql_text("reports/searched").rstrip() if looked_for else "true")
    for piece in ("sums", "spans", "named"):
        sql = sql.replace(f"${piece}", sql_text(f"reports/{piece}").rstrip())
    sql = sql.replace("$counted", sql_text("reports/counted").rstrip()).replace("$segment", segment.sql)
    sql = sql.replace("$newest", sql_text("reports/newest_devices").rstrip() if newest else "true")
    sql = sql.replace("$known_rows", sql_text(f"reports/known_rows{'_of_one' * ('members' in asked)}").rstrip())
    for piece in ("theirs", "few_rows", "few_devices"):
        sql = sql.replace(f"${piece}", sql_text(f"reports/{piece}").rstrip())
    sql = sql.replace("$few", _FEW.get("persons_found" if few else report.name, ""))
    sql = sql.replace("$steps", f"[{', '.join(step.sql for step in steps)}]")
    parameters = dict(asked)
    for condition in (segment, *steps):
        parameters |= condition.parameters
    return Question(sql, parameters, report.columns)
