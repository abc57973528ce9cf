"""Requests, sites and clocks for the pure tests; it must not know what is expected of them."""

from typing import Any
from urllib.parse import urlencode

import msgspec
import orjson

from pipeline.model import Hit
from pipeline.protocols.registry import protocol_at
from pipeline.protocols.request import Agent, Outcome, Request
from pipeline.sites import Sites, parse_sites
from pipeline.times import iso

NOW_MS = 1_763_800_000_123  # 2025-11-22T08:26:40.123Z
TOKEN = "t" * 32
SECRET = "server-secret-key"
UUID = "00000000-0000-4000-8000-000000000001"
STRICT_UUID = "00000000-0000-4000-8000-000000000002"
BOT = "Googlebot/2.1"
PHONE = "an-iphone"


def sites(**policy: Any) -> Sites:
    """Two sites of one workspace; the first has every protocol and the given policy."""
    return parse_sites(
        {
            "sites": [
                {
                    "workspace": "shop",
                    "site": "web",
                    "policy": policy,
                    "native": {"page_keys": ["page-key"], "secret_keys": [SECRET]},
                    "matomo": {"idsite": 1, "token_auth": [TOKEN]},
                    "metricswave": {
                        "events": {
                            UUID: "visit",
                            STRICT_UUID: {"name": "signup", "required": ["plan", "user_id", "step"]},
                        }
                    },
                    "snowplow": {"app_ids": ["shop-web"]},
                    "umami": {"website": UUID},
                    "plausible": {"domains": ["shop.example"]},
                },
                {
                    "workspace": "shop",
                    "site": "app",
                    "origins": ["https://app.example"],
                    "native": {"page_keys": ["app-key"]},
                    "matomo": {"idsite": 2},
                    "snowplow": {"app_ids": ["shop-app"]},
                    "umami": {"website": STRICT_UUID},
                    "plausible": {"domains": ["app.example"]},
                },
            ]
        }
    )


def agent_of(text: str) -> Agent:
    """A stand-in for the user agent database."""
    return Agent(device_type="smartphone" if text == PHONE else "", bot=text == BOT)


def request(
    method: str,
    path: str,
    query: str | bytes | dict[str, Any] = b"",
    body: bytes = b"",
    headers: dict[str, str] | None = None,
    now_ms: int = NOW_MS,
) -> Request:
    """A request as the edge hands it over. New IDs count upwards."""
    if isinstance(query, dict):
        query = urlencode(query)
    made = iter(range(1, 10_000))
    return Request(
        method=method,
        path=path,
        query=query.encode() if isinstance(query, str) else query,
        headers={name.lower().encode(): value.encode("latin-1") for name, value in (headers or {}).items()},
        body=body,
        ip="203.0.113.77",
        now_ms=now_ms,
        received_at=iso(now_ms),
        new_id=lambda: f"new-{next(made)}",
        agent_of=agent_of,
    )


def answer(made: Request, where: Sites | None = None) -> Outcome:
    """What the protocol at the request's path says; every hit is checked against the model as the log's readers do."""
    protocol = protocol_at(made.path)
    assert protocol is not None, made.path
    outcome = protocol.handle(made, where or sites())
    for hit in outcome.hits:
        assert msgspec.json.decode(msgspec.json.encode(hit), type=Hit) == hit
    return outcome


def native(items: Any, headers: dict[str, str] | None = None, query: str = "", **more: Any) -> Outcome:
    """`POST /v1/hits` with the page key; `items` is bytes or something to encode."""
    body = items if isinstance(items, bytes) else orjson.dumps(items)
    where = more.pop("where", None)
    sent = {"authorization": "Bearer page-key"} | (headers or {})
    return answer(request("POST", "/v1/hits", query, body, sent, **more), where)


def matomo(params: dict[str, Any] | None = None, method: str = "GET", **more: Any) -> Outcome:
    """A Matomo hit of site 1 with everything in the query."""
    query = {"idsite": 1, "rec": 1, "rand": 7} | (params or {})
    where = more.pop("where", None)
    return answer(request(method, "/matomo.php", query, **more), where)


def only(outcome: Outcome) -> Hit:
    """The one hit."""
    assert len(outcome.hits) == 1, outcome
    return outcome.hits[0]


def counted(outcome: Outcome) -> list[tuple[str, str]]:
    """(outcome, detail) of every count, in order."""
    return [(count.outcome, count.detail) for count in outcome.counts]
