"""One set of Matomo parameters: whose it is, whether it is valid, and the hit it makes; it knows no reply."""

import re

from msgspec import Struct

from pipeline.limits import DAY_MS
from pipeline.model import Hit
from pipeline.protocols.clock import parse_any, plausible
from pipeline.protocols.hits import Draft, Source, cut_text, cut_url, first_language, to_hit
from pipeline.protocols.matomo_actions import Params, action_of, invalid_field, number, visitor_id
from pipeline.protocols.matomo_properties import content_of, dimensions_of, properties_of
from pipeline.protocols.policy import refusal
from pipeline.protocols.request import Count, Request
from pipeline.sites import MATOMO, MATOMO_TOKEN, Site, Sites, matomo_token_key

_NEEDS_TOKEN = ("cip", "country", "region", "city", "lat", "long")
_CDT_AGE_MS_MAX = DAY_MS  # older needs the token
_COUNTRY = re.compile(r"[a-z]{2}")


class Call(Struct, frozen=True):
    """The request that parameters came in, and the counts of everything in it."""

    request: Request
    sites: Sites
    counts: list[Count]


class Entry(Struct, frozen=True):
    """What became of one set of parameters: a hit, `refused` by which policy (answered like a hit), or `invalid`."""

    hit: Hit | None = None
    invalid: str = ""
    refused: str = ""


def take(params: dict[str, str], call: Call, occurrence: int = 0) -> Entry:
    """Numbered as Matomo does it: 1 the site, 2 what is invalid for anyone, 3 what needs the token, 4 exclusions."""
    request, sites, counts = call.request, call.sites, call.counts
    idsite = params.get("idsite", "").strip()
    access = sites.find(MATOMO, idsite)
    if access is None:
        return _invalid(counts, "", "idsite")
    trusted = holds_token(sites, idsite, params.get("token_auth", ""))
    client_ms = _client_ms(params, request.now_ms)
    invalid = invalid_field(params) or ("" if trusted else _token_missing(params, client_ms, request.now_ms))
    if invalid:
        return _invalid(counts, access.site.site_id, invalid)
    agent = request.agent_of(params.get("ua") or request.header(b"user-agent"))
    refused = _exclusion(params, request) or refusal(request, access.site, agent, params.get("bots") == "1")
    if refused:
        counts.append(Count(access.site.site_id, "refused", refused))
        return Entry(refused=refused)
    draft = _draft(params, request, access.site, counts)
    draft.client_ms = client_ms
    order = draft.type == "order"  # reported again when the visitor reloads the page: it is the same order
    draft.occurrence = 0 if order or params.get("rand") or params.get("r") else occurrence
    return Entry(to_hit(draft, Source(MATOMO, request, access.site, agent), counts))


def holds_token(sites: Sites, idsite: str, token: str) -> bool:
    """Whether the token is one of that site's."""
    return bool(token) and sites.find(MATOMO_TOKEN, matomo_token_key(idsite, token)) is not None


def _invalid(counts: list[Count], site_id: str, name: str) -> Entry:
    counts.append(Count(site_id, "rejected", name))
    return Entry(invalid=name)


def _exclusion(params: Params, request: Request) -> str:
    if params.get("rec", "") != "1":
        return "rec"
    return "ignored" if "matomo_ignore=ignore" in request.header(b"cookie") else ""


def _token_missing(params: Params, client_ms: int | None, now_ms: int) -> str:
    """The parameter that only a holder of the site's token may send, or ""."""
    if client_ms is not None and client_ms < now_ms - _CDT_AGE_MS_MAX:
        return "cdt"
    return next((name for name in _NEEDS_TOKEN if params.get(name)), "")


def _client_ms(params: Params, now_ms: int) -> int | None:
    """`cdt` less `cdo` seconds; a time ahead of ours or before 2000 is ignored, as is one that cannot be read."""
    told = params.get("cdt", "")
    moment = parse_any(told) if told else None
    back = number(params.get("cdo", ""))
    if back is not None and (moment is not None or not told):
        moment = (now_ms if moment is None else moment) - int(min(abs(back), 1e12) * 1_000)
    return moment if moment is not None and plausible(moment) and moment <= now_ms else None


def _draft(params: Params, request: Request, site: Site, counts: list[Count]) -> Draft:
    action = action_of(params)
    title = cut_text(params.get("action_name", ""), "action_name", site, counts)
    url, referrer = params.get("url", ""), params.get("urlref", "")
    if not url and not referrer:
        url = request.header(b"referer")
    draft = Draft(
        type=action.type,
        name=cut_text(action.name, "name", site, counts),
        content=b"order\n" + action.name.encode() if action.type == "order" else content_of(params),
        anonymous_id=visitor_id(params),
        user_id=params.get("uid", ""),
        url=cut_url(url, "url", site, counts),
        referrer=cut_url(referrer, "urlref", site, counts),
        title=title,
        language=first_language(params.get("lang", "")),
        ip=params.get("cip", ""),
        revenue=action.revenue,
        properties=properties_of(params, site, counts),
        traits=dimensions_of(params, site, counts),
    )
    country = params.get("country", "").lower()
    if _COUNTRY.fullmatch(country):
        draft.country = country
    return draft
