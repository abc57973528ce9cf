"""How a command is declared: its name, what it runs, its flags; it must not know which commands there are."""

import argparse
from collections.abc import Callable

from pipeline.settings import Settings

Command = Callable[[argparse.Namespace, Settings], int]
FLAGS = {
    "data": "the folder for everything this machine keeps (SEAMLINE_DATA)",
    "host": "the address to listen on (SEAMLINE_HOST)",
    "port": "the port to listen on (SEAMLINE_PORT)",
    "sites": "the sites file (SEAMLINE_SITES)",
}


class Words:
    """The commands of a parser."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self._commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(self, name: str, run: Command, about: str, *flags: str) -> argparse.ArgumentParser:
        """A command that calls `run`; `flags` are names of FLAGS, which override settings."""
        made = self._commands.add_parser(name, help=about, description=about)
        made.set_defaults(run=run)
        for flag in flags:
            made.add_argument(f"--{flag}", metavar=flag.upper(), help=FLAGS[flag])
        return made
