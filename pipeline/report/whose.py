"""Whom a person's ID stands for, and where their actions are, asked once for all questions about them; it must not know
which questions those are.

What is asked with it is right as of the moment when it was told. Who is one person was decided then: an alias said or
withdrawn since changes nothing before it is told anew. Where a login has since put actions of theirs on a device that
was none of theirs, these are missing, as if they had not arrived yet; and between devices nothing says that what was
done first arrives first.
"""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from pipeline.limits import DEVICES_ASKED_MAX
from pipeline.warehouse.texts import sql_text

KNOWN_IDS, KNOWN_DEVICES = "{members:Array(UUID)}", "{devices:Array(String)}"


class Whose(Struct, frozen=True):
    """`person`: the canonical ID. `members`: all that stand for it, itself included. `devices`: a superset of theirs,
    in the log's words; None where they are too many to travel in an address."""

    person: str
    members: tuple[str, ...]
    devices: tuple[str, ...] | None

    @property
    def parameters(self) -> dict[str, Any]:
        """Of the questions about them."""
        known = {"person": self.person, "members": list(self.members)}
        return known if self.devices is None else {**known, "devices": list(self.devices)}


def whose(
    ask: Callable[[str, Mapping[str, Any]], tuple[list[str], list[list[Any]]]], workspace: str, person: str
) -> Whose:
    """Any of a person's IDs is theirs. `person` is a UUID; of one whom nobody ever saw there are no devices.

    Two questions by a key each take less than one that contains both.
    """
    ((canonical, others),) = ask(sql_text("reports/whose"), {"person": person})[1]
    members = sorted({canonical, *others})
    told = {"workspace": workspace, "members": members, "most": DEVICES_ASKED_MAX + 1}
    ((devices,),) = ask(sql_text("reports/whose_devices"), told)[1]
    return Whose(canonical, tuple(members), tuple(devices) if len(devices) <= DEVICES_ASKED_MAX else None)


def with_whose(sql: str, known: Whose | None) -> str:
    """SQL about one person, looking for them where they are known to be, or wherever they are."""
    devices = KNOWN_DEVICES if known and known.devices is not None else sql_text("reports/their_devices").rstrip()
    ids = KNOWN_IDS if known else sql_text("reports/their_ids").rstrip()
    return sql.replace("$their_devices", devices).replace("$their_ids", ids)
