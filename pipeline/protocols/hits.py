"""From what a protocol found to a Hit: IDs, time, device, campaign, address; it must not know any wire format."""

from functools import lru_cache
from typing import Any

from msgspec import Struct, field

from pipeline.identity.ids import NAMELESS, device_of, legal_id
from pipeline.limits import ID_CHARS_MAX, URL_CHARS_MAX, VALUE_BYTES_MAX
from pipeline.model import Hit
from pipeline.protocols.addresses import truncated
from pipeline.protocols.campaigns import NO_CAMPAIGN, Campaign, campaign_in
from pipeline.protocols.clock import event_time
from pipeline.protocols.event_ids import content_id
from pipeline.protocols.pseudonyms import former_id, pseudonym
from pipeline.protocols.request import Agent, Count, Request
from pipeline.sites import Site
from pipeline.times import iso

LANGUAGE_CHARS_MAX = 35
_LABEL_CHARS_MAX = 64


class Draft(Struct):
    """What a protocol found in one item, unchecked IDs included. Texts are valid, free of NUL, and within limits."""

    type: str
    name: str = ""
    event_id: str = ""  # the client's own; else `content` decides; else it is made at arrival
    content: bytes = b""  # what the client sent, if that has a cache-buster or timestamp of its own
    occurrence: int = 0
    client_ms: int | None = None  # plausible
    sent_ms: int | None = None
    anonymous_id: str = ""
    user_id: str = ""
    holds: bool = False  # the protocol's logins hold, and so does this one
    logout: bool = False
    url: str = ""
    referrer: str = ""
    title: str = ""
    language: str = ""
    country: str = ""
    ip: str = ""  # the visitor's, where the sender may speak for one
    user_agent: str = ""  # the same
    revenue: float | None = None
    currency: str = ""
    campaign: Campaign | None = None
    properties: dict[str, Any] = field(default_factory=dict)
    traits: dict[str, Any] = field(default_factory=dict)
    traits_once: dict[str, Any] = field(default_factory=dict)


class Source(Struct, frozen=True):
    """Where a hit comes from, the same for all items of a request that belong to one site."""

    protocol: str
    request: Request
    site: Site
    agent: Agent


def to_hit(draft: Draft, source: Source, counts: list[Count]) -> Hit:
    """The hit. An ID that is none is left out and counted, and the rest of the hit stays."""
    request, site, agent = source.request, source.site, source.agent
    illegal: list[str] = []
    anonymous_id = _id(draft.anonymous_id, "anonymous_id", site, illegal)
    user_id = _id(draft.user_id, "user_id", site, illegal)
    counts += [Count(site.site_id, "illegal_id", label) for label in illegal]
    former = ""
    if (keys := site.policy.pseudonyms) is not None:  # checked before: a pseudonym of `null` would look like an ID
        anonymous_id = pseudonym(keys, site.workspace, "anonymous_id", anonymous_id)
        former = former_id(keys, site.workspace, user_id)
        user_id = pseudonym(keys, site.workspace, "user_id", user_id)
    event_id = draft.event_id or (
        content_id(site.site_id, draft.content, draft.occurrence) if draft.content else request.new_id()
    )
    ts_ms, client_ms, clock = event_time(draft.client_ms, draft.sent_ms, request.now_ms)
    ts = request.received_at if ts_ms == request.now_ms else iso(ts_ms)
    campaign = draft.campaign or (campaign_in(draft.url) if draft.url else NO_CAMPAIGN)
    return Hit(
        workspace=site.workspace,
        site_id=site.site_id,
        event_id=event_id,
        ts=ts,
        received_at=request.received_at,
        device=device_of(anonymous_id, user_id, event_id),
        day=(ts if client_ms == ts_ms else iso(client_ms))[:10],
        protocol=source.protocol,
        type=draft.type,
        name=draft.name,
        anonymous_id=anonymous_id,
        user_id=user_id,
        former_id=former,
        illegal_id=", ".join(illegal),
        holds=draft.holds and not draft.logout and user_id != "",
        logout=draft.logout,
        url=draft.url,
        referrer=draft.referrer,
        title=draft.title,
        device_type=agent.device_type,
        browser=agent.browser,
        os=agent.os,
        language=draft.language or first_language(request.header(b"accept-language")),
        country=draft.country,
        ip="" if site.policy.ip == "drop" else truncated(draft.ip or request.ip),
        campaign_source=campaign.source,
        campaign_medium=campaign.medium,
        campaign_name=campaign.name,
        campaign_term=campaign.term,
        campaign_content=campaign.content,
        revenue=draft.revenue,
        currency=draft.currency,
        bot=agent.bot,
        clock=clock,
        properties=draft.properties,
        traits=draft.traits,
        traits_once=draft.traits_once,
    )


def _id(text: str, which: str, site: Site, illegal: list[str]) -> str:
    """The ID as it is used, or "" and, unless nothing was sent, a note of what was sent instead."""
    if not text:
        return ""
    legal = legal_id(text, site.policy.banned)
    if not legal:
        illegal.append(f"{which}: {_label(text)}")
    return legal


def _label(text: str) -> str:
    """The illegal value as a label: these are words that say nothing about a person, unless long, or a pattern's."""
    folded = text.strip().casefold()
    if len(folded) > ID_CHARS_MAX:
        return "(too long)"
    if folded.startswith(NAMELESS):  # what follows may be anything
        return f"({NAMELESS}…)"
    return folded if not legal_id(text) and len(folded) <= _LABEL_CHARS_MAX else "(site's own list)"


@lru_cache(maxsize=4_096)
def first_language(accepted: str) -> str:
    """`de-DE,de;q=0.9` -> `de-DE`."""
    first = accepted.split(",", 1)[0].split(";", 1)[0].strip()
    return first if len(first) <= LANGUAGE_CHARS_MAX and first.replace("-", "").isalnum() else ""


def cut_text(text: str, field_name: str, site: Site, counts: list[Count], bytes_max: int = VALUE_BYTES_MAX) -> str:
    """The text, cut to whole characters if it is too long, and counted: for protocols that never refuse for that."""
    if len(text) * 4 <= bytes_max or len(encoded := text.encode()) <= bytes_max:
        return text
    counts.append(Count(site.site_id, "cut", field_name))
    return encoded[:bytes_max].decode("utf-8", "ignore")


def cut_url(text: str, field_name: str, site: Site, counts: list[Count]) -> str:
    """The same for a URL."""
    return cut_text(text, field_name, site, counts, URL_CHARS_MAX)
