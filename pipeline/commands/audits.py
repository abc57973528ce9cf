"""Commands that hold the rows against the facts, and say why a row is whose it is; they must not know the rules."""

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.commands.words import Words
from pipeline.identity.policy import Policy
from pipeline.settings import Settings

if TYPE_CHECKING:
    from pipeline.audit.policy import AuditPolicy
    from pipeline.questions import Questions


def add(words: Words) -> None:
    """`audit`, `restitch`, `explain`."""
    audit = words.add("audit", _audit, "work out every attribution once more from the facts, and compare", "data")
    audit.add_argument("--workspace", default="", help="only this one (default: all)")
    audit.add_argument("--policy", metavar="FILE", help="say instead what this policy (YAML) would change")
    audit.add_argument("--json", action="store_true", help="one JSON object")
    words.add(
        "restitch", _restitch, "give every row its person by the policy now in force, and print what changed", "data"
    )
    explain = words.add("explain", _explain, "why an action belongs to whom it does, and to whom it did", "data")
    explain.add_argument("event_id")
    explain.add_argument("--workspace", default="", help="only this one (default: all)")
    explain.add_argument("--json", action="store_true", help="one JSON object a line")


def _audit(arguments: argparse.Namespace, settings: Settings) -> int:
    """0: no difference, or the effect of a policy. 1: differences, or no answer. 2: no such policy."""
    from pipeline.audit.policy import AuditPolicy, PolicyError, parse
    from pipeline.questions import QuestionRefused, questions

    policy = AuditPolicy(_numbers(settings))
    try:
        if arguments.policy is not None:
            policy = parse(Path(arguments.policy).read_text(encoding="utf-8"), policy.numbers)
    except (OSError, UnicodeDecodeError, PolicyError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        print(f"--policy: expected a policy file, got {arguments.policy!r}: {why}", file=sys.stderr)
        return 2
    try:
        with questions(settings) as ask:
            if arguments.policy is not None:
                return _effect(ask, policy, arguments)
            return _check(ask, policy, arguments)
    except QuestionRefused as error:
        print(error, file=sys.stderr)
        return 1


def _check(ask: "Questions", policy: "AuditPolicy", arguments: argparse.Namespace) -> int:
    from pipeline.audit import told
    from pipeline.audit.check import check

    found = check(ask, policy, arguments.workspace)
    _print(found, told.checked(found), arguments.json)
    if found.differing:
        print("rows differ from what the facts say: `seamline explain EVENT_ID` shows why", file=sys.stderr)
    return 1 if found.differing else 0


def _effect(ask: "Questions", policy: "AuditPolicy", arguments: argparse.Namespace) -> int:
    from pipeline.audit import told
    from pipeline.audit.effect import effect

    found = effect(ask, policy, arguments.workspace)
    _print(found, told.effect(found), arguments.json)
    return 0


def _restitch(_: argparse.Namespace, settings: Settings) -> int:
    """0: every row is as the facts have it. 1: why not."""
    from pipeline.orders import OrderRefused, restitch_all

    try:
        print(json.dumps(restitch_all(settings)))
    except OrderRefused as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _explain(arguments: argparse.Namespace, settings: Settings) -> int:
    """1: no such event, or no answer."""
    from pipeline.audit import told
    from pipeline.audit.explanation import explain
    from pipeline.audit.policy import AuditPolicy
    from pipeline.questions import QuestionRefused, questions

    known = False
    try:
        with questions(settings) as ask:
            for found in explain(ask, AuditPolicy(_numbers(settings)), arguments.event_id, arguments.workspace):
                _print(found, told.explanation(found), arguments.json)
                known = True
    except QuestionRefused as error:
        print(error, file=sys.stderr)
        return 1
    if not known:
        place = f" in workspace {arguments.workspace!r}" if arguments.workspace else ""
        print(f"no action has the event ID {arguments.event_id!r}{place}", file=sys.stderr)
    return 0 if known else 1


def _numbers(settings: Settings) -> Policy:
    """The rules' numbers that are in force."""
    stitch = settings.stitch
    return Policy(lookback_ms=stitch.lookback_ms, users_per_device_max=stitch.users_per_device_max)


def _print(found: Any, lines: Iterable[str], as_json: bool) -> None:
    import msgspec

    for line in [json.dumps(msgspec.to_builtins(found))] if as_json else lines:
        print(line)
