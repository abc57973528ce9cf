"""Snowplow's collector: `POST /vendor/tp2` and the pixel; what an event means is snowplow_events'."""

from typing import Any

from msgspec import structs

from pipeline.limits import SNOWPLOW_BATCH_MAX
from pipeline.model import Hit
from pipeline.protocols.forms import parse_form, texts_of, too_many
from pipeline.protocols.hits import Source, to_hit
from pipeline.protocols.json_text import Malformed, decode
from pipeline.protocols.matomo import GIF
from pipeline.protocols.policy import refusal
from pipeline.protocols.request import Count, Outcome, Protocol, Reply, Request
from pipeline.protocols.snowplow_events import draft_of
from pipeline.sites import SNOWPLOW, Sites

_OK = Reply(200, b"ok", ((b"content-type", b"text/plain; charset=utf-8"),))
_PIXEL = Reply(200, GIF, ((b"content-type", b"image/gif"), (b"cache-control", b"no-cache, no-store, must-revalidate")))
# Not 413: Snowplow's trackers send again, for ever, what was refused with that.
_TOO_MANY = Reply(400, b"more than %d events" % SNOWPLOW_BATCH_MAX, ((b"content-type", b"text/plain; charset=utf-8"),))


def handle(request: Request, sites: Sites) -> Outcome:
    """A collector takes everything: an event that is none is counted, and its tracker told `ok`, lest it try again."""
    if request.method == "GET":
        counts = [Count("", "cut", "parameters")] if too_many(request.query) else []
        return Outcome(_PIXEL, _take(request, sites, [parse_form(request.query)], counts), counts)
    decoded = decode(request.body)
    payload = None if isinstance(decoded, Malformed) else decoded.value
    events = payload.get("data") if type(payload) is dict else None
    if type(events) is not list or not events:
        return Outcome(_OK, counts=(Count("", "rejected", "body" if payload is None else "data"),))
    if len(events) > SNOWPLOW_BATCH_MAX:
        return Outcome(_TOO_MANY, counts=(Count("", "rejected", "data"),))
    counts = []
    return Outcome(_OK, _take(request, sites, events, counts), counts)


def _take(request: Request, sites: Sites, events: list[Any], counts: list[Count]) -> list[Hit]:
    """Each event on its own, numbered: 1 its site, 2 whether the site takes it, 3 what it means."""
    anonymous = b"sp-anonymous" in request.headers
    request = structs.replace(request, ip="") if anonymous else request
    hits: list[Hit] = []
    for event in events:
        params = texts_of(event)
        access = sites.find(SNOWPLOW, params.get("aid", ""))
        if access is None:
            counts.append(Count("", "rejected", "aid"))
            continue
        site = access.site
        agent = request.agent_of(params.get("ua") or request.header(b"user-agent"))
        if refused := refusal(request, site, agent):
            counts.append(Count(site.site_id, "refused", refused))
            continue
        draft = draft_of(params, site, counts)
        if isinstance(draft, str):
            counts.append(Count(site.site_id, "rejected", draft))
            continue
        if anonymous:
            draft.ip = ""
        hits.append(to_hit(draft, Source(SNOWPLOW, request, site, agent), counts))
    return hits


PROTOCOL = Protocol(name=SNOWPLOW, handle=handle, methods=("GET", "POST"), suffixes=("/tp2", "/i", "/ice.png"))
