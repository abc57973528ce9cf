"""What stitching counts wherever it runs, hit by hit; it must not know a log, or who watches."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterable, Sequence

from msgspec import Struct, field

from pipeline.identity.stitcher import Placed
from pipeline.limits import SECOND_MS
from pipeline.telemetry.histogram import Histogram, seconds, sizes
from pipeline.telemetry.lag import Lag

ATTRIBUTIONS = ("identified", "carried", "backfilled", "anonymous")
REASONS = ("bad_hit", "stitch_failed", "unknown_schema")  # of hits that become dead letters


class Done(Struct):
    """What became of the hits between two checkpoints: `read` = actions + dead letters + erased."""

    read: int = 0  # as the records themselves say
    hits: int = 0  # folded
    links: int = 0
    erased: int = 0  # of people who were forgotten: they came again and are not kept
    poisoned: int = 0  # records that could not be folded
    actions: Counter[str] = field(default_factory=Counter)  # by attribution
    dead_letters: Counter[str] = field(default_factory=Counter)  # by reason

    def place(self, placed: Iterable[Placed]) -> None:
        """Count whom hits were given to; a hidden one is nobody's action."""
        told = Counter([place.attribution if not place.hidden else "hidden" for place in placed])
        self.erased += told.pop("hidden", 0)
        self.actions.update(told)


class Figures(Struct):
    """Totals since the start; a replay counts again only under `records`."""

    records: int = 0  # of hits, folded; a replay counts again
    read: int = 0
    hits: int = 0  # in checkpoints that became durable, like everything below
    links: int = 0
    erased: int = 0
    actions: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ATTRIBUTIONS, 0))
    dead_letters: dict[str, int] = field(default_factory=lambda: dict.fromkeys(REASONS, 0))
    checkpoints: int = 0
    checkpoint_seconds: Histogram = field(default_factory=seconds)
    checkpoint_hits: Histogram = field(default_factory=sizes)
    latency_seconds: Histogram = field(default_factory=seconds)  # a record, from the log having it to its checkpoint
    states: int = 0  # device states written
    poisoned: int = 0  # records that could not be folded and became dead letters

    checkpoint_at_s: float = field(default_factory=time.monotonic)  # the last one, or the start

    @property
    def unaccounted(self) -> int:
        """Hits that were read and are nothing now: a bug of ours, unless it is 0."""
        return self.read - sum(self.actions.values()) - sum(self.dead_letters.values()) - self.erased

    def durable(self, parts: Sequence[Done], took_s: float) -> None:
        """A checkpoint of these, one a partition, is durable. Everything at once: whoever looks sees all or nothing."""
        self.checkpoints += 1
        self.checkpoint_at_s = time.monotonic()
        self.checkpoint_seconds.observe(took_s)
        self.checkpoint_hits.observe(sum(done.hits for done in parts))
        for done in parts:
            self.read += done.read
            self.hits += done.hits
            self.links += done.links
            self.erased += done.erased
            self.poisoned += done.poisoned
            for mine, theirs in ((self.actions, done.actions), (self.dead_letters, done.dead_letters)):
                for name, number in theirs.items():
                    mine[name] = mine.get(name, 0) + number


def current(
    figures: Figures, lag: Lag, lag_records: int | None, in_flight: int, oldest_ms: Iterable[int]
) -> dict[str, float | None]:
    """What is not counted but looked up: by field of STITCH. `oldest_ms`: of records that are in flight (epoch)."""
    age_s = max((time.time() - at_ms / SECOND_MS for at_ms in oldest_ms), default=0.0)
    return {
        "unaccounted": figures.unaccounted,
        "in_flight": in_flight,
        "checkpoint_age_seconds": time.monotonic() - figures.checkpoint_at_s,
        "lag": lag_records,
        "lag_seconds": lag.seconds(asyncio.get_running_loop().time(), max(age_s, 0.0)),
    }
