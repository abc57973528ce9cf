"""The list of visits and actions under the axis, with the phone's axis beside it; it must not know the warehouse."""

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from pipeline.report.web.devices import Device
from pipeline.report.web.moments import Clock, count, length
from pipeline.report.web.plot.acts import ATTRIBUTIONS, Act, Visit
from pipeline.report.web.plot.lanes import Lanes

_RAIL_PX = 90.0
_LANE_PX_MAX = 19.0
_STRIP_MARKS_MAX = 10
_OPEN_ALL_ACTIONS = 40


class Rail(Struct, frozen=True):
    """The phone's axis beside one row: x of lanes; of the visit's bar; of claims: x, and whether it begins or ends."""

    lanes: tuple[float, ...]
    at: float
    attribution: str = ""
    claims: tuple[tuple[float, str], ...] = ()
    route: tuple[float, float] | None = None
    first: bool = False
    last: bool = False


class Line(Struct, frozen=True):
    """An action in the list."""

    act: Act
    rail: Rail


class Listed(Struct, frozen=True):
    """A visit in the list. `between`: what lies before it, in words; `same_time`: nothing does."""

    visit: Visit
    device: Device
    day: str
    time: str
    source: str
    counted: str
    long: str
    strip: tuple[Act, ...]
    strip_more: int
    strip_words: str
    opened: bool
    between: str
    same_time: bool
    rail: Rail
    between_rail: Rail
    lines: tuple[Line, ...]


def listed(
    visits: Sequence[Visit], devices: Mapping[str, Device], lanes: Lanes, clock: Clock, picked: str
) -> Iterator[Listed]:
    """Oldest first."""
    step = min(_LANE_PX_MAX, (_RAIL_PX - 33) / max(lanes.count - 1, 1))
    columns = tuple(round(22 + step * number, 1) for number in range(lanes.count))
    all_open = sum(len(visit.acts) for visit in visits) <= _OPEN_ALL_ACTIONS
    going: dict[str, float] = {}  # claims that are being drawn: sign-in's anchor to x
    end_ms, before = 0, columns[0] if columns else 22.0
    for number, visit in enumerate(visits):
        at = columns[lanes.of(visit.device)]
        around = tuple((x, "") for x in going.values())
        head = Rail(columns, at, visit.acts[0].attribution, around, first=True)
        gap_rail = Rail(columns, before, "", around, route=(before, at))
        lines = tuple(Line(act, _rail(act, columns, at, going, act is visit.acts[-1])) for act in visit.acts)
        device = devices[visit.device]
        yield Listed(
            visit=visit,
            device=device,
            day=clock.day(visit.start_ms),
            time=clock.time(visit.start_ms),
            source=_source(visit),
            counted=_counted(visit),
            long=length(visit.end_ms - visit.start_ms),
            strip=visit.acts[:_STRIP_MARKS_MAX],
            strip_more=max(len(visit.acts) - _STRIP_MARKS_MAX, 0),
            strip_words=_strip_words(visit),
            opened=all_open or number == 0 or any(a.claimed or a.anchor == picked or not a.mine for a in visit.acts),
            between="" if number == 0 else _between(visit, end_ms, device),
            same_time=number > 0 and visit.start_ms <= end_ms,
            rail=head,
            between_rail=gap_rail,
            lines=lines,
        )
        end_ms, before = max(end_ms, visit.end_ms), at


def _rail(act: Act, columns: tuple[float, ...], at: float, going: dict[str, float], last: bool) -> Rail:
    claims = [(x, "") for anchor, x in going.items() if anchor not in (act.anchor, act.claimed_by)]
    if act.claimed and act.anchor in going:
        claims.append((going.pop(act.anchor), "ends"))
    elif act.claimed_by:
        claims.append((at - 11, "" if act.claimed_by in going else "begins"))
        going[act.claimed_by] = at - 11
    return Rail(columns, at, act.attribution, tuple(claims), last=last)


def _between(visit: Visit, end_ms: int, device: Device) -> str:
    if visit.start_ms <= end_ms:
        return f"on {device.name}"
    return f"{length(visit.start_ms - end_ms)} later, on {device.name}"


def _source(visit: Visit) -> str:
    first = visit.acts[0]
    came = first.campaign or (first.referrer if first.referrer != first.host else "") or "Direct"
    return " · ".join(part for part in (first.host, came) if part)


def _counted(visit: Visit) -> str:
    mine = sum(act.mine for act in visit.acts)
    return count(mine, "action") if mine else f"{len(visit.acts)} of nobody’s"


def _strip_words(visit: Visit) -> str:
    counted = {name: sum(act.attribution == name for act in visit.acts) for name in ATTRIBUTIONS}
    words = {"anonymous": "nobody’s"}
    return ", ".join(f"{number} {words.get(name, name)}" for name, number in counted.items() if number)
