"""What a sink counts; it must not know how any of it came about."""

from msgspec import Struct, field

from pipeline.telemetry.histogram import Histogram, seconds, sizes

OTHER = "other"
REASONS = (  # of dead letters, of every stage; OTHER: of a newer one
    *("bad_hit", "bad_state", "dead_letter_refused", "row_refused", "stitch_failed", "unknown_schema"),
    OTHER,
)


class Figures(Struct):
    """What a sink has done since it started; what is met again after a crash counts again."""

    read: int = 0  # lines of `stitched` and `aliases`
    rows: int = 0
    links: int = 0
    marks: int = 0
    links_held: int = 0
    refused: int = 0
    in_flight: int = 0
    dead_letters: dict[str, int] = field(default_factory=lambda: dict.fromkeys(REASONS, 0))
    aliases: int = 0
    aliases_erased: int = 0
    merges: int = 0
    merges_refused: int = 0
    flushes: int = 0
    flush_seconds: float = 0.0
    flush_duration_seconds: Histogram = field(default_factory=seconds)
    flush_rows: Histogram = field(default_factory=sizes)
    latency_seconds: Histogram = field(default_factory=seconds)
    suspects: dict[str, int] = field(default_factory=dict)  # guard to how many, as of the last count
    days_due: int = 0  # of devices, still to be added up at the last look
    days_failed: int = 0  # rounds that came to nothing

    @property
    def unaccounted(self) -> int:
        """Lines that were read and are nothing now: a bug of ours, unless it is 0."""
        stored = self.rows + self.links + self.marks + self.aliases + self.aliases_erased
        return self.read - stored - self.refused - self.in_flight
