"""Messages of one request, each a hit or a fault on its own; it must not know which protocol they are of."""

from collections.abc import Iterable
from typing import Any

import orjson
from msgspec import Struct, field

from pipeline.limits import EVENT_BYTES_MAX, ID_CHARS_MAX
from pipeline.model import Alias, Hit
from pipeline.protocols.aliases import Claim, statement
from pipeline.protocols.hits import Draft, Source, to_hit
from pipeline.protocols.json_text import object_fault
from pipeline.protocols.members import mapping
from pipeline.protocols.request import Count, Outcome, Reply, Request
from pipeline.sites import Site


class Fault(Struct, frozen=True):
    """Why a message is no hit: the member, and what was expected."""

    field: str
    reason: str


class Told(Struct, frozen=True):
    """What a message means, in which protocol. `claim`: it says that two IDs are one person."""

    draft: Draft
    protocol: str
    claim: Claim | None = None


class Taken(Struct):
    """What came of the messages, and which were none: index, field, reason."""

    number: int = 0
    hits: list[Hit] = field(default_factory=list)
    aliases: list[Alias] = field(default_factory=list)
    counts: list[Count] = field(default_factory=list)
    rejected: list[dict[str, Any]] = field(default_factory=list)

    def outcome(self, reply: Reply) -> Outcome:
        """With this answer."""
        return Outcome(reply, self.hits, self.counts, self.aliases)


def storage_fault(message: dict[str, Any], members: Iterable[str], suspect: bool) -> Fault | None:
    """What keeps a message from being stored: an object among `members` that breaks the limits, or its size."""
    for name in members:
        found = object_fault(mapping(message.get(name)), suspect)
        if found:
            return Fault(f"{name}.{found[0]}".rstrip(".")[:ID_CHARS_MAX], found[1])
    try:
        large = len(orjson.dumps(message)) > EVENT_BYTES_MAX
    except orjson.JSONEncodeError:
        return Fault("", "cannot be written as JSON")
    return Fault("", f"larger than {EVENT_BYTES_MAX} bytes") if large else None


def take(request: Request, site: Site, messages: Iterable[Told | Fault], counts: list[Count]) -> Taken:
    """Every message on its own. `counts`: what was counted while they were read, which happens here as they come."""
    taken = Taken(counts=counts)
    seen: dict[bytes, int] = {}
    usual = request.header(b"user-agent")
    for index, told in enumerate(messages):
        taken.number += 1
        if isinstance(told, Fault):
            counts.append(Count(site.site_id, "rejected", told.field.partition(".")[0] or "message"))
            taken.rejected.append({"index": index, "field": told.field, "reason": told.reason})
            continue
        draft = told.draft
        if draft.content:
            draft.occurrence = seen[draft.content] = seen.get(draft.content, -1) + 1
        source = Source(told.protocol, request, site, request.agent_of(draft.user_agent or usual))
        hit = to_hit(draft, source, counts)
        taken.hits.append(hit)
        if told.claim is not None:
            taken.aliases += statement(told.claim, hit, source, counts)
    return taken
