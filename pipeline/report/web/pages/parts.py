"""Parts of a page, each asked for by itself: one that takes too much leaves the others; it must not know any part."""

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pipeline.limits import PAGE_SECONDS_MAX
from pipeline.questions import TookTooMuch
from pipeline.report.web.pages.page import Asked
from pipeline.report.web.states import NOT_ASKED, Refused, too_much

Made = TypeVar("Made")
_log = logging.getLogger(__name__)


class Parts:
    """`refused`: every part that was asked for, by name; None where it was told. A template says it in its place.

    A warehouse that is not there, or a question that is wrong, is no matter of one part: that is raised as ever.
    """

    def __init__(self, asked: Asked, now_s: Callable[[], float] = time.monotonic) -> None:
        self.refused: dict[str, Refused | None] = {}
        self._asked = asked
        self._now_s = now_s
        self._until_s = now_s() + PAGE_SECONDS_MAX

    def of(self, name: str, make: Callable[[], Made], *, dated: bool = True) -> Made | None:
        """What `make` says; None, and why in `refused`, if one of its questions took too much.

        `dated`: it is about the page's period, so a shorter one would help.
        """
        if self._now_s() >= self._until_s:
            self.refused[name] = too_much(NOT_ASKED, self._asked, dated)
            return None
        try:
            made = make()
        except TookTooMuch as error:
            _log.warning("a part of a page was not told: %s: %s", name, error.code)
            self.refused[name] = too_much(error.code, self._asked, dated)
            return None
        self.refused.setdefault(name, None)
        return made

    def values(self, name: str, make: Callable[[], Mapping[str, Any]], *, dated: bool = True) -> Mapping[str, Any]:
        """The same for what a template is given; nothing, where it was not told."""
        return self.of(name, make, dated=dated) or {}
