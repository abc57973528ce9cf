"""Which statements about who is who may be heard: none that names somebody forgotten; it must not know what follows."""

from collections.abc import Sequence

import msgspec

from pipeline.model import Alias
from pipeline.privacy.suppression import NOBODY, Suppression
from pipeline.sink.batch import Line

_decode = msgspec.json.Decoder(Alias).decode


async def nobody() -> Suppression:
    """Where whoever writes the log leaves out the forgotten already."""
    return NOBODY


def spoken(lines: Sequence[Line], forgotten: Suppression) -> list[Line]:
    """The lines that name nobody who was forgotten; one that cannot be read is kept, to be refused by the table."""
    return [line for line in lines if forgotten.nobody or not _names(line, forgotten)]


def _names(line: Line, forgotten: Suppression) -> bool:
    try:
        said = _decode(line.text)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return False
    return not forgotten.aliases([said])
