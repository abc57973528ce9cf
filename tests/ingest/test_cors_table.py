"""Every tracker's path, asked as a browser asks: who may read the answer, whatever the answer is."""

import base64
import json
from pathlib import Path

import msgspec
import pytest

from pipeline.log.port import ALIASES
from pipeline.model import Alias
from pipeline.protocols.registry import PROTOCOLS
from tests.protocols.build import BOT, SECRET, UUID, sites
from tests.support.fake_log import FakeLog
from tests.support.http_server import call, running

ORIGIN = "https://shop.example"
SNOWPLOW = "/com.snowplowanalytics.snowplow/tp2"
TRACKED = {"e": "pv", "p": "web", "tv": "js"}
UMAMI = {"type": "event", "payload": {"website": UUID, "url": "/"}}
PLAUSIBLE = {"n": "pageview", "u": "https://shop.example/", "d": "shop.example"}
POSTHOG = {"api_key": "page-key", "event": "$pageview", "distinct_id": "v"}
SEGMENT = {"type": "track", "anonymousId": "a", "writeKey": "page-key"}
# protocol, path with query, body, status when it is good; then a body or query that is not, and its status
TABLE = [
    ("native", "/v1/hits?key=page-key", [{}], 200, "/v1/hits?key=nope", 401),
    ("native", "/v1/hits?key=page-key", [{"ts": 0}, {}], 200, "/v1/hits", 401),
    ("matomo", "/matomo.php?idsite=1&rec=1", "", 200, "/matomo.php?idsite=9&rec=1", 400),
    ("matomo", "/x/piwik.php?idsite=1&rec=1&send_image=0", "", 204, "/x/piwik.php?idsite=1&rec=1&cid=1", 400),
    ("matomo", "/js/tracker.php?idsite=1&rec=1", "", 200, "/js/tracker.php?idsite=0", 400),
    ("metricswave", f"/webhooks/{UUID}", {"a": "b"}, 204, "/webhooks/nope", 404),
    ("segment", "/v1/t", SEGMENT, 200, "/v1/batch", 400),
    ("rudderstack", "/beacon/v1/batch?writeKey=page-key", {"batch": [SEGMENT]}, 200, "/beacon/v1/batch", 400),
    ("posthog", "/e/", POSTHOG, 200, "/i/v0/e/", 400),
    ("posthog", "/flags/?v=2", {}, 200, "/batch", 400),
    ("snowplow", SNOWPLOW, {"data": [TRACKED | {"aid": "shop-web"}]}, 200, SNOWPLOW, 200),
    ("umami", "/api/send", UMAMI, 200, "/api/send", 400),
    ("plausible", "/api/event", PLAUSIBLE, 202, "/api/event", 400),
]
rows = pytest.mark.parametrize(
    ("path", "body", "good", "bad_path", "bad"), [row[1:] for row in TABLE], ids=[f"{row[0]} {row[1]}" for row in TABLE]
)


def _readable(headers: dict[str, str]) -> bool:
    """Whether a page of ORIGIN may read the answer, cookies or not."""
    wanted = {"access-control-allow-origin": ORIGIN, "access-control-allow-credentials": "true", "vary": "origin"}
    return wanted.items() <= headers.items()


def test_the_table_has_every_protocol() -> None:
    """A tracker that is not in it would not be asked."""
    assert {protocol.name for protocol in PROTOCOLS} == {row[0] for row in TABLE}


@rows
async def test_a_page_may_read_every_answer(
    tmp_path: Path, path: str, body: object, good: int, bad_path: str, bad: int
) -> None:
    """Good, bad, and a method nobody offers; without the headers a tracker sends the same hit again."""
    async with running(tmp_path) as app:
        for target, content, status in ((path, body, good), (bad_path, {}, bad)):
            where, _, query = target.partition("?")
            raw = json.dumps(content).encode() if content else b""
            answer = await call(app, "POST", where, raw, {"origin": ORIGIN}, query)
            assert (status, True) == (answer.status, _readable(answer.headers))
        refused = await call(app, "DELETE", path.partition("?")[0], headers={"origin": ORIGIN})
        assert (405, True) == (refused.status, _readable(refused.headers))


@rows
async def test_a_preflight_is_granted(
    tmp_path: Path, path: str, body: object, good: int, bad_path: str, bad: int
) -> None:
    """For the headers the browser names, for ten minutes at least, without a body."""
    asked = {
        "origin": ORIGIN,
        "access-control-request-method": "POST",
        "access-control-request-headers": "x-a,content-type",
    }
    async with running(tmp_path) as app:
        answer = await call(app, "OPTIONS", path.partition("?")[0], headers=asked)

    assert (204, b"", True) == (answer.status, answer.body, _readable(answer.headers))
    assert "x-a,content-type" == answer.headers["access-control-allow-headers"]
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert int(answer.headers["access-control-max-age"]) >= 600


@pytest.mark.parametrize(
    ("policy", "headers", "why"),
    [
        ({"dnt": True}, {"dnt": "1"}, "dnt"),
        ({"gpc": True}, {"sec-gpc": "1"}, "gpc"),
        (
            {"bots": "refuse"},
            {"user-agent": f"Mozilla/5.0 (compatible; {BOT})"},
            "bot",
        ),
    ],
)
@rows
async def test_what_policy_refuses_is_answered_politely_and_counted(
    *,
    tmp_path: Path,
    path: str,
    body: object,
    good: int,
    bad_path: str,
    bad: int,
    policy: dict[str, object],
    headers: dict[str, str],
    why: str,
) -> None:
    """The same status as for a hit; nothing is written; the reason is in the metrics."""
    log = FakeLog()
    async with running(tmp_path, log, sites(**policy)) as app:
        where, _, query = path.partition("?")
        answer = await call(app, "POST", where, json.dumps(body).encode() if body else b"", headers, query)
        refused = {detail for (_, _, outcome, detail) in app.counts.hits if outcome == "refused"}

    assert good == answer.status
    assert {} == {topic: kept for (topic, _), kept in log.records.items() if kept}
    assert refused == {why} or where == "/flags/"


async def test_an_alias_reaches_the_log_whole(tmp_path: Path) -> None:
    """On its own topic, once durable, with the authority of the key that said it; the action is on `hits`."""
    log = FakeLog()
    basic = {"authorization": "Basic " + base64.b64encode(f"{SECRET}:".encode()).decode()}
    told = {"userId": "alice@new", "previousId": "alice", "messageId": "m-1", "timestamp": "2025-11-20T08:00:00Z"}
    async with running(tmp_path, log) as app:
        assert 200 == (await call(app, "POST", "/v1/alias", json.dumps(told).encode(), basic)).status

    [record] = [r for (topic, _), kept in log.records.items() if topic == ALIASES for r in kept]
    alias = msgspec.json.decode(record.value, type=Alias)
    assert {"schema": "alias/1", "count": "1"} == dict(record.headers)
    assert ("alice@new", "alice", "secret", "segment") == (
        alias.user_id,
        alias.previous_id,
        alias.authority,
        alias.protocol,
    )
    assert ("2025-11-20T08:00:00.000Z", "m-1", "shop") == (alias.ts, alias.event_id, alias.workspace)
