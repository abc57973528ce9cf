"""Umami's `/api/send` and `/api/batch`: its types, its replies, and a device that is a token of ours, no fingerprint.

Umami tells visitors apart by address and user agent. Here the reply's `cache`, which Umami's clients send back with
their next event, is a random device ID: pages of one client session share it, and two people behind one address
never do. A client that does not send it back is on a new device with every event, unless it names the user.
"""

import re
from collections import Counter
from typing import Any

import orjson
from msgspec import Struct

from pipeline.identity.ids import legal_id
from pipeline.limits import BULK_HITS_MAX, EVENT_BYTES_MAX
from pipeline.model import Hit
from pipeline.protocols.hits import Draft, Source, cut_text, cut_url, first_language, to_hit
from pipeline.protocols.json_text import Malformed, decode, object_fault
from pipeline.protocols.members import amount, currency, mapping, moment, text
from pipeline.protocols.policy import refusal
from pipeline.protocols.request import JSON_TYPE, Count, Outcome, Protocol, Reply, Request
from pipeline.sites import UMAMI, Site, Sites

_TYPES = {"event": "page", "identify": "identify", "performance": "track"}
_VITALS = ("lcp", "inp", "cls", "fcp", "ttfb")
_KEPT = ("screen", "tag", "browser", "os", "device")
_TOKEN = re.compile(r"[0-9A-Za-z-]{1,64}")
_BEEP = {"beep": "boop"}  # what Umami says to a robot; its clients take it for an answer


class _Fault(Struct, frozen=True):
    """Why an item is no hit: the field to count it under, and the message."""

    field: str
    message: str
    site_id: str = ""
    status: int = 400


class _Entry(Struct, frozen=True):
    """An item's hit, or None if a policy refused it; and what its client is told."""

    hit: Hit | None
    told: dict[str, str]


def handle(request: Request, sites: Sites) -> Outcome:
    """One item, or with `/api/batch` an array of them, each on its own."""
    decoded = decode(request.body)
    if isinstance(decoded, Malformed):
        return _refused(_Fault("body", decoded.reason))
    counts: list[Count] = []
    if request.path.endswith("/batch"):
        return _batch(request, sites, decoded.value, counts)
    entry = _take(request, sites, decoded.value, counts, Counter())
    if isinstance(entry, _Fault):
        return _refused(entry)
    return Outcome(Reply(200, orjson.dumps(entry.told), JSON_TYPE), [entry.hit] if entry.hit else [], counts)


def _refused(fault: _Fault) -> Outcome:
    reply = Reply(fault.status, orjson.dumps({"message": fault.message}), JSON_TYPE)
    return Outcome(reply, counts=(Count(fault.site_id, "rejected", fault.field),))


def _batch(request: Request, sites: Sites, items: Any, counts: list[Count]) -> Outcome:
    """A batch without a token may be a server's, of many visitors: each item is then on a device of its own."""
    if type(items) is not list:
        return _refused(_Fault("body", "expected an array"))
    if len(items) > BULK_HITS_MAX:
        return _refused(_Fault("body", f"more than {BULK_HITS_MAX} items", status=413))
    hits: list[Hit] = []
    faults: list[dict[str, Any]] = []
    seen: Counter[bytes] = Counter()
    token = ""
    for index, item in enumerate(items):
        entry = _take(request, sites, item, counts, seen)
        if isinstance(entry, _Fault):
            counts.append(Count(entry.site_id, "rejected", entry.field))
            faults.append({"index": index, "response": {"message": entry.message}})
            continue
        token = token or entry.told.get("cache", "")
        hits += [entry.hit] if entry.hit else []
    answer: dict[str, Any] = {"size": len(items), "processed": len(items) - len(faults), "errors": len(faults)}
    answer |= {"details": faults, "cache": token} if token else {"details": faults}
    return Outcome(Reply(200, orjson.dumps(answer), JSON_TYPE), hits, counts)


def _take(request: Request, sites: Sites, item: Any, counts: list[Count], seen: Counter[bytes]) -> _Entry | _Fault:
    """Numbered as they happen: 1 the item's form, 2 its site, 3 whether the site takes it, 4 what it means."""
    payload = mapping(item).get("payload")
    kind = text(mapping(item).get("type"))
    if type(payload) is not dict or kind not in _TYPES:
        return _Fault("payload" if kind in _TYPES else "type", f"expected a payload and one of {', '.join(_TYPES)}")
    access = sites.find(UMAMI, text(payload.get("website")).lower())
    if access is None:
        return _Fault("website", "Website not found.")
    site = access.site
    agent = request.agent_of(text(payload.get("userAgent")) or request.header(b"user-agent"))
    if refused := refusal(request, site, agent):
        counts.append(Count(site.site_id, "refused", refused))
        return _Entry(None, _BEEP)
    draft = _draft(payload, kind, site, counts)
    if isinstance(draft, _Fault):
        return draft
    if draft.content:
        draft.occurrence = seen[draft.content]
        seen[draft.content] += 1
    sent_back = request.header(b"x-umami-cache")
    ours = _TOKEN.fullmatch(sent_back) and legal_id(sent_back, site.policy.banned)
    token = ours or request.new_id()
    # Umami's server clients name the user and send no token back: a device for each hit would be one too many.
    draft.anonymous_id = "" if draft.user_id and not ours else token
    told = dict.fromkeys(("cache", "sessionId", "visitId"), token)
    return _Entry(to_hit(draft, Source(UMAMI, request, site, agent), counts), told)


def _draft(payload: dict[str, Any], kind: str, site: Site, counts: list[Count]) -> Draft | _Fault:
    """The item as a Draft. What has a time of its own is the same hit when it is sent again on the same device."""
    written = _written(payload)
    if len(written) > EVENT_BYTES_MAX:
        return _Fault("payload", f"larger than {EVENT_BYTES_MAX} bytes", site.site_id, 413)
    data = mapping(payload.get("data"))
    properties = _properties(payload, kind, site, counts)
    if not written or object_fault(data) or object_fault(properties):
        return _Fault("data", "cannot be stored: too much, too deep, or not text", site.site_id)
    client_ms = moment(payload.get("timestamp"))
    name = text(payload.get("name"))
    user_id = text(payload.get("id")) or (text(data.get("id")) if kind == "identify" else "")
    return Draft(
        type=("track" if name else "page") if kind == "event" else _TYPES[kind],
        name=cut_text(kind if kind == "performance" else name, "name", site, counts),
        content=kind.encode() + written if client_ms is not None else b"",
        client_ms=client_ms,
        user_id=user_id,
        url=cut_url(_url(payload), "url", site, counts),
        referrer=cut_url(text(payload.get("referrer")), "referrer", site, counts),
        title=cut_text(text(payload.get("title")), "title", site, counts),
        language=first_language(text(payload.get("language"))),
        ip=text(payload.get("ip")),
        revenue=amount(data.get("revenue")) if kind == "event" else None,
        currency=currency(data.get("currency")) if kind == "event" else "",
        properties=properties,
        traits=_traits(data, user_id) if kind == "identify" else {},
    )


def _written(payload: dict[str, Any]) -> bytes:
    """The payload as JSON, or nothing where it holds what cannot be written."""
    try:
        return orjson.dumps(payload, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:
        return b""


def _url(payload: dict[str, Any]) -> str:
    """Trackers send the host and the path apart; a whole URL stays as it is."""
    host, url = text(payload.get("hostname")), text(payload.get("url"))
    return f"https://{host}{url}" if host and url.startswith("/") else url


def _properties(payload: dict[str, Any], kind: str, site: Site, counts: list[Count]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name in _KEPT:
        if said := text(payload.get(name)):
            kept[name] = cut_text(said, name, site, counts)
    if kind == "performance":
        kept |= {name: value for name in _VITALS if (value := amount(payload.get(name))) is not None}
    return kept if kind == "identify" else kept | mapping(payload.get("data"))


def _traits(data: dict[str, Any], user_id: str) -> dict[str, Any]:
    """What is known of the person, without the ID that the Node.js client puts among it."""
    return {name: value for name, value in data.items() if name != "id" or text(value) != user_id}


PROTOCOL = Protocol(name=UMAMI, handle=handle, methods=("POST",), paths=("/api/send", "/api/batch"))
