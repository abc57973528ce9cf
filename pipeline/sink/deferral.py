"""Which links may wait because their device is large and was just rewritten; it must not know how links are applied.

Applying a link re-inserts the rows it covers. On a device of more than 100,000 rows that happens at most every ten
seconds, with all the links that came meanwhile: the newest version wins row by row. What waits is in memory only, so
positions are committed no further than the oldest line that waits.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence, Set

import msgspec

from pipeline.sink.batch import Line

DEVICE_ROWS_MAX = 100_000
INTERVAL_S = 10.0
LIGHT_S = 60.0  # a device that was found small is not asked about again for so long

Device = tuple[str, str]  # workspace, device


class _Head(msgspec.Struct):
    workspace: str
    device: str


_heads = msgspec.json.Decoder(_Head)


def device_of(line: Line) -> Device | None:
    """Whose link it is; nobody's when it cannot be read, and then the warehouse will refuse it."""
    try:
        head = _heads.decode(line.text)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return head.workspace, head.device


class Deferral:
    """What is known of devices lately rewritten, and the lines that wait for them: what ten seconds bring."""

    def __init__(self, interval_s: float = INTERVAL_S, clock: Callable[[], float] = time.monotonic) -> None:
        self.held_total = 0
        self._interval_s = interval_s
        self._clock = clock
        self._applied_at: dict[Device, float] = {}
        self._light_until: dict[Device, float] = {}
        self._waiting: dict[Device, list[Line]] = {}

    def due(self, all_of_them: bool = False) -> list[Line]:
        """Lines whose device may be rewritten again, handed out once."""
        since = self._clock() - self._interval_s
        ready = [d for d in self._waiting if all_of_them or self._applied_at.get(d, since) <= since]
        return [line for device in ready for line in self._waiting.pop(device)]

    def suspects(self, lines: Iterable[Line]) -> set[Device]:
        """Devices of these lines that were rewritten within the interval and are not known to be small."""
        now = self._clock()
        self._applied_at = {d: at for d, at in self._applied_at.items() if now - at < self._interval_s}
        self._light_until = {d: until for d, until in self._light_until.items() if now < until}
        devices = {device for line in lines if (device := device_of(line))}
        return {d for d in devices if d in self._applied_at and d not in self._light_until}

    def part(
        self, lines: Sequence[Line], suspects: Set[Device], large: Set[Device]
    ) -> tuple[list[Line], dict[Device, list[Line]]]:
        """The lines to apply now, and those to hold, by device. Changes nothing but what is known of small devices."""
        self._light_until |= dict.fromkeys(suspects - large, self._clock() + LIGHT_S)
        now, held = [], dict[Device, list[Line]]()
        for line in lines:
            device = device_of(line)
            if device is not None and device in large and device in suspects:
                held.setdefault(device, []).append(line)
            else:
                now.append(line)
        return now, held

    def settle(self, applied: Iterable[Line], held: Mapping[Device, Sequence[Line]]) -> None:
        """These have been applied; those wait."""
        now = self._clock()
        self._applied_at |= {device: now for line in applied if (device := device_of(line))}
        for device, lines in held.items():
            self._waiting.setdefault(device, []).extend(lines)
            self.held_total += len(lines)

    def floor(self) -> dict[int, int]:
        """Per partition, the offset of the oldest record that waits: no position may be committed past it."""
        floor: dict[int, int] = {}
        for lines in self._waiting.values():
            for line in lines:
                partition, offset = line.record.partition, line.record.offset
                floor[partition] = min(offset, floor.get(partition, offset))
        return floor
