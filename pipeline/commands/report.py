"""The command that serves the report page alone; it must not know any page."""

import argparse

from pipeline.commands.words import Words
from pipeline.settings import Settings


def add(words: Words) -> None:
    """`report`."""
    words.add("report", _report, "journeys as a web page, beside a running `up` or a server", *_FLAGS)


_FLAGS = ("data", "host", "port", "sites")


def _report(_: argparse.Namespace, settings: Settings) -> int:
    from pipeline.report.web.serving import run_report

    return run_report(settings)
