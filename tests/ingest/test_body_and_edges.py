"""Bodies, CORS headers, proxies: the parts of the edge that know no protocol."""

import gzip
import zlib
from collections.abc import Iterable
from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.ingest.addresses import Proxies, is_private
from pipeline.ingest.body import GONE, NO_ROOM, BodyFault, Room, inflate, read_body
from pipeline.ingest.cors import cors_headers, preflight_headers

LIMIT = 1_000
_ANYONE = {"access-control-allow-origin": b"*", "vary": b"origin"}


def _echoed(origin: bytes) -> dict[str, bytes]:
    return {"access-control-allow-origin": origin, "access-control-allow-credentials": b"true", "vary": b"origin"}


async def collected(
    chunks: Iterable[bytes], headers: dict[bytes, bytes], gone: bool = False, room: Room | None = None
) -> tuple[bytes | BodyFault, int]:
    """(what `read_body` says, how many chunks it read)."""
    parts = list(chunks)
    read = 0

    async def receive() -> dict[str, Any]:
        nonlocal read
        read += 1
        if read > len(parts):
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": parts[read - 1], "more_body": gone or read < len(parts)}

    return await read_body(receive, headers, LIMIT, room or Room()), read


@pytest.mark.parametrize("size", [0, 1, LIMIT])
@pytest.mark.parametrize("pieces", [1, 3])
async def test_a_body_up_to_the_limit_is_read(size: int, pieces: int) -> None:
    """Declared or chunked, in one piece or several."""
    body = b"x" * size
    parts = [body[n::pieces] for n in range(pieces)]

    assert (body, pieces) == await collected(parts, {b"content-length": b"%d" % size})
    assert (body, pieces) == await collected(parts, {b"transfer-encoding": b"chunked"})


async def test_a_body_declared_too_large_is_not_read_at_all() -> None:
    """413 at once; also for a number nobody can mean."""
    assert (BodyFault(413, "body larger than 1000 bytes"), 0) == await collected([b"x"], {b"content-length": b"1001"})
    assert (BodyFault(413, "body larger than 1000 bytes"), 0) == await collected([], {b"content-length": b"9" * 5_000})


async def test_a_body_that_turns_out_too_large_is_read_no_further() -> None:
    """A chunked stream without an end."""
    fault, read = await collected([b"x" * 600] * 50, {b"transfer-encoding": b"chunked"})

    assert (BodyFault(413, "body larger than 1000 bytes"), 2) == (fault, read)
    assert (BodyFault(413, "body larger than 1000 bytes"), 1) == await collected(
        [b"x" * 1_001], {b"transfer-encoding": b"chunked"}
    )


async def test_bodies_in_pieces_share_one_room() -> None:
    """When there is none left a client is told to come again; what was taken is given back, whatever the end."""
    room = Room(500)
    chunked = {b"transfer-encoding": b"chunked"}

    assert NO_ROOM == (await collected([b"x" * 300] * 3, chunked, room=room))[0]
    assert b"x" * 400 == (await collected([b"x" * 200] * 2, chunked, room=room))[0]
    assert GONE == (await collected([b"x" * 200] * 2, chunked, gone=True, room=room))[0]
    assert 500 == room.left


async def test_without_a_body_nothing_is_awaited() -> None:
    """A GET."""
    assert (b"", 0) == await collected([], {})


async def test_a_client_that_leaves_is_gone() -> None:
    """Halfway through its body."""
    assert (GONE, 2) == await collected([b"half"], {b"content-length": b"10"}, gone=True)


@pytest.mark.parametrize(
    ("body", "headers", "expected"),
    [
        (b"plain", {}, b"plain"),
        (b"", {}, b""),
        (b"plain", {b"content-encoding": b"gzip"}, b"plain"),
        (gzip.compress(b"text"), {}, b"text"),
        (gzip.compress(b"text"), {b"content-type": b"text/plain"}, b"text"),
        (gzip.compress(b"te") + gzip.compress(b"xt"), {}, b"text"),
        (zlib.compress(b"text"), {b"content-encoding": b"deflate"}, b"text"),
        (b"x=1", {b"content-encoding": b"deflate"}, BodyFault(400, "compressed body is damaged")),
        (b"\x1f\x8b", {}, BodyFault(400, "compressed body ends early")),
        (gzip.compress(b"text")[:-1], {}, BodyFault(400, "compressed body ends early")),
        (gzip.compress(b"text")[:-8] + b"\0" * 8, {}, BodyFault(400, "compressed body is damaged")),
        (gzip.compress(b"text") + b"tail", {}, BodyFault(400, "compressed body is damaged")),
        (
            b"\x28\xb5",
            {b"content-encoding": b"zstd"},
            BodyFault(415, "unsupported Content-Encoding: send gzip or deflate"),
        ),
        (
            b"\x28\xb5",
            {b"content-encoding": b"BR"},
            BodyFault(415, "unsupported Content-Encoding: send gzip or deflate"),
        ),
    ],
)
def test_a_body_is_inflated_by_what_it_is(
    body: bytes, headers: dict[bytes, bytes], expected: bytes | BodyFault
) -> None:
    """Trackers send gzip under any Content-Type and encoding header, and none under the right one."""
    assert expected == inflate(body, headers)


@pytest.mark.parametrize("members", [1, 5])
def test_inflation_stops_at_the_limit(members: int) -> None:
    """At N it is taken, at N + 1 it is not, in one member or several."""
    exact = b"".join(gzip.compress(b"x" * (LIMIT // members)) for _ in range(members))

    assert inflate(exact, {}, LIMIT) == b"x" * LIMIT
    assert inflate(exact + gzip.compress(b"x"), {}, LIMIT) == BodyFault(413, "body inflates to more than 1000 bytes")


@given(
    st.binary(max_size=100), st.sampled_from([{}, {b"content-encoding": b"deflate"}, {b"content-encoding": b"gzip"}])
)
def test_no_bytes_break_inflation(body: bytes, headers: dict[bytes, bytes]) -> None:
    """Behind the magic anything may follow."""
    assert isinstance(inflate(b"\x1f\x8b\x08" + body, headers, LIMIT), bytes | BodyFault)
    assert isinstance(inflate(b"\x78\x9c" + body, headers, LIMIT), bytes | BodyFault)


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        (b"https://shop.example", _echoed(b"https://shop.example")),
        (b"null", _echoed(b"null")),
        (None, _ANYONE),
        (b"", _ANYONE),
        (b"https://a\tb", _ANYONE),
        (b"https://\xff", _ANYONE),
        (b"x" * 513, _ANYONE),
    ],
)
def test_an_origin_is_echoed_with_credentials(origin: bytes | None, expected: dict[str, bytes]) -> None:
    """Never `*` where one was sent; what is no origin is not put into a header."""
    headers = {} if origin is None else {b"origin": origin}

    assert expected == {name.decode(): value for name, value in cors_headers(headers)}


@pytest.mark.parametrize(
    ("wanted", "expected"), [(b"content-type, x-y", b"content-type, x-y"), (b"", b"*"), (b"a\x01b", b"*")]
)
def test_a_preflight_is_granted_what_it_asks(wanted: bytes, expected: bytes) -> None:
    """For at least ten minutes."""
    granted = dict(
        preflight_headers({b"origin": b"https://x", b"access-control-request-headers": wanted}, ("GET", "POST"))
    )

    assert expected == granted[b"access-control-allow-headers"]
    assert granted[b"access-control-allow-methods"] == b"GET, POST, OPTIONS"
    assert granted[b"access-control-allow-origin"] == b"https://x"
    assert int(granted[b"access-control-max-age"]) >= 600


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.9", ["198.51.100.1"], "203.0.113.9"),
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["1.1.1.1, 198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["1.1.1.1", "198.51.100.1, 10.0.0.7"], "198.51.100.1"),
        ("10.0.0.1", ["10.0.0.9, 10.0.0.7"], "10.0.0.9"),
        ("10.0.0.1", ["198.51.100.1:4711"], "198.51.100.1"),
        ("10.0.0.1", ["[2001:db8::1]:4711"], "2001:db8::1"),
        ("10.0.0.1", ["2001:db8::1"], "2001:db8::1"),
        ("10.0.0.1", ["unknown"], "10.0.0.1"),
        ("10.0.0.1", ["1.1.1.1, nonsense, 10.0.0.7"], "10.0.0.7"),
        ("10.0.0.1", [""], "10.0.0.1"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("::1", ["198.51.100.1"], "198.51.100.1"),
        ("not an address", ["198.51.100.1"], "not an address"),
    ],
)
def test_only_named_proxies_are_believed(peer: str, forwarded: list[str], client: str) -> None:
    """The last address no trusted proxy vouches for: what stands before it, the client wrote itself."""
    proxies = Proxies([ip_network("10.0.0.0/8"), ip_network("::1")])

    assert client == proxies.client(peer, [(b"x-forwarded-for", hop.encode()) for hop in forwarded])
    assert peer == Proxies([]).client(peer, [(b"x-forwarded-for", hop.encode()) for hop in forwarded])


@pytest.mark.parametrize(
    ("address", "private"), [("127.0.0.1", True), ("10.1.2.3", True), ("8.8.8.8", False), ("x", False)]
)
def test_private_addresses_are_told_apart(address: str, private: bool) -> None:
    """For pages that are not for the Internet."""
    assert private == is_private(address)
