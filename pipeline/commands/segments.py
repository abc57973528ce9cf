"""`segment`: who is in one, against whom, or all of them as a file; `segments`: their names. They must not know SQL."""

import argparse
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pipeline.commands.answers import Refused, asked, condition, figure, period, rows, show, values
from pipeline.commands.words import Words
from pipeline.questions import QuestionRefused
from pipeline.settings import Settings
from pipeline.times import iso

if TYPE_CHECKING:
    from pipeline.report.asking import Ask

_AUDIENCE = (
    *("person_id", "user_id", "user_ids", "first_action", "last_action", "actions", "devices", "conversions"),
    *("spent", "sites", "traits"),
)


def add(words: Words) -> None:
    """`segment`, `segments`."""
    segment = words.add("segment", _segment, "who is in a segment: how many, against whom, or all of them", "data")
    segment.add_argument("segment", help="device = phone and did(Order) within 30d")
    segment.add_argument("--against", metavar="SEGMENT", help="another, side by side")
    segment.add_argument("--export", choices=("csv", "ndjson"), help="everybody in it, to standard output")
    period(segment, segment=False)
    named = words.add("segments", _segments, "the segments that have a name, which --segment takes as @NAME", "data")
    named.add_argument("--save", metavar="NAME", help="give the segment that follows this name")
    named.add_argument("--drop", metavar="NAME", help="take the name away")
    named.add_argument("segment", nargs="?", default="")
    named.add_argument("--workspace", default="demo")
    named.add_argument("--json", action="store_true", help="one JSON object a line")


def _segments(arguments: argparse.Namespace, settings: Settings) -> int:
    """0: they are as asked. 1: the warehouse refused. 2: there is no such segment, or it can have no such name."""
    from pipeline.report.saved import saved

    def work(ask: "Ask") -> None:
        name = arguments.save or arguments.drop
        if name is not None:
            _name(ask, settings, arguments, name)
        found = saved(ask, arguments.workspace)
        show([{"name": f"@{n}", "segment": s} for n, s in found.items()], ("name", "segment"), arguments.json)

    return asked(settings, work)


def _name(ask: "Ask", settings: Settings, arguments: argparse.Namespace, name: str) -> None:
    """Save or drop it, once it is known to be right."""
    from pipeline.orders import OrderRefused, keep_segment
    from pipeline.report.saved import NAME_EXPECTED, Saved, is_name, saved

    if not is_name(name):
        raise Refused(f"expected a name of {NAME_EXPECTED}, got {name!r}")
    if arguments.drop is not None and name not in saved(ask, arguments.workspace):
        raise Refused(f"no segment is called @{name} in {arguments.workspace}")
    if arguments.save is not None:
        condition(ask, arguments.workspace, arguments.segment)
    now = iso(time.time_ns() // 1_000_000)
    try:
        keep_segment(
            settings, Saved(arguments.workspace, name, arguments.segment, now, dropped=arguments.drop is not None)
        )
    except OrderRefused as error:
        raise QuestionRefused(str(error)) from error


def _segment(arguments: argparse.Namespace, settings: Settings) -> int:
    def work(ask: "Ask") -> None:
        common = values(arguments)
        if arguments.export:
            _export(ask, common, arguments.segment, arguments.export)
            return
        sides = [arguments.segment, *([arguments.against] if arguments.against is not None else [])]
        found = [rows(ask, "overview", common, side)[0] for side in sides]
        if arguments.json:
            show(
                [{"segment": side, **row} for side, row in zip(sides, found, strict=True)], ("segment", *found[0]), True
            )
            return
        table = [{"": name, **dict(zip("AB", (figure(row[name]) for row in found), strict=False))} for name in found[0]]
        for letter, side in zip("AB", sides, strict=False):
            print(f"{letter}: {side or 'everybody'}")
        show(table, ("", *"AB"[: len(sides)]), False)

    return asked(settings, work)


def _export(ask: "Ask", common: Mapping[str, Any], segment: str, form: str) -> None:
    """Everybody, a page at a time; how many so far on a terminal's standard error."""
    from pipeline.report.asking import audience
    from pipeline.report.csv_text import csv_head, csv_lines
    from pipeline.terminal import json_lines

    rows(ask, "audience", {**common, "limit": 1}, segment)
    if form == "csv":
        sys.stdout.write(csv_head(_AUDIENCE))
    count = 0
    for page in audience(ask, common, condition(ask, common["workspace"], segment)):
        told = [{**row, "user_id": (row["user_ids"] or [""])[0]} for row in page]
        if form == "csv":
            sys.stdout.write(csv_lines(_AUDIENCE, told))
        else:
            for line in json_lines(_AUDIENCE, ([row[name] for name in _AUDIENCE] for row in told)):
                print(line)
        count += len(page)
        if sys.stderr.isatty():
            print(f"\r{count:,} persons", end="", file=sys.stderr, flush=True)
    if sys.stderr.isatty():
        print(file=sys.stderr)
