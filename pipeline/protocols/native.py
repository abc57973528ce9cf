"""Seamline's own wire format, `POST /v1/hits`: an array, NDJSON or one hit; each item stands or falls alone."""

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import orjson

from pipeline.limits import BULK_HITS_MAX, EVENT_BYTES_MAX
from pipeline.model import Hit
from pipeline.protocols.clock import parse_any, plausible
from pipeline.protocols.forms import parse_form
from pipeline.protocols.hits import Draft, Source, to_hit
from pipeline.protocols.json_text import Decoded, Malformed, decode
from pipeline.protocols.native_fields import FIELD_NAMES, parse_item
from pipeline.protocols.policy import refusal
from pipeline.protocols.request import JSON_TYPE, Count, Outcome, Protocol, Rejection, Reply, Request
from pipeline.sites import NATIVE, Sites

_SHORT_BYTES = 128


def handle(request: Request, sites: Sites) -> Outcome:
    """Numbered as they happen: 1 who sends, 2 what was sent, 3 whether the site's policy takes it, 4 item by item."""
    query = _query(request.query)
    access = sites.find(NATIVE, _key(request, query))
    if access is None:
        return _refuse(401, "", "key", "unknown key: send `Authorization: Bearer KEY` or `?key=KEY`")
    items = _items(request.body)
    if isinstance(items, Malformed):
        return _refuse(400, access.site.site_id, "body", items.reason)
    if len(items) > BULK_HITS_MAX:
        return _refuse(413, access.site.site_id, "body", f"more than {BULK_HITS_MAX} hits")
    agent = request.agent_of(request.header(b"user-agent"))
    refused = "" if access.secret else refusal(request, access.site, agent)
    if refused:
        counts = [Count(access.site.site_id, "refused", refused)] * len(items)
        return Outcome(_reply(0, [], len(items)), counts=counts)
    source = Source(NATIVE, request, access.site, agent)
    return _take(source, access.secret, items, parse_any(query["sent_at"]) if "sent_at" in query else None)


def _query(text: bytes) -> Mapping[str, str]:
    """The query's parameters. A client sends the same short one with every request."""
    return _short_query(text) if len(text) <= _SHORT_BYTES else parse_form(text)


@lru_cache(maxsize=1_024)
def _short_query(text: bytes) -> Mapping[str, str]:
    return MappingProxyType(parse_form(text))


def _key(request: Request, query: Mapping[str, str]) -> str:
    scheme, _, key = request.header(b"authorization").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else query.get("key", "")


def _refuse(status: int, site_id: str, field: str, reason: str) -> Outcome:
    """The request as a whole is at fault: nothing of it was taken."""
    headers = (*JSON_TYPE, (b"www-authenticate", b"Bearer")) if status == 401 else JSON_TYPE
    body = orjson.dumps({"error": reason, "field": field, "accepted": 0, "rejected": []})
    return Outcome(Reply(status, body, headers), counts=(Count(site_id, "rejected", field),))


def _items(body: bytes) -> list[Decoded | Malformed] | Malformed:
    """The items of a body. NDJSON is only tried where the body is no JSON as a whole; then each line is an item."""
    if not body.strip():
        return Malformed("empty body: send a JSON array of hits, one hit, or NDJSON")
    whole = decode(body)
    if isinstance(whole, Decoded):
        members = whole.value if type(whole.value) is list else [whole.value]
        return [Decoded(member, whole.suspect) for member in members]
    lines = [line for line in body.splitlines() if line.strip()]
    if len(lines) == 1:
        return whole
    items = [decode(line) for line in lines[: BULK_HITS_MAX + 1]]
    return items if any(isinstance(item, Decoded) for item in items) else whole


def _take(source: Source, secret: bool, items: list[Decoded | Malformed], sent_ms: int | None) -> Outcome:
    """Every item on its own; 400 only if none of several could be taken."""
    request, site = source.request, source.site
    counts: list[Count] = []
    rejected: list[Rejection] = []
    hits: list[Hit] = []
    seen: dict[bytes, int] = {}
    large = len(request.body) > EVENT_BYTES_MAX
    usual_sent_ms = sent_ms if sent_ms is not None and plausible(sent_ms) else None
    for index, item in enumerate(items):
        draft = _draft(index, item, large, secret)
        if isinstance(draft, Rejection):
            rejected.append(draft)
            name = draft.field.partition(".")[0]
            counts.append(Count(site.site_id, "rejected", name if name in FIELD_NAMES else "properties"))
            continue
        if draft.content:
            draft.occurrence = seen[draft.content] = seen.get(draft.content, -1) + 1
        if draft.sent_ms is None:
            draft.sent_ms = usual_sent_ms
        told = draft.user_agent
        spoken_for = Source(NATIVE, request, site, request.agent_of(told)) if told else source
        hits.append(to_hit(draft, spoken_for, counts))
    return Outcome(_reply(len(hits), rejected), hits, counts)


def _draft(index: int, item: Decoded | Malformed, large: bool, secret: bool) -> Draft | Rejection:
    if isinstance(item, Malformed):
        return Rejection(index, "", item.reason)
    if large and _size(item.value) > EVENT_BYTES_MAX:
        return Rejection(index, "", f"larger than {EVENT_BYTES_MAX} bytes")
    return parse_item(index, item.value, item.suspect, secret)


def _size(value: Any) -> int:
    """Bytes of one item as compact JSON; what cannot be written is refused for its own reason later."""
    try:
        return len(orjson.dumps(value))
    except orjson.JSONEncodeError:
        return 0


def _reply(accepted: int, rejected: list[Rejection], refused: int = 0) -> Reply:
    if not rejected and not refused:
        return Reply(200, b'{"accepted":%d,"rejected":[]}' % accepted, JSON_TYPE)
    answer: dict[str, Any] = {
        "accepted": accepted,
        "rejected": [{"index": r.index, "field": r.field, "reason": r.reason} for r in rejected],
    }
    if refused:
        answer["refused"] = refused
    return Reply(200 if accepted or refused else 400, orjson.dumps(answer), JSON_TYPE)


PROTOCOL = Protocol(name=NATIVE, handle=handle, methods=("POST",), paths=("/v1/hits",))
