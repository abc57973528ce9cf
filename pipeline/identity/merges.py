"""From everything said about some users to who each of them is now; it must not know where statements are kept."""

from collections.abc import Iterable, Iterator, Mapping

from pipeline.identity.aliases import Aliases
from pipeline.identity.ids import user_person
from pipeline.limits import CONNECTED_USERS_MAX, USERS_PER_PERSON_MAX
from pipeline.model import Alias, Merge

FROZEN_VERSION = 2**63  # above any number of statements
_NOBODY: Mapping[str, str] = {}


def merges(
    workspace: str,
    statements: Iterable[Alias],
    frozen: Mapping[str, str] = _NOBODY,
    users_max: int = USERS_PER_PERSON_MAX,
) -> list[Merge]:
    """One for every user of the statements, which must be all there are about all whom they connect.

    `frozen`: user ID -> component, of users in a component too large to be worked through: whoever is connected to one
    of them is refused, and in that component from now on.
    """
    aliases, said_by, newest = Aliases(workspace), dict[str, int](), dict[str, tuple[str, str]]()
    for said in _distinct(statements):
        aliases.fold(said)
        said_by[said.user_id] = said_by.get(said.user_id, 0) + 1
        for user in (said.user_id, said.previous_id):
            newest[user] = max(newest.get(user, ("", "")), (said.ts, said.event_id))
    canonical = aliases.resolve(users_max).canonical
    sizes = {user: len(members) for members in aliases.components() for user in members}
    made = []
    for members in aliases.closures():
        persons = {user: user_person(workspace, user) for user in members}
        ice = min((frozen[user] for user in members if user in frozen), default="")
        component = ice or min(persons.values())
        version = FROZEN_VERSION if ice else sum(said_by.get(user, 0) for user in members)
        for user, person in persons.items():
            users = CONNECTED_USERS_MAX if ice else sizes.get(user, 1)
            made.append(
                Merge(
                    workspace=workspace,
                    user_id=user,
                    person_id=person,
                    canonical_id=person if ice else canonical.get(user, person),
                    component=component,
                    users=users,
                    refused=users > users_max,
                    event_id=newest[user][1],
                    version=version,
                )
            )
    return made


def by_workspace(statements: Iterable[Alias]) -> dict[str, list[Alias]]:
    """The statements of each workspace."""
    found: dict[str, list[Alias]] = {}
    for said in statements:
        found.setdefault(said.workspace, []).append(said)
    return found


def _distinct(statements: Iterable[Alias]) -> Iterator[Alias]:
    """Each once, without those that say nothing: their number is the version."""
    seen = set[tuple[str, ...]]()
    for said in statements:
        key = (
            said.user_id,
            said.previous_id,
            said.ts,
            said.event_id,
            str(said.withdrawn),
            said.authority,
            said.site_id,
        )
        if key not in seen and said.user_id != said.previous_id:
            seen.add(key)
            yield said
