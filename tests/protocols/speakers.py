"""The same visitor in the words of every tracker; it must not know what becomes of it.

A speaker says a page, a login and, where the protocol has one, a logout. What trackers do on their own is done here:
some restate the user with every hit (`restates`), some change the anonymous ID at sign-out (`rotates`).
"""

import hashlib
import json
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from pipeline.protocols.request import Request
from pipeline.times import iso
from tests.protocols.build import TOKEN, UUID, request

KEY = "page-key"


class Beat(Struct, frozen=True):
    """One thing a visitor does. `kind`: page, login or logout; `user` is who is signed in then; "" is nobody."""

    at_ms: int
    device: str
    kind: str = "page"
    user: str = ""


class Sent(Struct, frozen=True):
    """How a beat goes over the wire: who, when by the client's clock, when sent by it, and when it arrives."""

    device: str
    kind: str
    user: str
    client_ms: int
    sent_ms: int
    arrives_ms: int
    number: int


class Speaker(Struct, frozen=True):
    """A protocol. `timed`: hits carry a time; `skewed`: and when they were sent; `numbered`: a retry is recognised."""

    name: str
    say: Callable[[Sent], Request]
    restates: bool = True
    rotates: bool = False
    timed: bool = True
    skewed: bool = False
    numbered: bool = True
    logs_out: bool = False
    cookieless: bool = True


def device_id(name: str) -> str:
    """16 hex digits, which every tracker takes; "" stays: a visitor without a cookie."""
    return hashlib.sha256(name.encode()).hexdigest()[:16] if name else ""


def _post(path: str, body: Any, sent: Sent, headers: dict[str, str] | None = None) -> Request:
    return request("POST", path, f"key={KEY}", json.dumps(body).encode(), headers, sent.arrives_ms)


def _present(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value != ""}


def _native(sent: Sent) -> Request:
    types = {"page": "page", "login": "identify", "logout": "logout"}
    ids = _present(anonymous_id=sent.device, user_id=sent.user if sent.kind == "login" else "")
    times = {"ts": sent.client_ms, "sent_at": sent.sent_ms, "event_id": f"n-{sent.number}"}
    return _post("/v1/hits", {"type": types[sent.kind], "holds": True} | ids | times, sent)


def _matomo(sent: Sent) -> Request:
    ids = _present(_id=sent.device, uid=sent.user)
    form = {"idsite": 1, "rec": 1, "rand": sent.number, "cdt": sent.client_ms // 1_000, "token_auth": TOKEN}
    return request("GET", "/matomo.php", form | ids, b"", None, sent.arrives_ms)


def _metricswave(sent: Sent) -> Request:
    ids = _present(deviceName=sent.device, user=sent.user)
    return _post(
        f"/webhooks/{UUID}", {"f": "script", "path": f"/{sent.number}", "triggered_at": iso(sent.client_ms)} | ids, sent
    )


def _segment_message(sent: Sent) -> dict[str, Any]:
    ids = _present(anonymousId=sent.device, userId=sent.user)
    times = {"timestamp": iso(sent.client_ms), "sentAt": iso(sent.sent_ms)}
    return {"messageId": f"m-{sent.number}", "writeKey": KEY} | ids | times


def _segment(sent: Sent) -> Request:
    return _post("/v1/identify" if sent.kind == "login" else "/v1/page", _segment_message(sent), sent)


def _rudderstack(sent: Sent) -> Request:
    message = _segment_message(sent) | {"channel": "web"}
    return _post("/v1/identify" if sent.kind == "login" else "/v1/page", message, sent)


def _posthog(sent: Sent) -> Request:
    properties: dict[str, Any] = {"$is_identified": bool(sent.user)}
    if sent.kind == "login":
        properties = {"$anon_distinct_id": sent.device}
    elif sent.user:
        properties["$device_id"] = sent.device
    name = "$identify" if sent.kind == "login" else "$pageview"
    who = {"event": name, "distinct_id": sent.user or sent.device, "properties": properties, "uuid": f"p-{sent.number}"}
    event = who | {"timestamp": iso(sent.client_ms)}
    return _post("/e/", {"api_key": KEY, "batch": [event], "sent_at": iso(sent.sent_ms)}, sent)


def _snowplow(sent: Sent) -> Request:
    ids = _present(duid=sent.device, uid=sent.user)
    event = {"aid": "shop-web", "e": "pv", "tv": "x", "p": "web", "eid": f"s-{sent.number}", "dtm": str(sent.client_ms)}
    return _post("/com.snowplowanalytics.snowplow/tp2", {"data": [event | ids | {"stm": str(sent.sent_ms)}]}, sent)


def _umami(sent: Sent) -> Request:
    payload = {"website": UUID, "url": f"/{sent.number}", "timestamp": sent.client_ms // 1_000} | _present(id=sent.user)
    headers = {"x-umami-cache": sent.device} if sent.device else None
    return _post("/api/send", {"type": "event", "payload": payload}, sent, headers)


def _plausible(sent: Sent) -> Request:
    props = _present(anonymous_id=sent.device, user_id=sent.user)
    event = {"n": "pageview", "u": f"https://shop.example/{sent.number}", "d": "shop.example", "p": props}
    return _post("/api/event", event, sent)


SPEAKERS = [
    Speaker("native", _native, restates=False, skewed=True, logs_out=True),
    Speaker("matomo", _matomo),
    Speaker("metricswave", _metricswave),
    Speaker("segment", _segment, rotates=True, skewed=True, cookieless=False),
    Speaker("rudderstack", _rudderstack, skewed=True, cookieless=False),
    Speaker("posthog", _posthog, rotates=True, skewed=True, cookieless=False),
    Speaker("snowplow", _snowplow, skewed=True),
    Speaker("umami", _umami, cookieless=False),
    Speaker("plausible", _plausible, timed=False, numbered=False),
]
