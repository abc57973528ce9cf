"""How long each topic keeps its records; it must not know which log does the forgetting."""

from collections.abc import Mapping

from pipeline.limits import DAY_MS, LOOKBACK_MS, RETAIN_LOOKBACKS
from pipeline.log.port import ALIASES, DEAD_LETTERS, HITS, STITCH_STATE, STITCHED


def retention_ms(lookback_ms: int = LOOKBACK_MS) -> Mapping[str, int]:
    """Per topic. `stitch-state` outlives every span that a device may still need, by a margin for late checkpoints."""
    return {
        HITS: 7 * DAY_MS,
        STITCHED: 7 * DAY_MS,
        ALIASES: 7 * DAY_MS,  # the warehouse keeps every statement for good
        DEAD_LETTERS: 14 * DAY_MS,
        STITCH_STATE: RETAIN_LOOKBACKS * lookback_ms + 10 * DAY_MS,
    }
