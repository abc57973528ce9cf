"""Hostile bodies through the whole application: never a 5xx, never a crash, the books balance, memory stays flat."""

import asyncio
import gzip
import json
import time
import tracemalloc
import zlib
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.limits import BODY_BYTES_MAX, DECOMPRESSED_BYTES_MAX, MIB
from pipeline.protocols.registry import protocol_at
from tests.protocols.build import UUID, request, sites
from tests.support.fake_log import FakeLog
from tests.support.http_server import Answer, call, hits_in, post_hits, running

_PATHS = st.sampled_from(
    ["/v1/hits", "/matomo.php", "/x/piwik.php", f"/webhooks/{UUID}", "/webhooks/x", "/", "/metrics", "/health/ready"]
)
_METHODS = st.sampled_from(["GET", "POST", "OPTIONS", "PUT", "HEAD", "PATCH"])
_WORDS = """
type event_id anonymous_id user_id ts properties traits url requests idsite rec uid _id cdt deviceName user triggered_at
token_auth sent_at holds revenue f
"""
_NAMES = st.sampled_from(_WORDS.split())
_HEADER_WORDS = """
origin user-agent content-encoding content-type accept-language cookie dnt sec-gpc x-forwarded-for referer
access-control-request-headers
"""
_SCALAR = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(["\0", "\ud800", "\u202e", "null"])
)
_JSON: st.SearchStrategy[Any] = st.recursive(
    _SCALAR,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_NAMES | st.text(max_size=5), inner, max_size=5),
    max_leaves=20,
)
_RAW = (
    st.binary(max_size=120)
    | _JSON.map(lambda value: json.dumps(value).encode())
    | st.lists(_JSON, max_size=5).map(lambda lines: b"\n".join(json.dumps(line).encode() for line in lines))
    | st.lists(_JSON, max_size=4).map(lambda entries: json.dumps({"requests": entries}).encode())
    | st.dictionaries(_NAMES, st.text(max_size=8), max_size=6).map(
        lambda form: "&".join(f"{k}={quote(v, errors='replace')}" for k, v in form.items()).encode()
    )
)
_BODIES = _RAW | _RAW.map(gzip.compress) | _RAW.map(zlib.compress) | _RAW.map(lambda body: gzip.compress(body)[:-3])
_HEADERS = st.dictionaries(
    st.sampled_from(_HEADER_WORDS.split()),
    st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=20)
    | st.sampled_from(["gzip", "deflate", "br", "1"]),
    max_size=4,
)


@pytest.mark.timeout(180)
async def test_no_request_is_a_fault_of_ours(tmp_path: Path) -> None:
    """Any method, path, query, headers and body: a status below 500, no fault counted, and what was accepted is in
    the log, readable by its schema."""
    log = FakeLog()
    async with running(tmp_path, log, trusted_proxies=()) as app:
        loop = asyncio.get_running_loop()

        def ask(*request: Any) -> Answer:
            return asyncio.run_coroutine_threadsafe(call(app, *request), loop).result(30)

        @settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(_METHODS, _PATHS, st.booleans(), _RAW, _BODIES, _HEADERS)
        def every(method: str, path: str, known: bool, query: bytes, body: bytes, headers: dict[str, str]) -> None:
            start = "key=page-key&idsite=1&rec=1&" if known else ""
            answer = ask(
                method,
                path,
                body,
                headers,
                start + query[:80].decode("latin-1").replace("#", "").encode("ascii", "ignore").decode(),
            )
            assert 200 <= answer.status < 500, (answer, path)

        await asyncio.to_thread(every)
        accepted = sum(number for key, number in app.counts.hits.items() if key[2] == "accepted")
        faults = [name for name in app.counts.events if "fault" in name or "error" in name]

        assert [] == faults
        assert accepted == len(hits_in(log)) > 0


@pytest.mark.parametrize("layers", [1, 2])
async def test_a_bomb_is_refused_without_being_inflated(tmp_path: Path, layers: int) -> None:
    """Two hundred MiB of zeros in 200 kB, and the same packed once more: 413 or 400, and no memory to speak of."""
    bomb = zlib.compressobj(9, zlib.DEFLATED, 31)
    packed = b"".join(bomb.compress(b"\0" * MIB) for _ in range(200)) + bomb.flush()
    for _ in range(layers - 1):
        packed = gzip.compress(packed)
    assert len(packed) < BODY_BYTES_MAX
    async with running(tmp_path) as app:
        await post_hits(app, b"[{}]")
        tracemalloc.start()
        answer = await post_hits(app, packed)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()

    assert answer.status == (413 if layers == 1 else 400)
    assert peak < 3 * DECOMPRESSED_BYTES_MAX


async def test_many_members_are_one_body(tmp_path: Path) -> None:
    """A thousand small gzip members inflate to more than the bound all the same."""
    member = gzip.compress(b"\0" * 16_384)
    async with running(tmp_path) as app:
        assert 413 == (await post_hits(app, member * (DECOMPRESSED_BYTES_MAX // 16_384 + 1))).status


def _seconds(work: Any) -> float:
    """The best of three."""
    best = float("inf")
    for _ in range(3):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return best


@pytest.mark.parametrize(
    ("hostile", "honest"),
    [
        (b"[" + b"1" * 400_000 + b"]", b"[" + b"1," * 199_999 + b"1]"),
        (b'{"a":' + b"9" * 400_000 + b', "b": NaN}', b'{"a":"' + b"9" * 400_000 + b'"}'),
        (b"[" * 400_000, b"[" + b"[]," * 133_000 + b"[]]"),
        (b'{"k":1,' * 60_000, b'{"k":"' + b"x" * 420_000 + b'"}'),
        (
            json.dumps({f"{n * (2**61 - 1)}": 1 for n in range(1, 15_000)}).encode(),
            json.dumps({f"key{n}": 1 for n in range(1, 15_000)}).encode(),
        ),
        (b"\\" * 400_000, b"x" * 400_000),
        (b"%" * 400_000, b"x" * 400_000),
        (b"&" * 400_000, b"x" * 400_000),
        (b"=" * 400_000, b"x" * 400_000),
    ],
)
@pytest.mark.parametrize("path", ["/v1/hits", "/matomo.php"])
def test_no_input_of_a_size_costs_much_more_than_another(hostile: bytes, honest: bytes, path: str) -> None:
    """Long numbers, nesting, chosen keys, escapes: at most 50 times the time of plain text of that size, and short."""
    protocol, where = protocol_at(path), sites()
    assert protocol is not None

    def work(body: bytes) -> Any:
        made = request("POST", path, "key=page-key", body)
        return lambda: protocol.handle(made, where)

    slow, plain = _seconds(work(hostile)), _seconds(work(honest))

    assert slow < 1.0
    assert slow < 50 * max(plain, 0.002)


async def test_personal_values_do_not_come_back(tmp_path: Path) -> None:
    """No error repeats what was sent: replies are logged by clients, proxies and browsers."""
    bodies = [
        b'[{"user_id":"canary"}, {"user_id": "canary\\u0000"}, {"name": {"canary": 1}}]',
        b'{"user_id":"canary"',
        b"canary",
        b'[{"ts":"canary"}, {"revenue":"canary"}, {"properties":{"a":"canary\\ud800"}}]',
    ]
    async with running(tmp_path) as app:
        answers = [await post_hits(app, body) for body in bodies]
        answers += [
            await call(app, "POST", path, body)
            for body in bodies
            for path in ("/matomo.php", f"/webhooks/{UUID}", "/x")
        ]
        answers.append(await call(app, "GET", "/matomo.php", query="idsite=canary&uid=canary"))
        answers.append(await call(app, "GET", "/webhooks/canary"))

        assert all(b"canary" not in answer.body + str(answer.headers).encode() for answer in answers)
        assert b"canary" not in app.metrics()
