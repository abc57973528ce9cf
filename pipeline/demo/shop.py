"""The demo's own ASGI application: its pages, and what became of two devices; it must not know how hits are stitched.

It answers for the shop's fictional customers, and for devices whose ID the asker already holds; for nobody else.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any
from urllib.parse import parse_qs

import orjson

from pipeline.demo.pages import ROOT, accounts, site
from pipeline.identity.ids import user_person

WORKSPACE = "demo"
JOURNEY = ROOT + "journey.json"
DEVICES_MAX = 16
ACTIONS_MAX = 400
_DEVICE = re.compile(r"[0-9a-f]{16,64}")
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; frame-src 'self'; "
    "frame-ancestors 'self'; base-uri 'none'; form-action 'self'"
)
_HEADERS = [
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cache-control", b"no-cache"),
]

# The person's devices as far as known, and the devices at hand: newest first, so that a limit cuts the oldest.
_SQL = f"""
SELECT toUnixTimestamp64Milli(ts) AS at, device, device_type, type, name, title, user_id, attribution,
       toString(person_id) AS person, JSONExtractString(properties, 'sku') AS sku, revenue
FROM actions
WHERE workspace = '{WORKSPACE}'
  AND (device IN {{devices:Array(String)}} OR (
      person_id IN {{persons:Array(UUID)}} AND device IN (
          SELECT device FROM person_devices
          WHERE workspace = '{WORKSPACE}' AND person_id IN {{persons:Array(UUID)}})))
ORDER BY ts DESC, event_id DESC
LIMIT {ACTIONS_MAX}
"""  # noqa: S608 - constants of ours

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


# The answer has "columns" and "rows", or "error".
Ask = Callable[[str, Mapping[str, Any]], Awaitable[Mapping[str, Any]]]


class DemoShop:
    """An ASGI callable for every path under `/demo`."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        path = scope["path"]
        page = site().get(path)
        if scope["method"] not in ("GET", "HEAD"):
            await _respond(send, scope, 405, b"GET only\n", "text/plain", (b"allow", b"GET, HEAD"))
        elif page is not None:
            await _respond(send, scope, 200, page.body, page.content_type)
        elif path == JOURNEY:
            await self._journey(scope, send)
        elif path + "/" in site():
            await _respond(send, scope, 308, b"", "text/plain", (b"location", path.encode() + b"/"))
        else:
            await _respond(send, scope, 404, b"nothing here\n", "text/plain")

    async def _journey(self, scope: Scope, send: Send) -> None:
        asked = parse_qs(scope["query_string"].decode("latin-1"))
        devices, users = asked.get("device", []), asked.get("user", [])
        known = {account.user_id for account in accounts()}
        if len(devices) > DEVICES_MAX or not known.issuperset(users) or not all(map(_DEVICE.fullmatch, devices)):
            reason = b"expected user= of the shop's accounts and up to 16 device= of 16 to 64 hex digits\n"
            await _respond(send, scope, 400, reason, "text/plain")
            return
        parameters = {
            "devices": [f"d:{device}" for device in devices],
            "persons": [user_person(WORKSPACE, user) for user in users],
        }
        answer = await self._ask(_SQL, parameters)
        if "error" in answer:
            await _respond(send, scope, 503, str(answer["error"]).encode(), "text/plain")
            return
        await _respond(send, scope, 200, orjson.dumps({"actions": _actions(answer)}), "application/json")


def _actions(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Oldest first; a device by the ID that its tracker knows."""
    actions = [dict(zip(answer["columns"], row, strict=True)) for row in reversed(answer["rows"])]
    return [action | {"device": action["device"].removeprefix("d:")} for action in actions]


async def _respond(
    send: Send, scope: Scope, status: int, body: bytes, content_type: str, *extra: tuple[bytes, bytes]
) -> None:
    headers = [(b"content-type", content_type.encode()), (b"content-length", b"%d" % len(body)), *_HEADERS, *extra]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
