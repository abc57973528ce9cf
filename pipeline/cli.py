"""The `seamline` command: words to settings to the stage that is meant; it must not know how a stage works."""

import argparse
import asyncio
import sys
from collections.abc import Callable, Sequence

from pipeline import __version__
from pipeline.identity.ids import user_person
from pipeline.settings import PREFIX, Settings, SettingsError, load_settings

_OVERRIDES = {"data": "DATA", "host": "HOST", "port": "PORT", "sites": "SITES"}
Command = Callable[[argparse.Namespace, Settings], int]


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
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Command, about: str, *flags: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=about, description=about)
        made.set_defaults(run=run)
        for flag in flags:
            made.add_argument(f"--{flag}", metavar=flag.upper(), help=_FLAGS[flag])
        return made

    command("up", _up, "every stage in one place, on one directory", "data", "host", "port", "sites")
    demo = command(
        "demo", _demo, "replay a recorded day, print what was stitched, serve a shop", "data", "host", "port"
    )
    demo.add_argument("--exit", action="store_true", help="end after printing")
    command("ingest", _ingest, "HTTP to the log", "data", "host", "port", "sites")
    command("stitch", _stitch, "hits on Kafka to stitched actions: a Faust worker", "data")
    command("sink", _sink, "stitched actions on Kafka to ClickHouse", "data")
    command("migrate", _migrate, "create topics, tables and views, or bring them up to date", "data")
    query = command("query", _query, "put SQL to the warehouse", "data")
    query.add_argument("sql")
    query.add_argument("--json", action="store_true", help="one JSON object a line")
    journey = command("journey", _journey, "everything one person did, across devices", "data")
    journey.add_argument("user_id")
    journey.add_argument("--workspace", default="demo")
    journey.add_argument("--json", action="store_true", help="one JSON object a line")
    hidden = command("pseudonym", _pseudonym, "a user ID as a site's key hides it, to look a person up", "sites")
    hidden.add_argument("user_id")
    hidden.add_argument("--site", help="which site's key (default: the only site's)")
    trackers = command("trackers", _trackers, "what to paste so that a tracker sends here", "host", "port", "sites")
    trackers.add_argument("--site", help="only this site (default: all of them)")
    trackers.add_argument("--url", help="how trackers reach this place (default: what ingest listens on)")
    command("check", _check, "print the resolved settings, secrets masked", "data", "host", "port", "sites")
    return parser


_FLAGS = {
    "data": "the folder for everything this machine keeps (SEAMLINE_DATA)",
    "host": "the address to listen on (SEAMLINE_HOST)",
    "port": "the port to listen on (SEAMLINE_PORT)",
    "sites": "the sites file (SEAMLINE_SITES)",
}


def _up(_: argparse.Namespace, settings: Settings) -> int:
    from pipeline.up.run import run_up

    return run_up(settings)


def _demo(arguments: argparse.Namespace, settings: Settings) -> int:
    from pipeline.demo.run import run_demo

    return asyncio.run(run_demo(settings, exit_after=arguments.exit, keep=arguments.data is not None))


def _ingest(_: argparse.Namespace, settings: Settings) -> int:
    from pipeline.stages import run_ingest

    return run_ingest(settings)


def _stitch(_: argparse.Namespace, settings: Settings) -> int:
    from pipeline.stages import run_stitch

    return run_stitch(settings)


def _sink(_: argparse.Namespace, settings: Settings) -> int:
    from pipeline.stages import run_sink

    return run_sink(settings)


def _migrate(_: argparse.Namespace, settings: Settings) -> int:
    from pipeline.stages import run_migrate

    return run_migrate(settings)


def _query(arguments: argparse.Namespace, settings: Settings) -> int:
    return _show(settings, arguments.sql, {}, arguments.json)


def _journey(arguments: argparse.Namespace, settings: Settings) -> int:
    person = user_person(arguments.workspace, arguments.user_id)
    return _show(settings, "SELECT * FROM journey(person = {person:UUID})", {"person": person}, arguments.json, person)


def _trackers(arguments: argparse.Namespace, settings: Settings) -> int:
    """1 when there is no such site."""
    from pipeline.snippets import snippets

    url = (arguments.url or f"http://{settings.ingest.host}:{settings.ingest.port}").rstrip("/")
    chosen = [p for p in settings.sites.published if arguments.site in (None, p.site.site_id)]
    for published in chosen:
        print(f"# workspace {published.site.workspace}, site {published.site.site_id}")
        for snippet in snippets(published, url):
            print(f"\n## {snippet.title}\n{snippet.text}")
        print()
    if not chosen:
        print(f"--site: expected a site of the sites file, got {arguments.site!r}", file=sys.stderr)
    return 0 if chosen else 1


def _pseudonym(arguments: argparse.Namespace, settings: Settings) -> int:
    """1 when there is no such site, or its user IDs are what they are."""
    from pipeline.protocols.pseudonyms import pseudonym

    found = [s for s in settings.sites.sites if arguments.site in (None, s.site_id)]
    if len(found) != 1 or found[0].policy.pseudonyms is None:
        print("--site: expected one site with `pseudonyms` in its policy", file=sys.stderr)
        return 1
    print(pseudonym(found[0].policy.pseudonyms, found[0].workspace, "user_id", arguments.user_id.strip()))
    return 0


def _show(settings: Settings, sql: str, parameters: dict[str, str], as_json: bool, person: str = "") -> int:
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


def _check(_: argparse.Namespace, settings: Settings) -> int:
    width = max(len(name) for name, _, _ in settings.shown)
    for name, value, sentence in settings.shown:
        print(f"{name.ljust(width)}  {value or '(none)'}  # {sentence}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
