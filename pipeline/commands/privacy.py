"""Commands about one person's data: tell what is known, forget it; they must not know where it is."""

import argparse
import json
import sys

from pipeline.commands.words import Words
from pipeline.settings import Settings


def add(words: Words) -> None:
    """`export`, `forget`."""
    export = words.add("export", _export, "everything known of one person, as one JSON document", "data")
    export.add_argument("user_id")
    export.add_argument("--workspace", default="demo")
    forget = words.add("forget", _forget, "erase one person for good, and print what was done", "data")
    forget.add_argument("name", metavar="USER", help="a user ID; with --device, an anonymous ID")
    forget.add_argument("--device", action="store_true", help="the name is a device that nobody signed in on")
    forget.add_argument("--workspace", default="demo")


def _export(arguments: argparse.Namespace, settings: Settings) -> int:
    """1: nobody is known by that user ID."""
    from pipeline.privacy.export import export
    from pipeline.questions import QuestionRefused, questions

    try:
        with questions(settings) as ask:
            document = export(ask, arguments.workspace, arguments.user_id)
    except QuestionRefused as error:
        print(error, file=sys.stderr)
        return 1
    if document["person"] is None and not document["aliases"]:
        print("nobody with this user ID in this workspace", file=sys.stderr)
        return 1
    print(json.dumps(document, indent=1, ensure_ascii=False))
    return 0


def _forget(arguments: argparse.Namespace, settings: Settings) -> int:
    """0: nothing of theirs is left. 1: why not."""
    from pipeline.orders import OrderRefused, forget_them
    from pipeline.privacy.forget import Request

    which = {"anonymous_id": arguments.name} if arguments.device else {"user_id": arguments.name}
    try:
        certificate = forget_them(settings, Request(arguments.workspace, **which))
    except OrderRefused as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(certificate, indent=1))
    return 0
