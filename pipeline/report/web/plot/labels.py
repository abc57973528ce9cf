"""Words on the axis: placed in order of importance, dropped where they would touch; it must not know marks' shapes."""

from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct

from pipeline.report.web.money import money
from pipeline.report.web.plot.acts import Act, Visit
from pipeline.report.web.plot.axis import Axis
from pipeline.report.web.plot.claims import Claim
from pipeline.report.web.plot.lanes import Lanes, bar_y

_CHAR_PX = 6.7
_GAP_PX = 6.0
TITLE_CHARS_MAX = 26


class Label(Struct, frozen=True):
    """`flag`: a small flag stands before it, at this x."""

    kind: str
    text: str
    x: float
    y: float
    anchor: str
    flag: float | None = None


class _Wish(Struct, frozen=True):
    """Where a label would like to be. `above`: over its lane's bar instead of under it."""

    kind: str
    text: str
    x: float
    lane: int
    above: bool = False
    flagged: bool = False
    starts: bool = False


class Scene(Struct, frozen=True):
    """What is labelled. `picked`: the anchor of the explained action; `titles`: whether there is room."""

    visits: Sequence[Visit]
    axis: Axis
    lanes: Lanes
    claims: Sequence[Claim]
    picked: str
    titles: bool
    time: Callable[[int], str]

    def wish(self, kind: str, text: str, act: Act, **how: bool) -> _Wish:
        """A label at an action."""
        return _Wish(kind, text, self.axis.x(act.ts_ms), self.lanes.of(act.device), **how)


def labels(scene: Scene) -> list[Label]:
    """What fits. Importance: sign-in, conversion, the picked action, sign-out, nobody's, titles."""
    taken: dict[tuple[int, bool], list[tuple[float, float]]] = {}
    for claim in scene.claims:
        taken.setdefault((claim.lane, True), []).append((claim.pill[0], claim.pill[0] + claim.pill[2]))
    found = []
    for wish in _wishes(scene):
        placed = _placed(wish, scene.axis.width, taken.setdefault((wish.lane, wish.above), []))
        if placed is not None:
            found.append(placed)
    return found


def _wishes(scene: Scene) -> Iterator[_Wish]:
    acts = [act for visit in scene.visits for act in visit.acts]
    wish, time = scene.wish, scene.time
    yield from (wish("said", f"signed in {time(act.ts_ms)}", act) for act in acts if act.login)
    for act in acts:
        if act.revenue is not None:
            words = f"{act.title[:12]} {money(act.revenue, act.currency)}"
            yield wish("order-word", words, act, above=True, flagged=True)
    picked = [act for act in acts if act.anchor == scene.picked and not act.login]
    yield from (wish("pick-word", f"{time(act.ts_ms)} {_cut(act.title)}", act) for act in picked)
    yield from (wish("nobody-word", f"signed out {time(act.ts_ms)}", act) for act in acts if act.logout)
    for visit in scene.visits:
        nobodys = [act for act in visit.acts if not act.mine]
        if nobodys:
            yield wish("nobody-word", f"{len(nobodys)} nobody’s", nobodys[0], above=True, starts=True)
    if scene.titles:
        yield from (wish("title-word", _cut(act.title), act) for act in acts if not act.special)


def _cut(text: str) -> str:
    return text if len(text) <= TITLE_CHARS_MAX else text[: TITLE_CHARS_MAX - 1] + "…"


def _placed(wish: _Wish, width: float, taken: list[tuple[float, float]]) -> Label | None:
    wide = len(wish.text) * _CHAR_PX
    y = bar_y(wish.lane) - 13 if wish.above else bar_y(wish.lane) + 42
    if wish.above and wish.starts:
        y = bar_y(wish.lane) - 8
    for anchor, left in _sides(wish, wide):
        right = left + wide
        if left < 2 or right > width - 2:
            continue
        if any(left - _GAP_PX < end and right + _GAP_PX > start for start, end in taken):
            continue
        taken.append((left, right))
        x = {"start": left, "middle": left + wide / 2, "end": right}[anchor]
        return Label(wish.kind, wish.text, round(x, 1), y, anchor, wish.x if wish.flagged else None)
    return None


def _sides(wish: _Wish, wide: float) -> Iterator[tuple[str, float]]:
    """Where it may stand, the best place first; on the left only where there is no room on the right."""
    if wish.flagged:
        yield "start", wish.x + 15
        yield "end", wish.x - 6 - wide
    elif wish.starts:
        yield "start", wish.x - 8
        yield "end", wish.x + 8 - wide
    else:
        yield "middle", wish.x - wide / 2
        yield "start", wish.x - 6
        yield "end", wish.x + 6 - wide
