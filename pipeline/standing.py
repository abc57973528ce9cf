"""What the warehouse has made of a statement about two users; it must not know how it got there."""

import time
from typing import Any, NamedTuple

from pipeline.identity.merges import FROZEN_VERSION
from pipeline.limits import USERS_PER_PERSON_MAX
from pipeline.questions import Questions
from pipeline.warehouse.texts import sql_text

_LOOK_AGAIN_S = 0.1


class User(NamedTuple):
    """Who one user is by all that was said: in `person_merges`, and (`shown`) in every report."""

    user_id: str
    component: str
    version: int
    canonical: str
    refused: bool
    users: int
    shown: str


class Standing:
    """Two users of a workspace."""

    def __init__(self, ask: Questions, workspace: str, one: str, other: str) -> None:
        self._ask = ask
        self._names = {"workspace": workspace, "one": one, "other": other}
        self._version = max((user.version for user in self.users()), default=0)

    def users(self) -> list[User]:
        """Those of the two of whom anything was ever said."""
        return [User(*row) for row in self._ask(sql_text("standing/users"), self._names)[1]]

    def said(self, event_id: str = "") -> tuple[int, int]:
        """How many statements there are about the two, and how many of this ID."""
        ((about, this),) = self._ask(sql_text("standing/said"), {**self._names, "event": event_id})[1]
        return int(about), int(this)

    def logins(self) -> int:
        """How often one of the two, as a user, signed in on the other, as a device."""
        return int(self._ask(sql_text("standing/logins"), self._names)[1][0][0])

    def settled(self, event_id: str, within_s: float) -> bool:
        """Wait until the statement has had its effect, on every report too; False if the time is over."""
        deadline_s = time.monotonic() + within_s
        while not self._has_settled(event_id):
            if time.monotonic() > deadline_s:
                return False
            time.sleep(_LOOK_AGAIN_S)
        return True

    def _has_settled(self, event_id: str) -> bool:
        """Whoever was ever named together is in one component, and every statement raises its version."""
        users = self.users()
        if self.said(event_id)[1] == 0 or len(users) < 2:
            return False
        one, other = users
        newer = one.version > self._version or one.version >= FROZEN_VERSION
        return newer and one.component == other.component and all(user.shown == user.canonical for user in users)

    def one_person(self) -> bool:
        """Whether reports show them as one."""
        shown = {user.shown for user in self.users()}
        return len(shown) == 1

    def sentence(self) -> str:
        """How they stand, for people."""
        users = self.users()
        names = f"{self._names['one']} and {self._names['other']}"
        if len(users) == 2 and self.one_person():
            return f"{names} are one person: {users[0].shown} ({users[0].users} users)"
        refused = next((user for user in users if user.refused), None)
        if refused is not None:
            return (
                f"{names} are two persons: {refused.users} users would be one, and at most {USERS_PER_PERSON_MAX} may"
            )
        return f"{names} are two persons"


def as_json(standing: Standing) -> dict[str, Any]:
    """The same for programs."""
    return {"one_person": standing.one_person(), "users": [user._asdict() for user in standing.users()]}
