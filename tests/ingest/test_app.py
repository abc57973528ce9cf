"""One request from the first byte to the reply: durable first, counted always, CORS on every status."""

import asyncio
import gzip
import re
from pathlib import Path
from typing import Any

import orjson
import pytest

from pipeline.ingest import backlog
from pipeline.ingest.app import IngestApp
from pipeline.limits import BODY_BYTES_MAX, DECOMPRESSED_BYTES_MAX, EVENT_BYTES_MAX, RETRY_AFTER_S
from pipeline.log.partition import partition_of
from pipeline.protocols import native
from pipeline.protocols.request import Outcome, Request
from pipeline.sites import Sites
from tests.ingest.test_publisher import GatedLog, Late
from tests.protocols.build import UUID
from tests.support.deadline import until
from tests.support.fake_log import FakeLog
from tests.support.http_server import Answer, call, hits_in, ingest_settings, post_hits, running

ORIGIN = "https://shop.example"


def has_cors(answer: Answer) -> bool:
    """Whether a browser on ORIGIN may read it."""
    return (
        answer.headers.get("access-control-allow-origin"),
        answer.headers.get("access-control-allow-credentials"),
    ) == (
        ORIGIN,
        "true",
    )


async def test_a_2xx_means_durable(tmp_path: Path) -> None:
    """While the log has not answered, neither have we."""
    log = GatedLog()
    log.gate.clear()
    async with running(tmp_path, log, deadline_ms=10_000) as app:
        asked = asyncio.create_task(post_hits(app, b'[{"event_id":"e"}]'))
        await until(lambda: log.calls, what="the append is under way")

        assert not asked.done()
        log.gate.set()
        assert (200, b'{"accepted":1,"rejected":[]}') == ((await asked).status, (await asked).body)
    assert ["e"] == [hit.event_id for hit in hits_in(log)]


@pytest.mark.parametrize(
    ("method", "path", "query", "body", "status", "content_type"),
    [
        ("POST", "/v1/hits", "", b"[{}]", 200, "application/json"),
        ("GET", "/matomo.php", "idsite=1&rec=1", b"", 200, "image/gif"),
        ("GET", "/a/b/piwik.php", "idsite=1&rec=1&send_image=0", b"", 204, None),
        ("POST", "/matomo.php", "idsite=1&rec=1", b"", 200, "image/gif"),
        ("POST", "/matomo.php", "", b"idsite=1&rec=1", 200, "image/gif"),
        ("POST", "/matomo.php", "", b'{"requests":["?idsite=1&rec=1"]}', 200, "application/json"),
        ("GET", f"/webhooks/{UUID}", "user=a", b"", 204, None),
        ("POST", f"/webhooks/{UUID}", "", b'{"user":"a"}', 204, None),
    ],
)
async def test_every_route_ends_in_the_log(
    tmp_path: Path, method: str, path: str, query: str, body: bytes, status: int, content_type: str | None
) -> None:
    """One hit, its protocol's reply, CORS, a length unless there is no body, and the count."""
    log = FakeLog()
    async with running(tmp_path, log) as app:
        headers = {"origin": ORIGIN, "authorization": "Bearer page-key"}
        answer = await call(app, method, path, body, headers, query)

        assert (status, content_type) == (answer.status, answer.headers.get("content-type"))
        assert has_cors(answer)
        assert answer.headers.get("content-length") == (None if status == 204 else str(len(answer.body)))
        assert [1] == [number for key, number in app.counts.hits.items() if key[2] == "accepted"]
    assert ["203.0.113.0"] == [hit.ip for hit in hits_in(log)]


@pytest.mark.parametrize(
    ("method", "path", "query", "body", "headers", "status"),
    [
        ("POST", "/v1/hits", "", b"nope", {"authorization": "Bearer page-key"}, 400),
        ("POST", "/v1/hits", "", b"[{}]", {}, 401),
        ("POST", "/v1/hits", "", b"x" * (BODY_BYTES_MAX + 1), {"authorization": "Bearer page-key"}, 413),
        ("POST", "/v1/hits", "", b"\x1f\x8bnope", {"authorization": "Bearer page-key"}, 400),
        ("POST", "/v1/hits", "", gzip.compress(b" " * (DECOMPRESSED_BYTES_MAX + 1)), {}, 413),
        ("POST", "/v1/hits", "", b"\x28\xb5", {"content-encoding": "zstd"}, 415),
        ("POST", "/v1/hits", "k=" + "x" * EVENT_BYTES_MAX, b"[{}]", {}, 414),
        ("GET", "/v1/hits", "", b"", {}, 405),
        ("HEAD", "/matomo.php", "", b"", {}, 405),
        ("DELETE", f"/webhooks/{UUID}", "", b"", {}, 405),
        ("GET", "/matomo.php", "idsite=9", b"", {}, 400),
        ("POST", "/matomo.php", "", b"", {}, 400),
        ("GET", "/webhooks/nope", "", b"", {}, 404),
        ("GET", "/", "", b"", {}, 404),
        ("OPTIONS", "/nowhere", "", b"", {}, 404),
    ],
)
async def test_every_error_has_its_status_and_cors(
    tmp_path: Path, method: str, path: str, query: str, body: bytes, headers: dict[str, str], status: int
) -> None:
    """A browser that may not read the error sends the hit again."""
    log = FakeLog()
    async with running(tmp_path, log) as app:
        answer = await call(app, method, path, body, {"origin": ORIGIN} | headers, query)

        assert status == answer.status
        assert has_cors(answer)
        assert 1 == sum(app.counts.replies.values())
    assert [] == hits_in(log)


async def test_every_hit_says_which_request_brought_it(tmp_path: Path) -> None:
    """The ID of the reply, the sender's own where it gave one: a dead letter is then found from any line about it."""
    log, given = FakeLog(), "9b2c3d4e-0000-4000-8000-00000000000a"
    async with running(tmp_path, log) as app:
        first = await post_hits(app, b'[{"event_id":"a"},{"event_id":"b"}]', **{"x-request-id": given})
        second = await post_hits(app, b'[{"event_id":"c"}]')

    made = second.headers["x-request-id"]
    assert given == first.headers["x-request-id"] != made
    assert {"a": given, "b": given, "c": made} == {hit.event_id: hit.request_id for hit in hits_in(log)}


@pytest.mark.parametrize("path", ["/v1/hits", "/matomo.php", f"/webhooks/{UUID}"])
async def test_a_preflight_is_granted(tmp_path: Path, path: str) -> None:
    """204 with the very headers the browser asked for."""
    asked = {
        "origin": ORIGIN,
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type,x-a",
    }
    async with running(tmp_path) as app:
        answer = await call(app, "OPTIONS", path, headers=asked)

    assert (204, b"") == (answer.status, answer.body)
    assert has_cors(answer)
    assert answer.headers["access-control-allow-headers"] == "content-type,x-a"
    assert "POST" in answer.headers["access-control-allow-methods"]


async def test_a_body_at_its_limit_is_taken(tmp_path: Path) -> None:
    """1 MiB as sent, 8 MiB inflated."""
    exact = b"[{}]".ljust(BODY_BYTES_MAX)
    inflated = gzip.compress(b"[{}]".ljust(DECOMPRESSED_BYTES_MAX))
    async with running(tmp_path) as app:
        assert [200, 200] == [(await post_hits(app, body)).status for body in (exact, inflated)]


async def test_what_is_refused_by_policy_is_counted_and_not_stored(tmp_path: Path) -> None:
    """The books: accepted, rejected by field, refused by policy, illegal by value."""
    log = FakeLog()
    async with running(tmp_path, log) as app:
        await post_hits(app, b'[{"user_id":"null"},{"ts":1},{"event_id":"x"}]')
        await post_hits(app, b"[{},{}]", **{"sec-gpc": "1"})

        assert {
            ("web", "native", "accepted", ""): 2,
            ("web", "native", "rejected", "ts"): 1,
            ("web", "native", "illegal_id", "user_id: null"): 1,
            ("web", "native", "refused", "gpc"): 2,
        } == dict(app.counts.hits)
        assert {("native", 200): 2} == dict(app.counts.replies)
    assert 2 == len(hits_in(log))


async def test_when_nothing_can_be_durable_the_client_is_told_to_come_again(tmp_path: Path) -> None:
    """503 with Retry-After and CORS; counted as shed, not as accepted."""
    log = FakeLog()
    log.away = True
    async with running(tmp_path, log, spool_bytes_max=300) as app:
        answer = await post_hits(app, b"[{},{}]", origin=ORIGIN)

        assert (503, str(RETRY_AFTER_S), {"error": "try again: spool_full"}) == (
            answer.status,
            answer.headers["retry-after"],
            orjson.loads(answer.body),
        )
        assert has_cors(answer)
        assert {("web", "native", "shed", "spool_full"): 2} == dict(app.counts.hits)


async def test_a_spooled_hit_is_a_success(tmp_path: Path) -> None:
    """The client need not know where it is durable; it reaches the log when that is back."""
    log = FakeLog()
    log.away = True
    async with running(tmp_path, log) as app:
        assert 200 == (await post_hits(app, b'[{"event_id":"e"}]')).status
        assert [] == hits_in(log)
        assert b"seamline_ingest_spool_records 1.0" in app.metrics()
        log.away = False
        await until(lambda: hits_in(log), 15, "the spool drains")
    assert {"e"} == {hit.event_id for hit in hits_in(log)}


async def test_a_client_that_leaves_is_not_answered(tmp_path: Path) -> None:
    """And its half body is no hit."""
    async with running(tmp_path) as app:
        answer = await call(app, "POST", "/v1/hits", headers={"content-length": "10"})
        gone = await call(app, "POST", "/v1/hits", headers={"transfer-encoding": "chunked"})

        assert (0, 0) == (answer.status and 0, gone.status and 0)
        assert [] == [key for key in app.counts.hits if key[2] == "accepted"]


async def test_a_bug_of_ours_is_a_500_without_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Counted, logged by place; what the client sent appears nowhere."""

    def broken(request: Request, sites: Sites) -> Outcome:
        raise ValueError(request.body)

    from pipeline.protocols import registry

    monkeypatch.setitem(registry._BY_PATH, "/v1/hits", native.PROTOCOL.__class__("native", broken, ("POST",)))
    async with running(tmp_path) as app:
        answer = await post_hits(app, b"canary", origin=ORIGIN)

        assert (500, 1) == (answer.status, app.counts.events["protocol_faults"])
        assert has_cors(answer)
    assert re.search(r"native: ValueError at .*test_app\.py:\d+", caplog.text)
    assert "canary" not in caplog.text + answer.body.decode()


async def test_the_address_is_the_clients_behind_a_named_proxy(tmp_path: Path) -> None:
    """And the peer's everywhere else."""
    from ipaddress import ip_network

    log = FakeLog()
    async with running(tmp_path, log, trusted_proxies=(ip_network("203.0.113.0/24"),)) as app:
        await post_hits(app, b"[{}]", **{"x-forwarded-for": "1.1.1.1, 198.51.100.9"})
    assert ["198.51.100.0"] == [hit.ip for hit in hits_in(log)]


async def test_health_and_metrics(tmp_path: Path) -> None:
    """Live, ready, and numbers for the neighbourhood only."""
    log = FakeLog()
    near = ("10.0.0.1", 1)
    async with running(tmp_path, log) as app:
        await post_hits(app, b"[{}]")
        assert (200, b"ok\n") == status_and_body(await call(app, "GET", "/health/live"))
        assert (200, b"ok\n") == status_and_body(await call(app, "GET", "/health/ready"))
        told = await call(app, "GET", "/metrics", client=near)
        assert b'seamline_ingest_hits_total{detail="",outcome="accepted",protocol="native",site="web"} 1.0' in told.body
        assert told.headers["content-type"].startswith("text/plain")
        assert 404 == (await call(app, "GET", "/metrics", client=("8.8.8.8", 1))).status
        assert 404 == (await call(app, "GET", "/metrics", headers={"x-forwarded-for": "10.0.0.1"}, client=near)).status
    assert (503, b"not serving\n") == status_and_body(await call(app, "GET", "/health/ready"))
    assert (200, b"ok\n") == status_and_body(await call(app, "GET", "/health/live"))


def status_and_body(answer: Answer) -> tuple[int, bytes]:
    """The two that count."""
    return answer.status, answer.body


async def test_a_full_spool_is_not_ready(tmp_path: Path) -> None:
    """So that a load balancer sends the next hit elsewhere; ready again when it has drained."""
    log = FakeLog()
    log.away = True
    async with running(tmp_path, log, spool_bytes_max=1_000) as app:
        while (await post_hits(app, b"[{}]")).status == 200:
            assert app.unready() == ""
        assert (503, b"spool_full\n") == status_and_body(await call(app, "GET", "/health/ready"))
        log.away = False
        await until(lambda: not app.unready(), 15, "the spool drains")


async def test_a_refusal_does_not_outlive_its_cause(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without traffic nobody would notice that the log is back: after a while the node asks for some again."""
    log = FakeLog()
    log.away = True
    async with running(tmp_path, log, spool_bytes_max=1) as app:
        assert 503 == (await post_hits(app, b"[{}]")).status
        assert app.unready() == "spool_full"
        monkeypatch.setattr(backlog, "REFUSING_S", 0.0)
        assert app.unready() == ""


async def test_after_stopping_nothing_is_taken(tmp_path: Path) -> None:
    """A late request is told to come again."""
    async with running(tmp_path) as app:
        pass

    assert (503, {"error": "try again: closing"}) == (
        (late := await post_hits(app, b"[{}]")).status,
        orjson.loads(late.body),
    )


async def test_a_failed_start_lets_go_of_the_spool(tmp_path: Path) -> None:
    """The next attempt finds it free."""

    class Broken(FakeLog):
        async def partitions(self, topic: str) -> int:
            raise ZeroDivisionError("a bug")

    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            await IngestApp(Sites((), {}), Broken(), ingest_settings(tmp_path)).start()


async def test_hits_are_taken_before_the_log_was_ever_reached(tmp_path: Path) -> None:
    """They are acknowledged by the spool, readiness says so, and all of it is in the log once that is there."""

    log = Late(partitions=3)
    log.away = True
    async with running(tmp_path, log) as app:
        assert [200] * 5 == [(await post_hits(app, b'[{"anonymous_id":"phone%d"}]' % n)).status for n in range(5)]
        answer = status_and_body(await call(app, "GET", "/health/ready"))
        assert (200, b"ok: hits go to the spool, 5 records wait for the log\n") == answer
        log.away = False
        await app.flushed()
        assert (200, b"ok\n") == status_and_body(await call(app, "GET", "/health/ready"))

    found = {hit.device: number for number in range(3) for hit in hits_in(log, number)}
    assert found == {f"d:phone{n}": partition_of("shop", f"d:phone{n}", 3) for n in range(5)}


async def test_other_scopes_are_not_ours(tmp_path: Path) -> None:
    """The server is set up to send HTTP only."""

    async def nothing(*_: Any) -> Any:
        return None

    async with running(tmp_path) as app:
        with pytest.raises(AssertionError, match="HTTP only"):
            await app({"type": "websocket"}, nothing, nothing)
