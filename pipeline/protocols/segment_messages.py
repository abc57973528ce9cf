"""One message of Segment's specification (RudderStack's is the same but for sign-out) to a Draft; it knows no reply."""

from typing import Any

import orjson

from pipeline.limits import ID_CHARS_MAX
from pipeline.protocols.aliases import Claim
from pipeline.protocols.campaigns import Campaign
from pipeline.protocols.hits import Draft, cut_text, cut_url, first_language
from pipeline.protocols.members import amount, currency, mapping, moment, text
from pipeline.protocols.messages import Fault, Told, storage_fault
from pipeline.protocols.request import Count
from pipeline.sites import Site

SEGMENT, RUDDER = "segment", "rudderstack"
KINDS = ("identify", "track", "page", "screen", "group", "alias", "merge")
_USERS = ("userId", "user_id")
# What has a field of its own in a hit is not kept again among the properties.
_CONTEXT_FIELDS = frozenset({"page", "campaign", "traits", "locale", "userAgent", "ip"})
_CAMPAIGN_CHARS_MAX = 255


def read(
    message: dict[str, Any], kind: str, site: Site, counts: list[Count], *, suspect: bool, secret: bool
) -> Told | Fault:
    """The message as a Draft, or the Fault that RudderStack and Segment would find too."""
    if kind not in KINDS:
        return Fault("type", f"expected one of {', '.join(KINDS)}")
    anonymous_id, user_id = text(message.get("anonymousId")), text(message.get("userId"))
    pair = _merged(message) if kind == "merge" else (user_id, text(message.get("previousId")))
    if kind == "merge":
        if pair is None:
            return Fault("mergeProperties", "expected two objects of type userId")
        user_id = pair[0]
    if not (anonymous_id or user_id):
        return Fault("userId", "request neither has anonymousId nor userId")
    faulty = storage_fault(message, ("properties", "traits", "context", "integrations"), suspect)
    if faulty:
        return faulty
    context = mapping(message.get("context"))
    # RudderStack's server SDKs go by the names of Segment's; what only its own write is `channel`.
    rudder = "channel" in message or "rudder" in text(mapping(context.get("library")).get("name")).lower()
    draft = _draft(message, kind, context, site, counts)
    draft.anonymous_id, draft.user_id, draft.holds = anonymous_id, user_id, not rudder
    said = kind in ("alias", "merge") and pair is not None and pair[1] not in ("", anonymous_id)
    return Told(draft, RUDDER if rudder else SEGMENT, Claim(user_id, pair[1], secret) if said and pair else None)


def _merged(message: dict[str, Any]) -> tuple[str, str] | None:
    """RudderStack's merge of two IDs; only user IDs can be one person."""
    members = message.get("mergeProperties")
    if type(members) is not list or len(members) != 2:
        return None
    values = [text(mapping(m).get("value")) for m in members if mapping(m).get("type") in _USERS]
    return (values[1], values[0]) if len(values) == 2 and all(values) else None


def _draft(message: dict[str, Any], kind: str, context: dict[str, Any], site: Site, counts: list[Count]) -> Draft:
    properties, page = mapping(message.get("properties")), mapping(context.get("page"))
    client_ms = moment(message.get("originalTimestamp"))
    client_ms = moment(message.get("timestamp")) if client_ms is None else client_ms
    said = text(message.get("messageId"))
    draft = Draft(
        type=kind,
        name=cut_text(_name(message, kind), "name", site, counts),
        event_id=said if len(said) <= ID_CHARS_MAX else "",
        client_ms=client_ms,
        sent_ms=moment(message.get("sentAt")),
        url=cut_url(text(properties.get("url")) or text(page.get("url")), "url", site, counts),
        referrer=cut_url(text(properties.get("referrer")) or text(page.get("referrer")), "referrer", site, counts),
        title=cut_text(text(properties.get("title")) or text(page.get("title")), "title", site, counts),
        language=first_language(text(context.get("locale"))),
        ip=text(context.get("ip")),
        user_agent=text(context.get("userAgent")),
        revenue=amount(properties.get("revenue")),
        currency=currency(properties.get("currency")),
        campaign=_campaign(mapping(context.get("campaign"))),
        properties=_properties(message, kind, properties, context),
        traits=mapping(context.get("traits")) | mapping(message.get("traits")) if kind == "identify" else {},
    )
    if not draft.event_id and client_ms is not None:
        draft.content = orjson.dumps({k: v for k, v in message.items() if k != "sentAt"}, option=orjson.OPT_SORT_KEYS)
    return draft


def _name(message: dict[str, Any], kind: str) -> str:
    if kind == "track":
        return text(message.get("event"))
    if kind == "group":
        return text(message.get("groupId"))
    return text(message.get("name")) or text(message.get("category"))


def _properties(
    message: dict[str, Any], kind: str, properties: dict[str, Any], context: dict[str, Any]
) -> dict[str, Any]:
    """The message's own, and what is stored without being understood: a group's traits, context, integrations."""
    kept = dict(properties)
    if kind == "group":
        kept |= mapping(message.get("traits"))
    if category := text(message.get("category")):
        kept.setdefault("category", category)
    rest = {name: value for name, value in context.items() if name not in _CONTEXT_FIELDS}
    for name, value in (("context", rest), ("integrations", mapping(message.get("integrations")))):
        if value:
            kept.setdefault(name, value)
    return kept


def _campaign(told: dict[str, Any]) -> Campaign | None:
    parts = {
        name: text(told.get(name))[:_CAMPAIGN_CHARS_MAX] for name in ("source", "medium", "name", "term", "content")
    }
    return Campaign(**parts) if any(parts.values()) else None
