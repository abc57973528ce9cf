"""Segment's HTTP API and RudderStack's: requests, keys and replies; what a message means is segment_messages'."""

import base64
import binascii
import re
from typing import Any

import orjson

from pipeline.limits import SEGMENT_BATCH_MAX, SEGMENT_BODY_BYTES_MAX
from pipeline.protocols.forms import parse_form
from pipeline.protocols.json_text import Malformed, decode
from pipeline.protocols.matomo import GIF
from pipeline.protocols.members import mapping, text
from pipeline.protocols.messages import Taken, take
from pipeline.protocols.policy import refusal
from pipeline.protocols.request import JSON_TYPE, Count, Outcome, Protocol, Reply, Request
from pipeline.protocols.segment_messages import KINDS, RUDDER, SEGMENT, read
from pipeline.sites import NATIVE, Access, Sites

_SHORT = {"i": "identify", "t": "track", "p": "page", "s": "screen", "g": "group", "a": "alias", "b": "batch"}
_BATCHES = ("batch", "import")
_SETTINGS = re.compile(r"/v1/projects/([^/]{1,255})/settings")
_OK = Reply(200, b'{"success":true}', JSON_TYPE)


def handle(request: Request, sites: Sites) -> Outcome:
    """Numbered as they happen: 1 what was sent, 2 by whom, 3 whether the site takes it, 4 message by message."""
    last = request.path.rpartition("/")[2]
    kind = _SHORT.get(last, last)
    decoded = decode(request.body)
    if isinstance(decoded, Malformed) or type(decoded.value) is not dict:
        reason = decoded.reason if isinstance(decoded, Malformed) else "expected an object"
        return _refuse(400, "invalid_request", f"invalid json: {reason}", Count("", "rejected", "body"))
    body: dict[str, Any] = decoded.value
    access = _access(request, body, sites)
    if access is None:
        return _refuse(401, "unauthorized", "invalid write key", Count("", "rejected", "key"))
    messages = body.get("batch") if kind in _BATCHES else [body]
    if type(messages) is not list or not messages:
        return _refuse(400, "invalid_request", "empty batch payload", Count(access.site.site_id, "rejected", "batch"))
    if len(messages) > SEGMENT_BATCH_MAX:
        reason = f"more than {SEGMENT_BATCH_MAX} messages"
        return _refuse(413, "request_too_large", reason, Count(access.site.site_id, "rejected", "batch"))
    agent = request.agent_of(request.header(b"user-agent"))
    if not access.secret and (refused := refusal(request, access.site, agent)):
        return Outcome(_OK, counts=[Count(access.site.site_id, "refused", refused)] * len(messages))
    defaults: dict[str, Any] = {name: body[name] for name in ("context", "integrations", "sentAt") if name in body}
    if kind not in _BATCHES:
        messages, defaults = [body | {"type": kind}], {}
    taken = _take(request, access, messages, defaults, decoded.suspect)
    return taken.outcome(_reply(taken))


def _access(request: Request, body: dict[str, Any], sites: Sites) -> Access | None:
    """The write key: as the user of Basic, as a Bearer, in the body, or in the query of a beacon."""
    scheme, _, credentials = request.header(b"authorization").partition(" ")
    key = ""
    if scheme.lower() == "basic":
        try:
            key = base64.b64decode(credentials.strip(), validate=True).decode("utf-8", "replace").partition(":")[0]
        except (binascii.Error, ValueError):
            key = ""
    elif scheme.lower() == "bearer":
        key = credentials.strip()
    key = key or text(body.get("writeKey")) or parse_form(request.query).get("writeKey", "")
    return sites.find(NATIVE, key) if key else None


def _refuse(status: int, code: str, message: str, count: Count) -> Outcome:
    """Segment's clients read `code` and `message`; RudderStack's only the status."""
    return Outcome(Reply(status, orjson.dumps({"code": code, "message": message}), JSON_TYPE), counts=(count,))


def _take(request: Request, access: Access, messages: list[Any], defaults: dict[str, Any], suspect: bool) -> Taken:
    counts: list[Count] = []
    whole = (_with_defaults(mapping(member), defaults) for member in messages)
    told = (read(m, text(m.get("type")), access.site, counts, suspect=suspect, secret=access.secret) for m in whole)
    return take(request, access.site, told, counts)


def _with_defaults(message: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    """A batch's context and integrations are those of a message that has none; its sentAt is that of them all."""
    if not defaults:
        return message
    merged = defaults | message
    merged["context"] = mapping(defaults.get("context")) | mapping(message.get("context"))
    return merged


def _reply(taken: Taken) -> Reply:
    """A single message that is no hit is a 400; in a batch the others are taken."""
    if not taken.rejected:
        return _OK
    if taken.number == 1:
        first = taken.rejected[0]
        body = {"code": "invalid_request", "message": first["reason"], "field": first["field"]}
        return Reply(400, orjson.dumps(body), JSON_TYPE)
    return Reply(200, orjson.dumps({"success": True, "rejected": taken.rejected}), JSON_TYPE)


def handle_pixel(request: Request, sites: Sites) -> Outcome:
    """RudderStack's pixel: a page or track by GET; always the image. It has no time but that of arrival."""
    params = parse_form(request.query)
    access = sites.find(NATIVE, params.get("writeKey", ""))
    reply = Reply(200, GIF, ((b"content-type", b"image/gif"), (b"cache-control", b"no-store")))
    if access is None:
        return Outcome(reply, counts=(Count("", "rejected", "key"),))
    agent = request.agent_of(request.header(b"user-agent"))
    if refused := refusal(request, access.site, agent):
        return Outcome(reply, counts=(Count(access.site.site_id, "refused", refused),))
    known = ("anonymousId", "userId", "event", "name", "messageId", "writeKey")
    message: dict[str, Any] = {name: params[name] for name in known if name in params}
    message |= {"type": request.path.rpartition("/")[2], "channel": "web"}
    message["properties"] = {k.removeprefix("properties."): v for k, v in params.items() if k not in known}
    return _take(request, access, [message], {}, suspect=False).outcome(reply)


def handle_settings(request: Request, sites: Sites) -> Outcome:
    """What analytics.js loads before it sends anything: the least that makes it send here."""
    found = _SETTINGS.fullmatch(request.path)
    if found is None or sites.find(NATIVE, found[1]) is None:
        return _refuse(404, "not_found", "no such project", Count("", "rejected", "key"))
    always = {"__default": {"enabled": True}}
    settings = {"integrations": {"Segment.io": {"apiKey": found[1]}}, "plan": {"track": always, "identify": always}}
    return Outcome(Reply(200, orjson.dumps(settings), JSON_TYPE))


def handle_source(request: Request, sites: Sites) -> Outcome:
    """The same for RudderStack's browser SDK."""
    key = parse_form(request.query).get("writeKey", "")
    access = sites.find(NATIVE, key) if key else _access(request, {}, sites)
    if access is None:
        return _refuse(401, "unauthorized", "invalid write key", Count("", "rejected", "key"))
    site = access.site
    source = {"id": site.site_id, "workspaceId": site.workspace, "config": {}, "destinations": [], "connections": []}
    answer = {"source": {**source, "enabled": True, "dataplanes": {}}, "updatedAt": request.received_at}
    return Outcome(Reply(200, orjson.dumps(answer), JSON_TYPE))


_ENDPOINTS = (*KINDS, *_BATCHES, *_SHORT)
PROTOCOLS = (
    Protocol(
        name=SEGMENT,
        handle=handle,
        methods=("POST",),
        paths=(*(f"/v1/{endpoint}" for endpoint in _ENDPOINTS), "/beacon/v1/batch"),
        body_bytes_max=SEGMENT_BODY_BYTES_MAX,
    ),
    Protocol(name=SEGMENT, handle=handle_settings, methods=("GET",), suffixes=("/settings",)),
    Protocol(name=RUDDER, handle=handle_source, methods=("GET",), paths=("/sourceConfig", "/sourceConfig/")),
    Protocol(name=RUDDER, handle=handle_pixel, methods=("GET",), paths=("/pixel/v1/track", "/pixel/v1/page")),
)
