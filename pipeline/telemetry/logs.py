"""Log lines, for machines or for people, without anybody's values; it must not know what is told.

Whoever logs names counts and places. What an exception says may quote a hit, so it is never printed: a line has its
type and where it was raised. Of our own exceptions the text stays, up to the first thing that it quotes.
"""

import json
import logging
import re
import sys
import time
import traceback
from contextvars import ContextVar
from itertools import count
from os import urandom
from types import TracebackType
from typing import Any

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
_WELL_FORMED = re.compile(rb"[0-9a-fA-F-]{16,64}")  # UUIDs and proxies' hex: no name, address or mail fits
_QUOTE = re.compile(r"(?<!\w)['\"]")
_TEXT_CHARS_MAX = 300
_PLACES_MAX = 20
_process, _made = urandom(8).hex(), count(1)


def request_id(given: bytes | None) -> str:
    """The sender's own, where it is well formed; else one that this process makes once."""
    if given is not None and _WELL_FORMED.fullmatch(given):
        return given.decode()
    return f"{_process}-{next(_made):08x}"


def told(error: BaseException) -> str:
    """What may be said of it."""
    name = type(error).__name__
    if isinstance(error, OSError) and error.strerror and not type(error).__module__.startswith("pipeline."):
        return f"{name}: {error.strerror}"
    if not type(error).__module__.startswith("pipeline."):
        return name
    text = str(error)
    quoted = _QUOTE.search(text)
    return (text[: quoted.start()] + "…" if quoted else text)[:_TEXT_CHARS_MAX] or name


class Lines(logging.Formatter):
    """`stage`: the command that writes them. Texts of people's eyes, or a JSON object a line."""

    def __init__(self, stage: str, *, as_json: bool) -> None:
        super().__init__()
        self._stage, self._as_json = stage, as_json

    def format(self, record: logging.LogRecord) -> str:
        """One line, whatever is in it."""
        line: dict[str, Any] = {
            "time": f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(record.created))}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "stage": self._stage,
            "logger": record.name,
            "message": _message(record),
        }
        if request := REQUEST_ID.get():
            line["request_id"] = request
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            line |= {"error": told(error), "places": _places(error)}
        return json.dumps(line, ensure_ascii=False) if self._as_json else _for_people(line)


def write_logs(stage: str, form: str, level: int = logging.WARNING) -> None:
    """From here on every logger of the process writes to stderr like this. `form`: AUTO, JSON or TEXT."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Lines(stage, as_json=form == "JSON" or (form == "AUTO" and not sys.stderr.isatty())))
    logging.basicConfig(level=level, handlers=[handler])
    logging.captureWarnings(True)  # else they are no lines of ours
    sys.excepthook = _uncaught


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    logging.getLogger("pipeline").critical("the process ends", exc_info=(kind, error, trace))


def _message(record: logging.LogRecord) -> str:
    args = record.args
    if isinstance(args, tuple):
        args = tuple(map(_argument, args))
    elif args:
        args = {name: _argument(value) for name, value in args.items()}
    try:
        text = str(record.msg) % args if args else str(_argument(record.msg))
    except (TypeError, ValueError):
        text = str(record.msg)
    if record.name == "asyncio":  # quotes what a task was called with, and what it raised
        text = re.split(r"[(<\n]", text, maxsplit=1)[0].strip()
    return text.replace("\r", " ").replace("\n", " ")


class _Said(str):
    """Already fit to be told, also where it is asked for by `%r`."""

    def __repr__(self) -> str:
        return str(self)


def _argument(value: Any) -> Any:
    return _Said(told(value)) if isinstance(value, BaseException) else value


def _places(error: BaseException) -> list[str]:
    """Where it was raised and what it came from, newest call last: types and lines of files, no values."""
    places: list[str] = []
    cause: BaseException | None = error
    while cause is not None and len(places) < _PLACES_MAX:
        if cause is not error:
            places.append(f"from {type(cause).__name__}")
        frames = traceback.extract_tb(cause.__traceback__)[-_PLACES_MAX:]
        places += [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return places[:_PLACES_MAX]


def _for_people(line: dict[str, Any]) -> str:
    text = f"{line['time']} {line['level'].upper()} {line['logger']}: {line['message']}"
    if "request_id" in line:
        text += f" [request {line['request_id']}]"
    if "error" in line:
        text += f": {line['error']}" + "".join(f"\n    {place}" for place in line["places"])
    return text
