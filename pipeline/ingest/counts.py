"""What ingest did, as plain numbers: every hit that arrived is in exactly one outcome; it exports nothing itself."""

from collections import Counter
from collections.abc import Iterable

from pipeline.model import Hit
from pipeline.protocols.request import Count
from pipeline.telemetry.histogram import seconds, sizes

KEYS_MAX = 10_000  # labels come from a closed list; should one not, memory stays bounded
OTHER = "(other)"


class Counts:
    """Counters since the process started.

    `hits`: (site, protocol, outcome, detail); outcome is accepted, rejected (field), refused (policy), illegal_id
    (value), cut (field) or shed (why it could not be made durable). `replies`: (protocol, status). `events`: by name.
    `read`: hits that requests were understood to be; each of them is `in_flight` or settled by `add_hits`.
    """

    def __init__(self) -> None:
        self.hits: Counter[tuple[str, str, str, str]] = Counter()
        self.replies: Counter[tuple[str, int]] = Counter()
        self.events: Counter[str] = Counter()
        self.read = self.in_flight = self._settled = 0
        self.publish_seconds, self.reply_seconds, self.batch_hits = seconds(), seconds(), sizes()

    @property
    def unaccounted(self) -> int:
        """Hits that were read and got lost on the way to an outcome: a bug of ours, unless it is 0."""
        return self.read - self.in_flight - self._settled

    def add(self, protocol: str, counts: Iterable[Count]) -> None:
        """What a protocol counted."""
        for count in counts:
            self._add((count.site_id, protocol, count.outcome, count.detail), 1)

    def add_hits(self, protocol: str, hits: Iterable[Hit], outcome: str, detail: str = "") -> None:
        """Hits that ended the same way."""
        numbers: dict[str, int] = {}
        for hit in hits:
            numbers[hit.site_id] = numbers.get(hit.site_id, 0) + 1
        self._settled += sum(numbers.values())
        for site_id, number in numbers.items():
            self._add((site_id, protocol, outcome, detail), number)

    def _add(self, key: tuple[str, str, str, str], number: int) -> None:
        if len(self.hits) >= KEYS_MAX and key not in self.hits:
            key = (key[0], key[1], key[2], OTHER)
        self.hits[key] += number
