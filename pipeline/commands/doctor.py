"""The command that lists what guards noticed, and what would stop it; it must not know what a guard looks for."""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from pipeline.commands.words import Words
from pipeline.settings import Settings

if TYPE_CHECKING:
    from pipeline.suspects import Found

_ABOUT = (
    "IDs that look wrong, with counts and the setting that would stop each; exits 1 if there are any, 0 if there is "
    "nothing but devices that several users share"
)


def add(words: Words) -> None:
    """`doctor`."""
    doctor = words.add("doctor", _doctor, _ABOUT, "data")
    doctor.add_argument("--workspace", default="", help="only this one (default: all)")
    doctor.add_argument("--json", action="store_true", help="one JSON object")


def _doctor(arguments: argparse.Namespace, settings: Settings) -> int:
    """0: nothing out of the ordinary. 1: suspects, or no answer."""
    import msgspec

    from pipeline.questions import QuestionRefused, questions
    from pipeline.suspects import ORDINARY, Numbers, found

    numbers = Numbers(settings.stitch.lookback_ms, settings.stitch.users_per_device_max)
    try:
        with questions(settings) as ask:
            guards = list(found(ask, numbers, arguments.workspace))
    except QuestionRefused as error:
        print(error, file=sys.stderr)
        return 1
    lines = [json.dumps({"guards": msgspec.to_builtins(guards)})] if arguments.json else _told(guards)
    for line in lines:
        print(line)
    for guard in guards:
        if guard.unanswered:
            print(f"{guard.guard}: not looked at: {guard.unanswered}", file=sys.stderr)
    return 1 if any(guard.unanswered or (guard.number and guard.guard not in ORDINARY) for guard in guards) else 0


def _told(guards: Sequence["Found"]) -> Iterator[str]:
    from pipeline.suspects import GUARDS
    from pipeline.terminal import printable

    for guard in guards:
        if guard.number:
            yield f"{guard.guard}: {guard.number:,} ({GUARDS[guard.guard]})"
        for suspect in guard.worst:
            place = f"{suspect.workspace}/{suspect.site_id}" if suspect.site_id else suspect.workspace
            when = f"{suspect.first_seen[:16]} to {suspect.last_seen[:16]}"
            yield printable(f"  {place}  {suspect.id}  {suspect.what}, {when}")
            yield printable(f"      {suspect.setting}")
        if guard.number > len(guard.worst):
            yield f"  and {guard.number - len(guard.worst):,} more"
    if not any(guard.number or guard.unanswered for guard in guards):
        yield "nothing to see"
