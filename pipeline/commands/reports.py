"""Commands that answer with a report: which one, of which time and of whom; they must not know how it is worked out."""

import argparse
import sys
from typing import TYPE_CHECKING

from pipeline.commands.answers import Refused, asked, figure, period, rows, show, values
from pipeline.commands.words import Words
from pipeline.settings import Settings

if TYPE_CHECKING:
    from pipeline.report.asking import Ask

_PERSONS = ("user_ids", "person_id", "devices", "actions", "known", "first_action", "last_action", "traits")
_KNOWN = ("user_ids", "traits", "first_seen", "last_seen")  # over all time
_VISITS = ("started_at", "minutes", "who", "device", "actions", "entry_url", "exit_url", "campaign_source", "spent")


def add(words: Words) -> None:
    """`overview`, `persons`, `visits`, `reports`."""
    overview = words.add("overview", _overview, "actions, devices, persons, and what stitching changed", "data")
    persons = words.add("persons", _persons, "who was there, by a user ID, device, event ID, or trait", "data")
    persons.add_argument("search", nargs="?", default="")
    persons.add_argument("--sort", default="last", help="last, first, actions, devices, or conversions")
    persons.add_argument("--limit", default=50)
    visits = words.add("visits", _visits, "the visits log, the latest first", "data")
    visits.add_argument("--limit", default=50)
    reports = words.add("reports", _reports, "any report by name; without a name, which there are", "data")
    reports.add_argument("name", nargs="?")
    reports.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a parameter of the report")
    reports.add_argument("--step", action="append", default=[], help="of a funnel: a name, a /path, or conditions")
    for parser in (overview, persons, visits, reports):
        period(parser)


def _overview(arguments: argparse.Namespace, settings: Settings) -> int:
    def work(ask: "Ask") -> None:
        (row,) = rows(ask, "overview", values(arguments), arguments.segment)
        if arguments.json:
            show([row], tuple(row), True)
            return
        print(f"{row['devices']:,} devices are {row['persons']:,} persons.")
        show([{"": name, "figure": figure(value)} for name, value in row.items()], ("", "figure"), False)

    return asked(settings, work)


def _persons(arguments: argparse.Namespace, settings: Settings) -> int:
    def work(ask: "Ask") -> None:
        from pipeline.report.asking import known

        told = values(arguments) | {name: getattr(arguments, name) for name in ("search", "sort", "limit")}
        found = rows(ask, "persons", told, arguments.segment)
        names = known(ask, told, [row["person_id"] for row in found])
        for row in found:
            row |= {name: names.get(row["person_id"], {}).get(name) for name in _KNOWN}
            if not arguments.json:
                row["known"] = f"{1 - row['anonymous'] / row['actions']:.0%}"
        show(found, tuple(found[0]) if arguments.json and found else _PERSONS, arguments.json)
        _nobody(not found, f"nobody matches {arguments.search!r}" if arguments.search else "nobody in this period")

    return asked(settings, work)


def _visits(arguments: argparse.Namespace, settings: Settings) -> int:
    def work(ask: "Ask") -> None:
        found = rows(ask, "visits", values(arguments) | {"limit": arguments.limit}, arguments.segment)
        for row in found if not arguments.json else []:
            row["who"] = " ".join(row["user_ids"]) or row["person_id"]
            row["minutes"] = row["duration_ms"] // 60_000
        show(found, tuple(found[0]) if arguments.json and found else _VISITS, arguments.json)
        _nobody(not found, "no visits in this period")

    return asked(settings, work)


def _reports(arguments: argparse.Namespace, settings: Settings) -> int:
    from pipeline.report.catalogue import REPORTS

    if arguments.name is None:
        show([{"report": one.name, "says": one.about} for one in REPORTS.values()], ("report", "says"), arguments.json)
        return 0
    more: dict[str, object] = dict(one.partition("=")[::2] for one in arguments.set)
    if "persons" in more:
        more["persons"] = str(more["persons"]).split(",")

    def work(ask: "Ask") -> None:
        report = REPORTS.get(arguments.name)
        taken = [parameter.name for parameter in report.parameters] if report else list(more)
        if strangers := sorted(set(more) - set(taken)):
            raise Refused(f"--set: expected one of {', '.join(taken) or 'nothing'}, got {strangers[0]!r}")
        found = rows(ask, arguments.name, values(arguments) | more, arguments.segment, arguments.step)
        show(found, REPORTS[arguments.name].columns, arguments.json)

    return asked(settings, work)


def _nobody(empty: bool, sentence: str) -> None:
    if empty:
        print(sentence, file=sys.stderr)
