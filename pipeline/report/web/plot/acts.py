"""A person's actions as values, in visits; it must not know where rows come from or how they are drawn."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from pipeline.limits import MINUTE_MS
from pipeline.times import ms_of

VISIT_GAP_MS = 30 * MINUTE_MS
NOBODY = "anonymous"
ATTRIBUTIONS = ("identified", "carried", "backfilled", NOBODY)
WHY = {
    "identified": "The hit named its user.",
    "carried": "Someone was signed in on the device.",
    "backfilled": "A later sign-in explained it.",
    "anonymous": "No sign-in explains it. No guess.",
}


class Act(Struct, frozen=True):
    """One action. `mine`: it counts as the person's. `login`: the first here that names the user. `claimed`: how many
    earlier actions this sign-in gave to the person; `claimed_by`: the anchor of the sign-in that claimed it."""

    anchor: str
    event_id: str
    ts_ms: int
    device: str
    attribution: str
    kind: str
    title: str
    path: str
    user_id: str = ""
    mine: bool = True
    login: bool = False
    logout: bool = False
    revenue: float | None = None
    currency: str = ""
    late: bool = False
    corrected: bool = False
    claimed: int = 0
    claimed_by: str = ""
    referrer: str = ""
    campaign: str = ""
    host: str = ""

    @property
    def special(self) -> bool:
        """Never merged with its neighbours."""
        return self.login or self.logout or self.revenue is not None


class Visit(Struct, frozen=True):
    """A run of actions on one device without half an hour's pause, nobody's among them. Never empty."""

    number: int
    device: str
    acts: tuple[Act, ...]

    @property
    def start_ms(self) -> int:
        """Its first action's."""
        return self.acts[0].ts_ms

    @property
    def end_ms(self) -> int:
        """Its last action's."""
        return self.acts[-1].ts_ms

    @property
    def mine(self) -> bool:
        """Whether any of it is the person's."""
        return any(act.mine for act in self.acts)


def anchor(device: str, event_id: str, ts: str) -> str:
    """The name of an action's place on the page, made of nothing that could break out of one."""
    return "a" + hashlib.sha256(f"{device}\0{event_id}\0{ts}".encode("utf-8", "surrogatepass")).hexdigest()[:12]


def act(row: Mapping[str, Any], mine: bool) -> Act:
    """A row of the report `journey`."""
    parts = _parts(row["url"])
    return Act(
        anchor=anchor(row["device"], row["event_id"], row["ts"]),
        event_id=row["event_id"],
        ts_ms=ms_of(row["ts"]),
        device=row["device"],
        attribution=row["attribution"],
        kind=row["type"],
        title=row["name"] or row["title"] or parts[1] or row["type"],
        path=parts[1],
        user_id=row["user_id"],
        mine=mine,
        logout=bool(row["logout"]),
        revenue=row["revenue"],
        currency=row["currency"] or "",
        late=bool(row["late"]),
        corrected=bool(row["clock"]),
        referrer=_parts(row["referrer"])[0],
        campaign=" · ".join(part for part in (row["campaign_source"], row["campaign_name"]) if part),
        host=parts[0],
    )


def _parts(url: str) -> tuple[str, str]:
    """Host and path; an address nobody can read is shown as it is."""
    try:
        split = urlsplit(url)
    except ValueError:
        return "", url
    return split.netloc, split.path


def visits(acts: Iterable[Act]) -> list[Visit]:
    """Theirs and nobody's in visits, by their start; sign-ins and what each claimed are marked."""
    runs: list[list[Act]] = []
    latest: dict[str, list[Act]] = {}
    for one in sorted(_marked(acts), key=lambda act: (act.ts_ms, act.event_id, act.device)):
        run = latest.get(one.device)
        if run is None or one.ts_ms - run[-1].ts_ms >= VISIT_GAP_MS:
            run = latest[one.device] = []
            runs.append(run)
        run.append(one)
    return [Visit(number, run[0].device, tuple(run)) for number, run in enumerate(runs, 1)]


def _marked(acts: Iterable[Act]) -> Iterable[Act]:
    by_device: dict[str, list[Act]] = {}
    for one in sorted(acts, key=lambda act: (act.ts_ms, act.event_id)):
        by_device.setdefault(one.device, []).append(one)
    for line in by_device.values():
        yield from _signed(line)


def _signed(line: Sequence[Act]) -> Iterable[Act]:
    """A device's actions: who signed in where nobody or somebody else was, and which actions waited for that."""
    waiting: list[Act] = []
    before: Act | None = None
    user = ""
    for one in line:
        if one.attribution == "backfilled":
            waiting.append(one)
        elif one.user_id:
            fresh = before is None or before.logout or before.attribution in (NOBODY, "backfilled")
            login = one.mine and not one.logout and (fresh or bool(user and user != one.user_id))
            for claimed in waiting:
                yield msgspec.structs.replace(claimed, claimed_by=one.anchor)
            yield msgspec.structs.replace(one, login=login or bool(waiting), claimed=len(waiting))
            waiting, user = [], one.user_id
        else:
            yield one
        before = one
    yield from waiting
