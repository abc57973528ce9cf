"""The nouns on the log and in ClickHouse, field by field; schemas/ is generated from here and no rule lives here."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

Attribution = Literal["identified", "carried", "backfilled", "anonymous"]
IsoTime = Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", description="UTC, milliseconds")]
Day = Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\d$", description="UTC day")]
Id = Annotated[str, Meta(max_length=255)]
RequiredId = Annotated[str, Meta(min_length=1, max_length=255)]
Keyed = Annotated[str, Meta(pattern="^[0-9a-f]{32}$", description="HMAC-SHA-256 under the erasure key, cut")]
Uuid = Annotated[str, Meta(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]


class Hit(Struct, kw_only=True, omit_defaults=True):
    """One thing a tracker sent, parsed to the common shape, not yet stitched. One JSON line of a `hits` record.

    Absent fields mean their defaults; every field but the first six has one.
    """

    workspace: RequiredId
    site_id: RequiredId
    event_id: RequiredId
    ts: Annotated[IsoTime, Meta(description="event time, clock-corrected; milliseconds, UTC")]
    received_at: Annotated[IsoTime, Meta(description="arrival at ingest")]
    device: Annotated[
        str, Meta(pattern="^[duh]:", description="d: + anonymous ID, else u: + user ID, else h: + event ID")
    ]
    day: Annotated[Day, Meta(description="day of the client's own uncorrected time, else of arrival: a retry keeps it")]
    protocol: str = "native"
    type: str = "track"
    name: str = ""
    anonymous_id: Id = ""
    user_id: Id = ""
    former_id: Annotated[Id, Meta(description="the user under the key before, while a site changes keys")] = ""
    illegal_id: Annotated[str, Meta(description="what came instead of an ID: a word for nobody, never a value")] = ""
    holds: Annotated[bool, Meta(description="a login that persists on the client until a sent logout")] = False
    logout: Annotated[bool, Meta(description="this hit ends the device's identity (reset)")] = False
    url: str = ""
    referrer: str = ""
    title: str = ""
    device_type: str = ""
    browser: str = ""
    os: str = ""
    language: str = ""
    country: str = ""
    ip: Annotated[str, Meta(description="truncated before the log: /24 for IPv4, /48 for IPv6")] = ""
    campaign_source: str = ""
    campaign_medium: str = ""
    campaign_name: str = ""
    campaign_term: str = ""
    campaign_content: str = ""
    revenue: float | None = None
    currency: str = ""
    bot: bool = False
    clock: Annotated[Literal["", "corrected", "clamped"], Meta(description="what was done to the client's time")] = ""
    properties: dict[str, Any] = {}
    traits: Annotated[dict[str, Any], Meta(description="facts about the person; the newest value of a key wins")] = {}
    traits_once: Annotated[dict[str, Any], Meta(description="the same, but the oldest value of a key wins")] = {}
    request_id: Annotated[str, Meta(max_length=64, description="of the HTTP request that brought it")] = ""


class Action(Hit, kw_only=True, omit_defaults=True):
    """A hit with a person: the stitched row. One JSON line of a `stitched` record whose schema is `action/1`."""

    person_id: Uuid
    attribution: Attribution
    version: Annotated[int, Meta(ge=0, description="log epoch x 2^48 + offset of the input record")]
    late: Annotated[bool, Meta(description="arrived after the facts it needs were pruned")] = False


class Link(Struct, kw_only=True, omit_defaults=True):
    """A decision that gives a span of a device's past to a person. One line of a `stitched` record, `link/1`.

    It applies to the device's rows without a user ID, `start` <= ts <= `end`, with a lower version.
    """

    workspace: RequiredId
    device: str
    anonymous_id: RequiredId
    start: IsoTime
    end: Annotated[IsoTime, Meta(description="inclusive")]
    person_id: Uuid
    user_id: Annotated[Id, Meta(description="whose login decided it; empty when the span returns to nobody")] = ""
    attribution: Attribution
    version: Annotated[int, Meta(ge=0)]
    event_id: Annotated[Id, Meta(description="the hit whose fact triggered the decision")]
    decided_at: Annotated[IsoTime, Meta(description="log time of the record that decided")]
    late: bool = False


class Alias(Struct, kw_only=True, omit_defaults=True):
    """A statement that two user IDs are one person, or its withdrawal. One line of an `aliases` record, `alias/1`.

    The pair has no direction. Of the statements about a pair the one of the highest authority counts, then the newest.
    """

    workspace: RequiredId
    site_id: Annotated[str, Meta(max_length=255, description="where it was said; empty for an operator")] = ""
    event_id: RequiredId
    ts: Annotated[IsoTime, Meta(description="when it was said; milliseconds, UTC")]
    received_at: IsoTime
    user_id: RequiredId
    previous_id: RequiredId
    withdrawn: bool = False
    authority: Annotated[
        Literal["page", "secret", "operator"], Meta(description="a key anyone can read, a server's, the operator's")
    ]
    protocol: str = "native"


class Merge(Struct, kw_only=True):
    """Who one user is by what was said about them. One row of `person_merges`, never on the log.

    `canonical_id` is `person_id` where nobody is joined to them, or too many.
    """

    workspace: RequiredId
    user_id: RequiredId
    person_id: Uuid
    canonical_id: Uuid
    component: Annotated[Uuid, Meta(description="the smallest person ever connected to them")]
    users: Annotated[int, Meta(ge=1, description="joined, this one included")] = 1
    refused: bool = False
    event_id: Annotated[str, Meta(description="the newest statement that names this user")] = ""
    version: Annotated[int, Meta(ge=0, description="statements in the component")]


class DeadLetter(Struct, kw_only=True, omit_defaults=True):
    """What could not be processed, with its original bytes. One line of a `dead-letters` record, `dead-letter/1`."""

    id: RequiredId
    source: Annotated[str, Meta(description="where the bytes stand: topic/partition/offset[/line]")]
    reason: Annotated[str, Meta(description="a stable code", pattern="^[a-z_]+$")]
    detail: str = ""
    received_at: IsoTime
    workspace: str = ""
    site_id: str = ""
    request_id: Annotated[str, Meta(description="of the HTTP request that brought it, where it is one line")] = ""
    payload: Annotated[str, Meta(description="the original bytes, base64")]


class HitHead(Struct, gc=False):
    """The part of a Hit that identity reads. Without constraints, decoding it takes a third: the reader checks."""

    workspace: str
    event_id: str
    ts: str
    device: str = ""
    anonymous_id: str = ""
    user_id: str = ""
    holds: bool = False
    logout: bool = False


class Suppressed(Struct, frozen=True, kw_only=True):
    """Whom to forget again whenever they come back, by keyed hashes alone; a line of `erasures`.

    `key_id` tells which erasure key the hashes were made with, and nothing of the key.
    """

    workspace: RequiredId
    kind: Literal["user", "device", "span"]
    hash: Keyed
    since: IsoTime
    until: IsoTime
    certificate: Uuid
    erased_at: IsoTime
    key_id: str = ""


class Mark(Struct, frozen=True):
    """A line between what came before and what comes after, on every partition of `hits` and then of `stitched`.

    `epoch` is the one to stitch under from here on, 0 for the one in force; `erasures` is how many records of that
    topic to know from here on. In `stitched` it says what whoever stitched it knows: by which policy, and with which
    erasure key.
    """

    id: Uuid
    epoch: Annotated[int, Meta(ge=0)] = 0
    erasures: Annotated[int, Meta(ge=0)] = 0
    policy: str = ""
    key_id: str = ""


# Record kinds: the `schema` header of a log record. A reader that meets another version sends it to dead letters.
HIT_SCHEMA = "hit/1"
ACTION_SCHEMA = "action/1"
LINK_SCHEMA = "link/1"
ALIAS_SCHEMA = "alias/1"
DEAD_LETTER_SCHEMA = "dead-letter/1"
STATE_SCHEMA = "device-state/1"
SUPPRESSED_SCHEMA = "suppressed/1"
MARK_SCHEMA = "mark/1"
