"""The `seamline` command: words to settings to what is meant; it must not know what a command does."""

import argparse
import sys
from collections.abc import Sequence

from pipeline import __version__
from pipeline.commands import aliases, audits, doctor, lookups, privacy, report, reports, segments, site, stages
from pipeline.commands.words import Command, Words
from pipeline.settings import PREFIX, SettingsError, load_settings

_THEMES = (stages, report, lookups, reports, segments, site, aliases, privacy, audits, doctor)
_OVERRIDES = {"data": "DATA", "host": "HOST", "port": "PORT", "sites": "SITES"}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; its exit code. 2: the command or a setting was not understood."""
    arguments = _parser().parse_args(argv)
    given = {PREFIX + name: getattr(arguments, flag, None) for flag, name in _OVERRIDES.items()}
    try:
        settings = load_settings(overrides={name: str(text) for name, text in given.items() if text is not None})
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    run: Command = arguments.run
    try:
        return run(arguments, settings)
    except BrokenPipeError:  # the reader of our output has seen enough
        sys.stderr.close()
        return 0
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="seamline", description="One journey per person, across devices.")
    parser.add_argument("--version", action="version", version=f"seamline {__version__}")
    words = Words(parser)
    for theme in _THEMES:
        theme.add(words)
    return parser


if __name__ == "__main__":
    sys.exit(main())
