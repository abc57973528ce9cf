"""Commands by which an operator says who is one person; they must not know who resolves it."""

import argparse
import json
import sys
import time
import uuid

from pipeline.commands.words import Words
from pipeline.identity.ids import legal_id
from pipeline.model import Alias
from pipeline.settings import Settings
from pipeline.times import iso

_VISIBLE_WITHIN_S = 60


def add(words: Words) -> None:
    """`alias`, `unalias`."""
    for name, run, about in (
        ("alias", _alias, "state that two user IDs are one person, over whatever trackers say"),
        ("unalias", _unalias, "withdraw that two user IDs are one person: as if it had never been said"),
    ):
        command = words.add(name, run, about, "data")
        command.add_argument("user_id")
        command.add_argument("previous_id")
        command.add_argument("--workspace", default="demo")
        command.add_argument("--json", action="store_true", help="how they stand, as one JSON object")


def _alias(arguments: argparse.Namespace, settings: Settings) -> int:
    return _state(arguments, settings, withdrawn=False)


def _unalias(arguments: argparse.Namespace, settings: Settings) -> int:
    return _state(arguments, settings, withdrawn=True)


def _state(arguments: argparse.Namespace, settings: Settings, withdrawn: bool) -> int:
    """0: reports show what was stated. 1: they do not, and why. 2: these are no two user IDs."""
    from pipeline.orders import OrderRefused, state
    from pipeline.questions import QuestionRefused, questions
    from pipeline.standing import Standing, as_json

    one, other = legal_id(arguments.user_id), legal_id(arguments.previous_id)
    if not one or not other or one == other:
        print("expected two different user IDs, neither of them a word for nobody", file=sys.stderr)
        return 2
    statement = _statement(arguments.workspace, one, other, withdrawn)
    try:
        with questions(settings) as ask:
            standing = Standing(ask, arguments.workspace, one, other)
            if withdrawn and not standing.said()[0]:
                print(_nothing_said(standing.logins(), one, other), file=sys.stderr)
                return 1
            state(settings, statement)
            if not standing.settled(statement.event_id, _VISIBLE_WITHIN_S):
                print(f"stated, and not visible within {_VISIBLE_WITHIN_S} s: does the sink run?", file=sys.stderr)
                return 1
            print(json.dumps(as_json(standing)) if arguments.json else standing.sentence())
            return 0 if standing.one_person() != withdrawn else 1
    except (QuestionRefused, OrderRefused) as error:
        print(error, file=sys.stderr)
        return 1


def _statement(workspace: str, one: str, other: str, withdrawn: bool) -> Alias:
    now = iso(time.time_ns() // 1_000_000)
    return Alias(
        workspace=workspace,
        event_id=str(uuid.uuid4()),
        ts=now,
        received_at=now,
        user_id=one,
        previous_id=other,
        withdrawn=withdrawn,
        authority="operator",
    )


def _nothing_said(logins: int, one: str, other: str) -> str:
    if logins:
        return (
            f"nobody stated that {one} and {other} are one person: one of them is a device the other signed in on. "
            "That is a login, not a statement; `seamline forget` erases it"
        )
    return f"nobody ever stated that {one} and {other} are one person"
