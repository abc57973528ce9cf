"""Which user IDs of a workspace are one person, by all that was said about it; it must not know who applies that.

What is kept of a pair is the one statement that counts: of the highest authority, then the newest, and of two at one
instant the withdrawal. That is a maximum, so order and repetition cannot matter, and a withdrawal leaves no trace.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from msgspec import Struct

from pipeline.identity.ids import user_person
from pipeline.limits import USERS_PER_PERSON_MAX
from pipeline.model import Alias
from pipeline.times import ms_of

_RANK = {"page": 0, "secret": 1, "operator": 2}
Pair = tuple[str, str]  # two user IDs, the smaller first


class Said(NamedTuple):
    """What counts about a pair; of two, the greater."""

    rank: int
    ts_ms: int
    withdrawn: bool


class Resolution(Struct, frozen=True):
    """`canonical`: the person of every user ID that has been joined to another. `refused`: components too large to be
    anybody, each sorted; their members stay who they are."""

    canonical: Mapping[str, str]
    refused: tuple[tuple[str, ...], ...] = ()


class Aliases:
    """Everything said in one workspace."""

    def __init__(self, workspace: str) -> None:
        self._workspace = workspace
        self._said: dict[Pair, Said] = {}

    def fold(self, statement: Alias) -> None:
        """Take one statement in. An ID with itself says nothing."""
        one, other = sorted((statement.user_id, statement.previous_id))
        if one == other:
            return
        said = Said(_RANK[statement.authority], ms_of(statement.ts), statement.withdrawn)
        self._said[one, other] = max(said, self._said.get((one, other), said))

    def joined(self) -> Iterable[Pair]:
        """The pairs that are one person."""
        return (pair for pair, said in self._said.items() if not said.withdrawn)

    def components(self) -> list[tuple[str, ...]]:
        """Users joined directly or through others, each component sorted, in order of their first."""
        return _connected(self.joined())

    def closures(self) -> list[tuple[str, ...]]:
        """The same by everything ever said, withdrawn or not: these only grow."""
        return _connected(self._said)

    def resolve(self, users_max: int = USERS_PER_PERSON_MAX) -> Resolution:
        """Who each joined user is: of the component's persons the smallest as text, so that nobody has to remember."""
        canonical: dict[str, str] = {}
        refused = []
        for members in self.components():
            if len(members) > users_max:
                refused.append(members)
                continue
            person = min(user_person(self._workspace, user) for user in members)
            canonical |= dict.fromkeys(members, person)
        return Resolution(canonical, tuple(refused))


def _connected(pairs: Iterable[Pair]) -> list[tuple[str, ...]]:
    neighbours: defaultdict[str, list[str]] = defaultdict(list)
    for one, other in pairs:
        neighbours[one].append(other)
        neighbours[other].append(one)
    found, seen = [], set[str]()
    for user in neighbours:
        if user not in seen:
            members = _reached(user, neighbours)
            seen |= members
            found.append(tuple(sorted(members)))
    return sorted(found)


def _reached(start: str, neighbours: Mapping[str, list[str]]) -> set[str]:
    """Without recursion: a chain may be ten thousand long."""
    reached, todo = {start}, [start]
    while todo:
        for other in neighbours[todo.pop()]:
            if other not in reached:
                reached.add(other)
                todo.append(other)
    return reached
