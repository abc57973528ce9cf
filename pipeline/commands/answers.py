"""How a command that answers with a report is told, asks, refuses and prints; it must not know which command it is."""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pipeline.settings import Settings

if TYPE_CHECKING:
    from pipeline.report.asking import Ask, Row
    from pipeline.report.segments.condition import Condition

_DAYS = 28


def period(parser: argparse.ArgumentParser, *, segment: bool = True) -> None:
    """The flags for a time, a zone and a workspace; and for a segment, where it is not the command's own word."""
    parser.add_argument("--workspace", default="demo")
    if segment:
        parser.add_argument("--segment", default="", help="only of these persons")
    parser.add_argument("--from", dest="since", help="a day (UTC) or a time with an offset")
    parser.add_argument("--to", dest="until", help="the same; not included")
    parser.add_argument("--days", type=int, default=_DAYS, help=f"today and the days before it (default {_DAYS})")
    parser.add_argument("--zone", default="UTC", help="whose days: Europe/Berlin")
    parser.add_argument("--bots", action="store_true", help="count them too")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")


def values(arguments: argparse.Namespace) -> dict[str, Any]:
    """The parameters that every report has."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    until = today + timedelta(days=1)
    return {
        "workspace": arguments.workspace,
        "since": arguments.since or (until - timedelta(days=max(arguments.days, 1))).isoformat(),
        "until": arguments.until or until.isoformat(),
        "zone": arguments.zone,
        "bots": "1" if arguments.bots else "0",
    }


class Refused(Exception):
    """What was asked cannot be: lines for whoever asked."""


def asked(settings: Settings, work: Callable[["Ask"], None]) -> int:
    """0: answered. 1: the warehouse refused. 2: the question was none."""
    from pipeline.questions import QuestionRefused, questions

    try:
        with questions(settings) as ask:
            work(ask)
    except QuestionRefused as error:
        print(error, file=sys.stderr)
        return 1
    except Refused as refused:
        print(refused, file=sys.stderr)
        return 2
    return 0


def rows(ask: "Ask", name: str, values: Mapping[str, Any], segment: str, steps: Sequence[str] = ()) -> list["Row"]:
    """The rows of a report; Refused when there is no such question."""
    from pipeline.report import asking
    from pipeline.report.parameters import Problem
    from pipeline.report.segments.compile import compiled_step

    conditions = [_condition("--step", step, compiled_step(step, number)) for number, step in enumerate(steps)]
    found = asking.rows(ask, name, values, condition(ask, values["workspace"], segment), conditions)
    if isinstance(found, Problem):
        raise Refused(str(found))
    return found


def condition(ask: "Ask", workspace: str, segment: str) -> "Condition":
    """Of a segment or its name; Refused with the place and what was expected there."""
    from pipeline.report.saved import meant
    from pipeline.report.segments.compile import compiled

    text = meant(ask, workspace, segment)
    return _condition("segment", segment, compiled(text) if isinstance(text, str) else text)


def _condition(field: str, text: str, found: Any) -> "Condition":
    """Or the text, a caret under the place, and what was expected there."""
    from pipeline.report.segments.condition import Condition
    from pipeline.terminal import printable

    if isinstance(found, Condition):
        return found
    start = max(0, found.at - 60)
    raise Refused(
        f"{field}: {printable(text[start : start + 100])}\n{' ' * (len(field) + 2 + found.at - start)}^ {found}"
    )


def show(found: Sequence["Row"], columns: Sequence[str], as_json: bool) -> None:
    """A table, its head bold on a terminal; or JSON lines."""
    from pipeline import terminal

    cells = [[row[name] for name in columns] for row in found]
    for number, line in enumerate((terminal.json_lines if as_json else terminal.table)(columns, cells)):
        bold = number == 0 and not as_json and sys.stdout.isatty()
        print(f"\x1b[1m{line}\x1b[0m" if bold else line)


def figure(value: Any) -> str:
    """A number as people read it."""
    return f"{value:,.3f}" if isinstance(value, float) else f"{value:,}"
