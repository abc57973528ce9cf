"""PostHog's capture API: bodies, tokens and replies; what an event means is posthog_events'."""

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_plus

import orjson
from msgspec import Struct

from pipeline.limits import DECOMPRESSED_BYTES_MAX, POSTHOG_BATCH_MAX, POSTHOG_BODY_BYTES_MAX
from pipeline.protocols.forms import parse_form
from pipeline.protocols.hits import Draft
from pipeline.protocols.json_text import Malformed, decode
from pipeline.protocols.members import mapping, moment, text
from pipeline.protocols.messages import Fault, Taken, Told, take
from pipeline.protocols.policy import refusal
from pipeline.protocols.posthog_events import POSTHOG, read
from pipeline.protocols.request import JSON_TYPE, Count, Outcome, Protocol, Reply, Request
from pipeline.sites import NATIVE, Access, Sites

_OK = Reply(200, b'{"status":1}', JSON_TYPE)
_CONFIG = re.compile(r"/array/[^/]{1,255}/config(\.js)?")
_TOKEN_NAMES = ("api_key", "token")
_PERSONAL = "phx_"


class _Batch(Struct):
    """Events with what the request says about all of them."""

    events: list[Any]
    tokens: set[str]
    sent_ms: int | None
    suspect: bool


def handle(request: Request, sites: Sites) -> Outcome:
    """Numbered as they happen: 1 what was sent, 2 by whom, 3 whether the site takes it, 4 event by event."""
    query = parse_form(request.query)
    batch = _batch(_payload(request, query), query)
    if isinstance(batch, Malformed):
        return _refuse(400, batch.reason, Count("", "rejected", "body"))
    if len(batch.tokens) != 1 or next(iter(batch.tokens)).startswith(_PERSONAL):
        return _refuse(401, "one project token, please: api_key", Count("", "rejected", "key"))
    access = sites.find(NATIVE, next(iter(batch.tokens)))
    if access is None:
        return _refuse(401, "unknown project token", Count("", "rejected", "key"))
    if len(batch.events) > POSTHOG_BATCH_MAX:
        return _refuse(413, f"more than {POSTHOG_BATCH_MAX} events", Count(access.site.site_id, "rejected", "batch"))
    agent = request.agent_of(request.header(b"user-agent"))
    if not access.secret and (refused := refusal(request, access.site, agent)):
        return Outcome(_OK, counts=[Count(access.site.site_id, "refused", refused)] * len(batch.events))
    return _take(request, access, batch)


def _payload(request: Request, query: Mapping[str, str]) -> bytes:
    """JSON as it is; the base64 or JSON of a form's or a query's `data`."""
    body = request.body.strip() if request.method == "POST" else b""
    if body[:1] in (b"{", b"["):
        return body
    if body.startswith(b"data="):
        data = unquote_plus(body[5:].partition(b"&")[0].decode("latin-1"))
    else:
        data = query.get("data", "") if not body else body.decode("latin-1")
    if data[:1] in ("{", "["):
        return data.encode("latin-1", "replace")
    try:
        return base64.b64decode(data.replace(" ", "+") + "=" * (-len(data) % 4))
    except (binascii.Error, ValueError):
        return data.encode("utf-8", "replace")


def _batch(payload: bytes, query: Mapping[str, str]) -> _Batch | Malformed:
    """One event, a list of them, or an object with `batch`."""
    decoded = decode(payload)
    if isinstance(decoded, Malformed):
        return decoded
    value = decoded.value
    around = mapping(value)
    events = value if type(value) is list else around.get("batch", [value])
    if type(events) is not list or not events or not (around or type(value) is list):
        return Malformed("expected an event, a list of events, or an object with a batch")
    tokens = {found for found in (*_tokens(around), *(t for event in events for t in _tokens(mapping(event)))) if found}
    tokens = tokens or {found for name in _TOKEN_NAMES if (found := query.get(name, ""))}
    sent = around.get("sent_at") or query.get("_") or query.get("sent_at")
    return _Batch(events, tokens, moment(sent), decoded.suspect)


def _tokens(holder: dict[str, Any]) -> list[str]:
    names = [text(holder.get(name)).strip() for name in _TOKEN_NAMES]
    return [*names, text(mapping(holder.get("properties")).get("token")).strip()]


def _refuse(status: int, reason: str, count: Count) -> Outcome:
    return Outcome(
        Reply(status, orjson.dumps({"type": "validation_error", "detail": reason}), JSON_TYPE), counts=(count,)
    )


def _take(request: Request, access: Access, batch: _Batch) -> Outcome:
    counts: list[Count] = []
    told = (_told(mapping(event), access, batch, counts, request.now_ms) for event in batch.events)
    taken = take(request, access.site, told, counts)
    return taken.outcome(_reply(taken))


def _told(event: dict[str, Any], access: Access, batch: _Batch, counts: list[Count], now_ms: int) -> Told | Fault:
    told = read(event, access.site, counts, suspect=batch.suspect, secret=access.secret)
    if isinstance(told, Told):
        _time(told.draft, event, batch.sent_ms, now_ms)
    return told


def _time(draft: Draft, event: dict[str, Any], sent_ms: int | None, now_ms: int) -> None:
    """The event's own time; without one, `offset` milliseconds before it was sent, where that is told too."""
    draft.sent_ms = moment(event.get("sent_at")) or sent_ms
    offset_ms = event.get("offset")
    if draft.client_ms is None and type(offset_ms) is int and 0 <= offset_ms < now_ms:
        draft.client_ms = (draft.sent_ms or now_ms) - offset_ms


def _reply(taken: Taken) -> Reply:
    """A single event that is no hit is a 400; in a batch the others are taken."""
    if not taken.rejected:
        return _OK
    if taken.number == 1:
        body = {"type": "validation_error", "detail": "{field}: {reason}".format_map(taken.rejected[0])}
        return Reply(400, orjson.dumps(body), JSON_TYPE)
    return Reply(200, orjson.dumps({"status": 1, "rejected": taken.rejected}), JSON_TYPE)


def handle_flags(request: Request, sites: Sites) -> Outcome:
    """Feature flags are not ours: there are none, and the SDK goes on."""
    answer = {"flags": {}, "featureFlags": {}, "featureFlagPayloads": {}, "errorsWhileComputingFlags": False}
    return Outcome(Reply(200, orjson.dumps({**answer, "requestId": request.new_id()}), JSON_TYPE))


def handle_recording(request: Request, sites: Sites) -> Outcome:
    """Session recordings are accepted and dropped, and counted."""
    return Outcome(_OK, counts=(Count("", "refused", "recording"),))


def handle_config(request: Request, sites: Sites) -> Outcome:
    """What the browser SDK asks for when it starts: nothing special."""
    found = _CONFIG.fullmatch(request.path)
    if found is None:
        return _refuse(404, "not found", Count("", "rejected", "path"))
    if found[1]:
        return Outcome(Reply(200, b"/* no remote configuration */", ((b"content-type", b"text/javascript"),)))
    answer = {
        "supportedCompression": ["gzip-js"],
        "sessionRecording": False,
        "surveys": False,
        "hasFeatureFlags": False,
    }
    return Outcome(Reply(200, orjson.dumps(answer), JSON_TYPE))


def _both(*paths: str) -> tuple[str, ...]:
    """Each with and without a trailing slash."""
    return tuple(form for path in paths for form in (path, f"{path}/"))


PROTOCOLS = (
    Protocol(
        name=POSTHOG,
        handle=handle,
        methods=("GET", "POST"),
        paths=_both("/e", "/i/v0/e", "/capture", "/batch", "/track", "/engage"),
        body_bytes_max=POSTHOG_BODY_BYTES_MAX,
    ),
    Protocol(name=POSTHOG, handle=handle_flags, methods=("GET", "POST"), paths=_both("/flags", "/decide")),
    Protocol(name=POSTHOG, handle=handle_recording, methods=("POST",), paths=_both("/s")),
    Protocol(name=POSTHOG, handle=handle_config, methods=("GET",), suffixes=("/config", "/config.js")),
)
assert POSTHOG_BODY_BYTES_MAX <= DECOMPRESSED_BYTES_MAX
