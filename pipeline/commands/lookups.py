"""Commands that ask the warehouse and print the answer; they must not know who holds it."""

import argparse
import sys

from pipeline.commands.words import Words
from pipeline.identity.ids import user_person
from pipeline.settings import Settings


def add(words: Words) -> None:
    """`query`, `journey`."""
    query = words.add("query", _query, "put SQL to the warehouse", "data")
    query.add_argument("sql")
    query.add_argument("--json", action="store_true", help="one JSON object a line")
    journey = words.add("journey", _journey, "everything one person did, across devices", "data")
    journey.add_argument("user_id")
    journey.add_argument("--workspace", default="demo")
    journey.add_argument("--json", action="store_true", help="one JSON object a line")


def _query(arguments: argparse.Namespace, settings: Settings) -> int:
    return show(settings, arguments.sql, {}, arguments.json)


def _journey(arguments: argparse.Namespace, settings: Settings) -> int:
    person = user_person(arguments.workspace, arguments.user_id)
    return show(settings, "SELECT * FROM journey(person = {person:UUID})", {"person": person}, arguments.json, person)


def show(settings: Settings, sql: str, parameters: dict[str, str], as_json: bool, person: str = "") -> int:
    """Print the answer: a table, JSON lines, or the timeline of `person`. 1: refused, or nobody."""
    from pipeline import terminal
    from pipeline.questions import QuestionRefused, questions

    try:
        with questions(settings) as ask:
            columns, rows = ask(sql, parameters)
    except QuestionRefused as error:
        print(error, file=sys.stderr)
        return 1
    if as_json:
        lines = terminal.json_lines(columns, rows)
    elif person:
        lines = terminal.journey([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        lines = terminal.table(columns, rows)
    for line in lines:
        print(line)
    if person and not rows:
        print(f"nobody with this user ID in this workspace (person {person})", file=sys.stderr)
        return 1
    return 0
