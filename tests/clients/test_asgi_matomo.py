"""asgi-matomo, a middleware that reports what a Python web application serves: its journeys on a running Seamline."""

import asyncio
import time
import uuid
from collections.abc import Sequence
from typing import Any

from asgi_matomo import MatomoMiddleware

from pipeline.identity.ids import user_person
from pipeline.limits import HOUR_MS, SECOND_MS
from tests.support.deadline import wait_until
from tests.support.deployment import Embedded

VISIBLE_WITHIN_S = 20
Visit = tuple[str, str, str]  # path, anonymous ID, user ID or ""


def _serve(url: str, visits: Sequence[Visit], start_s: int) -> None:
    """An application that knows its visitors lets the middleware say so."""

    async def shop(scope: Any, receive: Any, send: Any) -> None:
        scope["state"]["asgi_matomo"]["custom_tracking_data"] = scope["visitor"]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"shop"})

    async def run() -> None:
        middleware = MatomoMiddleware(shop, matomo_url=f"{url}/matomo.php", idsite=1)
        for at, (path, anonymous_id, user) in enumerate(visits):
            visitor = {"_id": anonymous_id, "cdt": start_s + at * 60} | ({"uid": user} if user else {})
            await middleware(_scope(path) | {"visitor": visitor}, _nothing, _ignore)
        await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()})  # it reports in the background
        await middleware.client.aclose()

    asyncio.run(run())


def _scope(path: str) -> dict[str, Any]:
    headers = [(b"host", b"shop.example"), (b"user-agent", b"Mozilla/5.0 Firefox/147.0"), (b"accept-language", b"en")]
    where = {"path": path, "raw_path": path.encode(), "root_path": "", "query_string": b"", "scheme": "https"}
    who = {"client": ("203.0.113.9", 4711), "server": ("shop.example", 443), "headers": headers, "method": "GET"}
    return {"type": "http", "http_version": "1.1", "state": {}, **where, **who}


async def _nothing() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _ignore(message: Any) -> None:
    """The visitor's side of the connection."""


def test_one_user_on_two_devices_is_one_journey(up: Embedded) -> None:
    """Anonymous page, login, page, logout, page; and a phone: the page after the logout is nobody's."""
    user, laptop, phone = f"u-{uuid.uuid4().hex[:12]}", uuid.uuid4().hex[:16], uuid.uuid4().hex[:16]
    start_s = (int(time.time() * SECOND_MS) - 2 * HOUR_MS) // SECOND_MS

    _serve(
        up.url,
        [
            *[("/", laptop, ""), ("/login", laptop, user), ("/account", laptop, user), ("/bye", laptop, "")],
            *[("/phone", phone, ""), ("/basket", phone, user)],
        ],
        start_s,
    )

    sql = "SELECT path(url), attribution FROM journey(person = {person:UUID})"
    expected = [
        *[["/", "backfilled"], ["/login", "identified"], ["/account", "identified"]],
        *[["/phone", "backfilled"], ["/basket", "identified"]],
    ]
    wait_until(lambda: up.query(sql, {"person": user_person("demo", user)}) == expected, VISIBLE_WITHIN_S)
    after = "SELECT path(url), attribution FROM actions WHERE device = {device:String} ORDER BY ts DESC LIMIT 1"
    assert [["/bye", "anonymous"]] == up.query(after, {"device": f"d:{laptop}"})
