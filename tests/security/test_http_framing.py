"""Requests that two readers on the way could read differently: refused and closed; and those that only look odd."""

import asyncio
from pathlib import Path

import pytest

from tests.support.fake_log import FakeLog
from tests.support.http_server import hits_in, raw, served

BODY = b'[{"event_id":"x"}]'
LENGTH = b"content-length: %d\r\n" % len(BODY)
LINE = b"POST /v1/hits HTTP/1.1\r\n"
ODD = b'["\r\nupgrade: x\r\n", {}]'
HOST = b"host: x\r\n"
KEY = b"authorization: Bearer page-key\r\nconnection: close\r\n"
CHUNKED = b"transfer-encoding: chunked\r\n"
CHUNKS = b"12\r\n" + BODY + b"\r\n0\r\n\r\n"
SHORT = {"header_deadline_ms": 2_000, "body_deadline_ms": 2_000}

REFUSED = {
    "length and chunked": LINE + HOST + KEY + LENGTH + CHUNKED + b"\r\n" + BODY,
    "chunked and length": LINE + HOST + KEY + CHUNKED + LENGTH + b"\r\n" + CHUNKS,
    "two equal lengths": LINE + HOST + KEY + LENGTH + LENGTH + b"\r\n" + BODY,
    "two different lengths": LINE + HOST + KEY + LENGTH + b"content-length: 3\r\n\r\n" + BODY,
    "a list of lengths": LINE + HOST + KEY + b"content-length: 18, 18\r\n\r\n" + BODY,
    "a signed length": LINE + HOST + KEY + b"content-length: +18\r\n\r\n" + BODY,
    "a negative length": LINE + HOST + KEY + b"content-length: -1\r\n\r\n" + BODY,
    "a hexadecimal length": LINE + HOST + KEY + b"content-length: 0x12\r\n\r\n" + BODY,
    "an empty length": LINE + HOST + KEY + b"content-length:\r\n\r\n" + BODY,
    "a length past 64 bits": LINE + HOST + KEY + b"content-length: 99999999999999999999999\r\n\r\n" + BODY,
    "gzip, chunked": LINE + HOST + KEY + b"transfer-encoding: gzip, chunked\r\n\r\n" + CHUNKS,
    "an unknown coding": LINE + HOST + KEY + b"transfer-encoding: xchunked\r\n\r\n" + CHUNKS,
    "identity": LINE + HOST + KEY + b"transfer-encoding: identity\r\n" + LENGTH + b"\r\n" + BODY,
    "chunked twice": LINE + HOST + KEY + CHUNKED + CHUNKED + b"\r\n" + CHUNKS,
    "chunked in HTTP/1.0": LINE.replace(b"1.1", b"1.0") + HOST + KEY + CHUNKED + b"\r\n" + CHUNKS,
    "a space before the colon": LINE + HOST + KEY + b"transfer-encoding : chunked\r\n\r\n" + CHUNKS,
    "a folded coding": LINE + HOST + KEY + b"transfer-encoding:\r\n chunked\r\n\r\n" + CHUNKS,
    "a folded header": LINE + HOST + KEY + LENGTH + b"x: a\r\n b\r\n\r\n" + BODY,
    "a hexadecimal prefix of a chunk": LINE + HOST + KEY + CHUNKED + b"\r\n0x" + CHUNKS,
    "a negative chunk": LINE + HOST + KEY + CHUNKED + b"\r\n-" + CHUNKS,
    "a chunk past 64 bits": LINE + HOST + KEY + CHUNKED + b"\r\nfffffffffffffffff\r\n" + BODY,
    "a chunk of another size": LINE + HOST + KEY + CHUNKED + b"\r\n3\r\n" + BODY + b"\r\n0\r\n\r\n",
    "chunks with bare line feeds": LINE + HOST + KEY + CHUNKED + b"\r\n" + CHUNKS.replace(b"\r", b""),
    "bare line feeds": (LINE + HOST + KEY + LENGTH + b"\r\n").replace(b"\r", b"") + BODY,
    "a bare carriage return": LINE + b"host: x\rx: y\r\n" + KEY + LENGTH + b"\r\n" + BODY,
    "NUL in a header": LINE + HOST + b"x: a\0b\r\n" + KEY + LENGTH + b"\r\n" + BODY,
    "a control character in a header": LINE + HOST + b"x: a\x01b\r\n" + KEY + LENGTH + b"\r\n" + BODY,
    "a space in a header's name": LINE + HOST + b"x y: z\r\n" + KEY + LENGTH + b"\r\n" + BODY,
    "a space before the first header": LINE + b" " + HOST + KEY + LENGTH + b"\r\n" + BODY,
    "a header without a colon": LINE + HOST + b"nocolon\r\n" + KEY + LENGTH + b"\r\n" + BODY,
    "a header without a name": LINE + HOST + b": v\r\n" + KEY + LENGTH + b"\r\n" + BODY,
    "no host": LINE + KEY + LENGTH + b"\r\n" + BODY,
    "two hosts": LINE + HOST + b"host: y\r\n" + KEY + LENGTH + b"\r\n" + BODY,
    "HTTP/0.9": b"GET /matomo.php?idsite=1&rec=1\r\n\r\n",
    "HTTP/1.2": LINE.replace(b"1.1", b"1.2") + HOST + KEY + LENGTH + b"\r\n" + BODY,
    "HTTP/2.0": LINE.replace(b"1.1", b"2.0") + HOST + KEY + LENGTH + b"\r\n" + BODY,
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "an absolute URL": b"POST http://evil/v1/hits HTTP/1.1\r\n" + HOST + KEY + LENGTH + b"\r\n" + BODY,
    "an asterisk": b"OPTIONS * HTTP/1.1\r\n" + HOST + KEY + b"\r\n",
    "CONNECT": b"CONNECT evil:443 HTTP/1.1\r\n" + HOST + b"\r\n",
    "an unknown method": b"FOO /v1/hits HTTP/1.1\r\n" + HOST + KEY + LENGTH + b"\r\n" + BODY,
    "a space in the URL": b"POST /v1/hits x HTTP/1.1\r\n" + HOST + KEY + LENGTH + b"\r\n" + BODY,
    "a control character in the URL": b"POST /v1/hits\x01 HTTP/1.1\r\n" + HOST + KEY + LENGTH + b"\r\n" + BODY,
    "eight bits in the URL": b"GET /\xff HTTP/1.1\r\n" + HOST + KEY + b"\r\n",
    "a fragment": b"GET /matomo.php?idsite=1&rec=1#x HTTP/1.1\r\n" + HOST + KEY + b"\r\n",
    "TLS to a plain port": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 100,
}

TAKEN = {
    "a length": LINE + HOST + KEY + LENGTH + b"\r\n" + BODY,
    "chunks": LINE + HOST + KEY + CHUNKED + b"\r\n" + CHUNKS,
    "chunks with an extension": LINE + HOST + KEY + CHUNKED + b"\r\n" + CHUNKS.replace(b"12\r\n", b"12;a=b\r\n"),
    "chunks with a trailer": LINE + HOST + KEY + CHUNKED + b"\r\n" + CHUNKS[:-2] + b"x: y\r\n\r\n",
    "a coding in capitals": LINE + HOST + KEY + b"Transfer-Encoding:\tCHUNKED\r\n\r\n" + CHUNKS,
    "HTTP/1.0 without a host": LINE.replace(b"1.1", b"1.0") + KEY + LENGTH + b"\r\n" + BODY,
    "empty lines before it": b"\r\n\r\n" + LINE + HOST + KEY + LENGTH + b"\r\n" + BODY,
    "an offer of HTTP/2": LINE
    + HOST
    + b"Upgrade: h2c\r\nconnection: upgrade, close\r\n"
    + KEY[:32]
    + LENGTH
    + b"\r\n"
    + BODY,
    "a body that looks like a header": LINE + HOST + KEY + b"content-length: %d\r\n\r\n" % len(ODD) + ODD,
    "an expectation": LINE + HOST + KEY + b"expect: 100-continue\r\n" + LENGTH + b"\r\n" + BODY,
    "a GET with a body": b"GET /matomo.php?idsite=1&rec=1 HTTP/1.1\r\n" + HOST + KEY + LENGTH + b"\r\n" + BODY,
    "a path with dots": b"GET /%2e%2e/matomo.php?idsite=1&rec=1 HTTP/1.1\r\n" + HOST + KEY + b"\r\n",
}


@pytest.mark.parametrize("name", REFUSED)
async def test_an_ambiguous_request_is_refused_and_closed(tmp_path: Path, name: str) -> None:
    """One answer, 400, no hit, and nothing that follows on the connection is read."""
    log = FakeLog()
    async with served(tmp_path, log, **SHORT) as (port, _):
        said = await raw(port, REFUSED[name] + b"GET /matomo.php?idsite=1&rec=1 HTTP/1.1\r\nhost: x\r\n\r\n")

    assert said.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert 1 == said.count(b"HTTP/1.1 ")
    assert [] == hits_in(log)


@pytest.mark.parametrize("name", TAKEN)
async def test_a_merely_odd_request_is_taken_once(tmp_path: Path, name: str) -> None:
    """One hit; what follows after `connection: close` is not read."""
    log = FakeLog()
    async with served(tmp_path, log, **SHORT) as (port, _):
        said = await raw(port, TAKEN[name] + b"GET /matomo.php?idsite=1&rec=1 HTTP/1.1\r\nhost: x\r\n\r\n")

    assert b"HTTP/1.1 200 OK\r\n" in said
    assert 1 == len(hits_in(log))


async def test_a_trailer_is_no_header(tmp_path: Path) -> None:
    """A key that comes after the body opens nothing."""
    sent = (
        LINE
        + HOST
        + b"connection: close\r\n"
        + CHUNKED
        + b"\r\n"
        + CHUNKS[:-2]
        + b"authorization: Bearer page-key\r\n\r\n"
    )
    async with served(tmp_path, **SHORT) as (port, _):
        assert (await raw(port, sent)).startswith(b"HTTP/1.1 401 Unauthorized")


async def test_reflected_headers_cannot_be_split(tmp_path: Path) -> None:
    """Whatever Origin and requested headers hold, the reply has the lines we wrote."""
    odd = [b"a\tb", b"\xff\xfe", b"x" * 5_000, b"a b", b"%0d%0aset-cookie: a=b"]
    async with served(tmp_path, **SHORT) as (port, _):
        for value in odd:
            asked = (
                b"OPTIONS /v1/hits HTTP/1.1\r\n"
                + HOST
                + KEY
                + b"origin: %b\r\naccess-control-request-headers: %b\r\n\r\n"
            )
            said = await raw(port, asked % (value, value))
            names = [line.partition(b":")[0].lower() for line in said.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]]
            assert said.startswith(b"HTTP/1.1 204 ")
            assert b"set-cookie" not in names
            assert len(names) == len(set(names))


async def test_slow_clients_do_not_slow_honest_ones(tmp_path: Path) -> None:
    """Two hundred connections that never finish their headers: honest requests go through, and the slow are let go."""
    log = FakeLog()
    async with served(tmp_path, log, header_deadline_ms=1_500, body_deadline_ms=1_500) as (port, app):
        slow = [await asyncio.open_connection("127.0.0.1", port) for _ in range(200)]
        for _, writer in slow:
            writer.write(b"POST /v1/hits HTTP/1.1\r\nx: ")
        for n in range(30):
            said = await raw(port, TAKEN["a length"].replace(b'"x"', b'"%d"' % (n % 10)))
            assert said.startswith(b"HTTP/1.1 200 OK")
        said_to_slow = await asyncio.wait_for(asyncio.gather(*(reader.read(4_096) for reader, _ in slow)), 15)
        for _, writer in slow:
            writer.close()

        assert all(said.startswith(b"HTTP/1.1 408") for said in said_to_slow)
        assert {("native", 200): 30} == dict(app.counts.replies)
    assert 30 == len(hits_in(log))
