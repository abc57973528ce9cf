"""MetricsWave's webhook, `/webhooks/{uuid}`: any parameter is the event's own, a handful mean something."""

from typing import Any

import orjson

from pipeline.limits import EVENT_BYTES_MAX, KEY_BYTES_MAX, PROPERTIES_MAX
from pipeline.protocols.campaigns import campaign_in, campaign_of
from pipeline.protocols.clock import parse_any, plausible
from pipeline.protocols.forms import parse_body, parse_form, too_many
from pipeline.protocols.hits import Draft, Source, cut_text, cut_url, first_language, to_hit
from pipeline.protocols.matomo_actions import number
from pipeline.protocols.policy import refusal
from pipeline.protocols.request import JSON_TYPE, Count, Outcome, Protocol, Reply, Request
from pipeline.sites import METRICSWAVE, Access, Site, Sites

# The first that is given wins.
USER_NAMES = ("user_parameter", "user", "userId", "user_id", "user-id")
_NO_REQUIREMENT = frozenset({"user_id"})
_FIELDS = frozenset({"deviceName", "triggered_at", "f", "language", "userAgent", "referrer"})
_PAGE_FIELDS = frozenset({"path", "domain"})
# visits.js hands null to URLSearchParams, which writes it out.
_NULLS = frozenset({"", "null", "undefined"})


def handle(request: Request, sites: Sites) -> Outcome:
    """204 for a hit and for a refused one; 400 names missing parameters, 404 is an unknown UUID, 413 too much."""
    access = sites.find(METRICSWAVE, request.path.rpartition("/")[2].lower())
    if access is None:
        return _refuse(404, "Not found", Count("", "rejected", "uuid"))
    site = access.site
    if len(request.body) > EVENT_BYTES_MAX:
        return _refuse(413, f"Larger than {EVENT_BYTES_MAX} bytes", Count(site.site_id, "rejected", "body"))
    given = parse_form(request.query) if request.method == "GET" else parse_body(request.body)
    params = {name: text for name, raw in given.items() if (text := raw.strip()) and text not in _NULLS}
    page = params.get("f") == "script"
    missing = [] if page else [n for n in access.required if n not in params and n not in _NO_REQUIREMENT]
    if missing:
        names = ", ".join(missing)
        return _refuse(400, f"Missing parameters: {names}", Count(site.site_id, "rejected", "parameters"))
    agent = request.agent_of(params.get("userAgent") or request.header(b"user-agent"))
    if refused := refusal(request, site, agent):
        return Outcome(Reply(204), counts=(Count(site.site_id, "refused", refused),))
    sent = request.query if request.method == "GET" else request.body
    counts = [Count(site.site_id, "cut", "parameters")] if too_many(sent) else []
    draft = _page(params, access, counts) if page else _event(params, access, counts)
    _fill(draft, params, site, counts)
    return Outcome(Reply(204), [to_hit(draft, Source(METRICSWAVE, request, site, agent), counts)], counts)


def _refuse(status: int, message: str, count: Count) -> Outcome:
    return Outcome(Reply(status, orjson.dumps({"message": message}), JSON_TYPE), counts=(count,))


def _page(params: dict[str, str], access: Access, counts: list[Count]) -> Draft:
    """What visits.js sends at every page: the URL comes in two parts, the campaign in its own parameters."""
    domain, path = params.get("domain", ""), params.get("path", "")
    url = cut_url(f"https://{domain}{path}" if domain else path, "url", access.site, counts)
    campaign = campaign_of(params.items())
    return Draft(type="page", name=access.event, url=url, campaign=campaign)


def _event(params: dict[str, str], access: Access, counts: list[Count]) -> Draft:
    """Anything else. `amount` is in cents."""
    url = cut_url(params.get("url", ""), "url", access.site, counts)
    cents = number(params.get("amount", ""))
    return Draft(
        type="track",
        name=access.event,
        url=url,
        campaign=campaign_of(params.items()) if "utm_source" in params else campaign_in(url),
        revenue=None if cents is None else cents / 100,
    )


def _fill(draft: Draft, params: dict[str, str], site: Site, counts: list[Count]) -> None:
    """What pages and events share. `user` tags one hit and says nothing about the next: it does not hold."""
    told = parse_any(params.get("triggered_at", ""))
    if told is not None and plausible(told):
        draft.client_ms = told
        draft.content = orjson.dumps(params, option=orjson.OPT_SORT_KEYS)
    draft.anonymous_id = params.get("deviceName", "")
    draft.user_id = next((params[name] for name in USER_NAMES if name in params), "")
    draft.language = first_language(params.get("language", ""))
    referrer = params.get("referrer", "")
    draft.referrer = cut_url(referrer, "referrer", site, counts)
    skipped = _FIELDS | frozenset(USER_NAMES) | (_PAGE_FIELDS if draft.type == "page" else frozenset())
    draft.properties = _properties(params, skipped, site, counts)


def _properties(params: dict[str, str], skipped: frozenset[str], site: Site, counts: list[Count]) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    for name, text in params.items():
        if name in skipped:
            continue
        if not name or len(properties) >= PROPERTIES_MAX or len(name.encode()) > KEY_BYTES_MAX:
            counts.append(Count(site.site_id, "cut", "properties"))
            continue
        properties[name] = cut_text(text, "properties", site, counts)
    return properties


PROTOCOL = Protocol(name=METRICSWAVE, handle=handle, methods=("GET", "POST"), prefixes=("/webhooks/",))
