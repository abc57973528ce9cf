"""One line of a terminal that is written over while something goes on; it must not know what goes on."""

import time
from typing import TextIO

_EVERY_S = 0.1  # faster than anyone reads, slow enough to cost nothing
_CLEAR = "\r\x1b[K"


class Line:
    """Where there is no terminal, only what is said stays, a line each."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._drawn = out.isatty()
        self._next_s = 0.0

    def show(self, text: str) -> None:
        """Progress: replaced by whatever comes next."""
        now_s = time.monotonic()
        if self._drawn and now_s >= self._next_s:
            self._next_s = now_s + _EVERY_S
            self._out.write(_CLEAR + text)
            self._out.flush()

    def say(self, text: str) -> None:
        """A result: stays."""
        self._out.write(f"{_CLEAR if self._drawn else ''}{text}\n")
        self._out.flush()
