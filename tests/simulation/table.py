"""A table that replaces by version and re-inserts what links cover, as the warehouse does; it must know no rules."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from pipeline.model import Link
from pipeline.times import ms_of


class Row(NamedTuple):
    """What the table shows of an action."""

    version: int
    ts_ms: int
    user_id: str
    person_id: str
    attribution: str
    late: bool


Placement = tuple[tuple[str, str], str, Row]  # ((workspace, device), event ID, row)


class Table:
    """Replaces by version; of equal versions the one inserted last."""

    def __init__(self) -> None:
        self.devices: dict[tuple[str, str], dict[str, Row]] = defaultdict(dict)

    def insert(self, rows: Iterable[Placement]) -> None:
        """One INSERT: all of it or nothing."""
        for device, event_id, row in rows:
            held = self.devices[device].get(event_id)
            if held is None or held.version <= row.version:
                self.devices[device][event_id] = row

    def covered(self, links: Sequence[Link]) -> Iterator[Placement]:
        """The rows that a flush of links gives to others: of the links over a row, the newest."""
        by_device: dict[tuple[str, str], list[tuple[Link, int, int]]] = defaultdict(list)
        for link in links:
            by_device[link.workspace, link.device].append((link, ms_of(link.start), ms_of(link.end)))
        for device, spans in by_device.items():
            for event_id, row in self.devices[device].items():
                over = [link for link, start_ms, end_ms in spans if start_ms <= row.ts_ms <= end_ms]
                newest = max(over, key=lambda link: link.version, default=None)
                if newest is not None and not row.user_id and newest.version > row.version:
                    given = (newest.version, row.ts_ms, "", newest.person_id, newest.attribution, newest.late)
                    yield device, event_id, Row(*given)
