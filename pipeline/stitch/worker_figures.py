"""What a stitch worker counts, and how it waits for a log that does not answer; it must not know what is counted."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from pipeline.log.port import LogUnavailable
from pipeline.stitch import figures as stitching

T = TypeVar("T")
_RETRY_S_MIN = 0.1
_RETRY_S_MAX = 5.0

_log = logging.getLogger(__name__)


class Figures(stitching.Figures):
    """The same on Kafka, and what only happens there."""

    states_joined: int = 0  # read back from it
    states_unreadable: int = 0  # lines of it that became dead letters
    skipped_records: int = 0  # that the framework left out and that were fetched from the log instead
    lost_offsets: int = 0  # of hits that retention removed before anybody read them
    waits: int = 0  # attempts the log did not answer
    fenced: int = 0  # checkpoints refused because the group had moved on
    assignments: int = 0


async def patiently(what: str, attempt: Callable[[], Awaitable[T]], figures: Figures) -> T:
    """The answer of the log, however long it stays away: without it there is no progress, and nothing is lost."""
    delay_s = _RETRY_S_MIN
    while True:
        try:
            return await attempt()
        except LogUnavailable as error:
            figures.waits += 1
            _log.warning("%s: the log does not answer, again in %.1f s: %s", what, delay_s, error)
        await asyncio.sleep(delay_s)
        delay_s = min(delay_s * 2, _RETRY_S_MAX)
