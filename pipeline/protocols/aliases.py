"""From "these two IDs are one person" to a statement for the log, or to why it is none; it knows no wire format."""

from msgspec import Struct

from pipeline.identity.ids import legal_id
from pipeline.limits import TIME_MIN_MS
from pipeline.model import Alias, Hit
from pipeline.protocols.hits import Source
from pipeline.protocols.pseudonyms import pseudonym
from pipeline.protocols.request import Count
from pipeline.times import iso


class Claim(Struct, frozen=True):
    """What a message said: two user IDs, and the authority of the key it came with."""

    user_id: str
    previous_id: str
    secret: bool = False


def renaming(hit: Hit) -> Alias:
    """That a user's names under two keys are one person: the same statement whoever makes it, whenever."""
    return Alias(
        workspace=hit.workspace,
        site_id=hit.site_id,
        event_id=hit.user_id,
        ts=iso(TIME_MIN_MS),
        received_at=hit.received_at,
        user_id=hit.user_id,
        previous_id=hit.former_id,
        authority="secret",
        protocol=hit.protocol,
    )


def statement(claim: Claim, hit: Hit, source: Source, counts: list[Count]) -> list[Alias]:
    """The statement that the message of `hit` makes: none or one.

    An ID with itself says nothing. An illegal ID, or a page key where the site does not let it speak, is counted, and
    the hit stays.
    """
    policy = source.site.policy
    user_id, previous_id = legal_id(claim.user_id, policy.banned), legal_id(claim.previous_id, policy.banned)
    if not (user_id and previous_id):
        counts.append(Count(source.site.site_id, "rejected", "alias"))
        return []
    if user_id == previous_id:
        return []
    if not (claim.secret or policy.page_aliases):
        counts.append(Count(source.site.site_id, "refused", "page_alias"))
        return []
    return [
        Alias(
            workspace=hit.workspace,
            site_id=hit.site_id,
            event_id=hit.event_id,
            ts=hit.ts,
            received_at=hit.received_at,
            user_id=pseudonym(policy.pseudonyms, hit.workspace, "user_id", user_id),
            previous_id=pseudonym(policy.pseudonyms, hit.workspace, "user_id", previous_id),
            authority="secret" if claim.secret else "page",
            protocol=source.protocol,
        )
    ]
