"""One event of PostHog's capture API to a Draft: who is anonymous, who a user, what a trait; it knows no reply."""

from typing import Any

import orjson

from pipeline.limits import ID_CHARS_MAX
from pipeline.protocols.aliases import Claim
from pipeline.protocols.hits import Draft, cut_text, cut_url, first_language
from pipeline.protocols.members import amount, mapping, moment, text
from pipeline.protocols.messages import Fault, Told, storage_fault
from pipeline.protocols.request import Count
from pipeline.sites import Site

POSTHOG = "posthog"
_PAGES = {"$pageview": "page", "$screen": "screen", "$pageleave": "ping", "$identify": "identify"}
_PAGES |= {"$create_alias": "alias", "$merge_dangerously": "alias", "$set": "identify", "$groupidentify": "group"}
_MERGES = ("$create_alias", "$merge_dangerously")
# What has a field of its own in a hit is not kept again among the properties.
_CONSUMED = frozenset(
    (
        "token",
        "distinct_id",
        "$distinct_id",
        "$anon_distinct_id",
        "$user_id",
        "alias",
        "$set",
        "$set_once",
        "$current_url",
        "$referrer",
        "$title",
        "$browser_language",
        "$raw_user_agent",
        "$ip",
    )
)
_DIRECT = "$direct"  # the browser SDK's word for no referrer


def read(event: dict[str, Any], site: Site, counts: list[Count], *, suspect: bool, secret: bool) -> Told | Fault:
    """The event as a Draft, or why PostHog too would take none of it."""
    properties = mapping(event.get("properties"))
    name = text(event.get("event"))
    distinct_id = _distinct_id(event, properties)
    if not name:
        return Fault("event", "expected the event's name")
    if not distinct_id:
        return Fault("distinct_id", "expected the ID of a user or a visitor")
    found = storage_fault(event, ("properties", "$set", "$set_once"), suspect)
    if found:
        return found
    draft = _draft(event, name, properties, site, counts)
    previous = text(properties.get("$anon_distinct_id"))
    other = text(properties.get("alias"))
    device = text(properties.get("$device_id"))
    if name in _MERGES:
        draft.user_id, draft.anonymous_id = other or distinct_id, device if device != distinct_id else ""
        return Told(draft, POSTHOG, Claim(draft.user_id, distinct_id, secret) if other else None)
    if name == "$identify":
        draft.user_id, draft.anonymous_id = distinct_id, previous or device
    elif _anonymous(distinct_id, device, properties):
        draft.anonymous_id = distinct_id
    else:
        # The device ID outlives `reset()`, but what is anonymous after it comes under a new distinct ID: so it names
        # the device of a user's events without giving anybody else's to that user.
        draft.user_id, draft.anonymous_id = distinct_id, device
    return Told(draft, POSTHOG)


def _distinct_id(event: dict[str, Any], properties: dict[str, Any]) -> str:
    candidates = (event.get("distinct_id"), properties.get("distinct_id"), properties.get("$distinct_id"))
    return next((found for candidate in candidates if (found := text(candidate).strip())), "")


def _anonymous(distinct_id: str, device: str, properties: dict[str, Any]) -> bool:
    """Whether the distinct ID is a visitor's: the SDK says so, or it is the device's own."""
    if properties.get("$is_identified") in (True, False):
        return properties["$is_identified"] is False
    return distinct_id == device or properties.get("$process_person_profile") is False


def _draft(event: dict[str, Any], name: str, properties: dict[str, Any], site: Site, counts: list[Count]) -> Draft:
    said = text(event.get("uuid")) or text(properties.get("$insert_id"))
    referrer = text(properties.get("$referrer"))
    draft = Draft(
        type=_PAGES.get(name, "track"),
        name=cut_text(text(properties.get("$screen_name")) if name == "$screen" else name, "event", site, counts),
        event_id=said if len(said) <= ID_CHARS_MAX else "",
        client_ms=moment(event.get("timestamp")),
        holds=True,
        url=cut_url(text(properties.get("$current_url")), "$current_url", site, counts),
        referrer=cut_url("" if referrer == _DIRECT else referrer, "$referrer", site, counts),
        title=cut_text(text(properties.get("$title")) or text(properties.get("title")), "title", site, counts),
        language=first_language(text(properties.get("$browser_language"))),
        ip=text(properties.get("$ip")),
        user_agent=text(properties.get("$raw_user_agent")),
        revenue=amount(properties.get("revenue")),
        properties={key: value for key, value in properties.items() if key not in _CONSUMED},
        traits=mapping(properties.get("$set")) | mapping(event.get("$set")),
        traits_once=mapping(properties.get("$set_once")) | mapping(event.get("$set_once")),
    )
    if not draft.event_id and draft.client_ms is not None:
        draft.content = orjson.dumps(event, option=orjson.OPT_SORT_KEYS)
    return draft
