"""Commands that run stages, together or alone; they must not know how a stage works."""

import argparse
import asyncio

from pipeline.commands.words import Words
from pipeline.limits import SECOND_MS
from pipeline.settings import Settings


def add(words: Words) -> None:
    """`up`, `demo`, `ingest`, `stitch`, `sink`, `migrate`, `replay`, `drain`, `check`."""
    words.add("up", _up, "every stage in one place, on one directory", "data", "host", "port", "sites")
    demo = words.add(
        "demo", _demo, "replay a recorded day, print what was stitched, serve a shop", "data", "host", "port"
    )
    demo.add_argument("--exit", action="store_true", help="end after printing")
    words.add("ingest", _ingest, "HTTP to the log", "data", "host", "port", "sites")
    words.add("stitch", _stitch, "hits on Kafka to stitched actions: a Faust worker", "data")
    words.add("sink", _sink, "stitched actions on Kafka to ClickHouse", "data")
    words.add("migrate", _migrate, "create topics, tables and views, or bring them up to date", "data")
    replay = words.add("replay", _replay, "fill topics of another prefix, with other partitions, from those before")
    replay.add_argument("--from", dest="source", metavar="PREFIX", default="", help="of the old topics (default: none)")
    drain = words.add("drain", _drain, "put a spool that an ingest left behind into the log", "data")
    drain.add_argument(
        "--patience", type=int, default=60, metavar="SECONDS", help="how long the log may take nothing (default: 60)"
    )
    words.add("check", _check, "print the resolved settings, secrets masked", "data", "host", "port", "sites")


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


def _replay(arguments: argparse.Namespace, settings: Settings) -> int:
    """0: all that was there is there, and has an epoch. 1: why not; then again."""
    from pipeline.stages import run_replay

    return run_replay(settings, arguments.source)


def _drain(arguments: argparse.Namespace, settings: Settings) -> int:
    """0: nothing waits any more. 1: why something does; then again."""
    from pipeline.stages import run_drain

    return run_drain(settings, arguments.patience * SECOND_MS)


def _check(_: argparse.Namespace, settings: Settings) -> int:
    width = max(len(name) for name, _, _ in settings.shown)
    for name, value, sentence in settings.shown:
        print(f"{name.ljust(width)}  {value or '(none)'}  # {sentence}")
    return 0
