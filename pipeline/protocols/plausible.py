"""Plausible's `POST /api/event`: short and long names, its replies, and a convention for who it was.

Plausible knows no users and no devices; a hit stands alone. By our convention the custom properties `user_id` and
`anonymous_id` say who it was and on which device. Whoever keeps a first-party ID sets them with `customProperties`.
"""

from typing import Any

import orjson
from msgspec import Struct

from pipeline.limits import EVENT_BYTES_MAX
from pipeline.model import Hit
from pipeline.protocols.hits import Draft, Source, cut_text, cut_url, to_hit
from pipeline.protocols.json_text import Malformed, decode, object_fault
from pipeline.protocols.members import amount, currency, mapping, text
from pipeline.protocols.policy import refusal
from pipeline.protocols.request import JSON_TYPE, Count, Headers, Outcome, Protocol, Reply, Request
from pipeline.sites import PLAUSIBLE, Site, Sites

_DOMAINS_MAX = 20  # a page may report to several dashboards at once
_TEXT: Headers = ((b"content-type", b"text/plain; charset=utf-8"),)
_OK = Reply(202, b"ok", _TEXT)
_DROPPED = Reply(202, b"ok", (*_TEXT, (b"x-plausible-dropped", b"1")))
_WHO = ("user_id", "anonymous_id")
_TYPES = {"pageview": "page", "engagement": "ping"}


class _Event(Struct, frozen=True):
    """An event's members under their long names."""

    name: str
    url: str
    domains: tuple[str, ...]
    referrer: str
    props: dict[str, Any]
    revenue: dict[str, Any]
    extra: dict[str, Any]


def handle(request: Request, sites: Sites) -> Outcome:
    """202 for what is taken and, with a header, for what is not; 400 for what is no event."""
    if len(request.body) > EVENT_BYTES_MAX:
        return _refuse(413, "request", f"larger than {EVENT_BYTES_MAX} bytes")
    decoded = decode(request.body)
    if isinstance(decoded, Malformed) or type(decoded.value) is not dict:
        return _refuse(400, "request", "Unable to parse request body as json")
    event = _event(decoded.value)
    for field, given in (("event_name", event.name), ("url", event.url), ("domain", event.domains)):
        if not given:
            return _refuse(400, field, "can't be blank")
    if object_fault(event.extra | event.props):
        return _refuse(400, "props", "cannot be stored: too many, too long, or not text")
    counts: list[Count] = []
    hits = [hit for domain in event.domains if (hit := _take(event, domain, request, sites, counts))]
    return Outcome(_OK if hits else _DROPPED, hits, counts)


def _refuse(status: int, field: str, why: str) -> Outcome:
    reply = Reply(status, orjson.dumps({"errors": {field: [why]}}), JSON_TYPE)
    return Outcome(reply, counts=(Count("", "rejected", field),))


def _event(body: dict[str, Any]) -> _Event:
    """The short name wins, as in Plausible. `hashMode` is not needed: the URL comes with its hash."""
    domains = text(_first(body, "d", "domain")).lower().split(",", _DOMAINS_MAX)[:_DOMAINS_MAX]
    extra = {"interactive": body.get("i", body.get("interactive")), "scroll_depth": body.get("sd")}
    extra |= {"engagement_time": body.get("e")}
    return _Event(
        name=text(_first(body, "n", "name")),
        url=text(_first(body, "u", "url")),
        domains=tuple(dict.fromkeys(name for domain in domains if (name := domain.strip()))),
        referrer=text(_first(body, "r", "referrer")),
        props=_object(_first(body, "p", "m", "props", "meta")),
        revenue=_object(_first(body, "$", "revenue")),
        extra={name: value for name, value in extra.items() if type(value) in (bool, int, float)},
    )


def _first(body: dict[str, Any], *names: str) -> Any:
    return next((body[name] for name in names if body.get(name) is not None), None)


def _object(value: Any) -> dict[str, Any]:
    """Older scripts send an object as JSON in a text."""
    if type(value) is not str:
        return mapping(value)
    decoded = decode(value.encode("utf-8", "replace"))
    return {} if isinstance(decoded, Malformed) else mapping(decoded.value)


def _take(event: _Event, domain: str, request: Request, sites: Sites, counts: list[Count]) -> Hit | None:
    access = sites.find(PLAUSIBLE, domain)
    if access is None:
        counts.append(Count("", "rejected", "domain"))
        return None
    agent = request.agent_of(request.header(b"user-agent"))
    if refused := refusal(request, access.site, agent):
        counts.append(Count(access.site.site_id, "refused", refused))
        return None
    return to_hit(_draft(event, access.site, counts), Source(PLAUSIBLE, request, access.site, agent), counts)


def _draft(event: _Event, site: Site, counts: list[Count]) -> Draft:
    """An engagement tells of a page that was left, and is sent when the next one opens: perhaps after a sign-out, and
    in a race with it. So one with a user says whose the page was, and nothing about the device now."""
    kind = _TYPES.get(event.name, "track")
    user_id, device = (text(event.props.get(name)) for name in _WHO)
    return Draft(
        type=kind,
        name=cut_text(event.name, "name", site, counts) if kind == "track" else "",
        anonymous_id="" if kind == "ping" and user_id else device,
        user_id=user_id,
        url=cut_url(event.url, "url", site, counts),
        referrer=cut_url(event.referrer, "referrer", site, counts),
        revenue=amount(event.revenue.get("amount")),
        currency=currency(event.revenue.get("currency")),
        properties=event.extra | {name: value for name, value in event.props.items() if name not in _WHO},
    )


PROTOCOL = Protocol(name=PLAUSIBLE, handle=handle, methods=("POST",), paths=("/api/event",))
