"""The tracker script as a browser gets it: small, cached, compressed, and from any site."""

import gzip
import subprocess
from pathlib import Path

import pytest

from pipeline.ingest.script.shorten import shortened
from tests.support.http_server import call, exchange, raw, running, served

SCRIPT_BYTES_MAX = 5 * 1024
PATHS = ("/seamline.js", "/js/visits.js", "/seamline.d.ts")
ORIGIN = "https://shop.example"
SOURCE = Path(__file__).parents[2] / "pipeline/ingest/script/seamline.js"


@pytest.mark.parametrize("path", ["/seamline.js", "/js/visits.js"])
async def test_the_script_is_at_most_5_kib_compressed(tmp_path: Path, path: str) -> None:
    """As served, both names; what is inflated is the program."""
    async with running(tmp_path) as app:
        answer = await call(app, "GET", path, headers={"accept-encoding": "br, gzip"})
        plain = await call(app, "GET", path)

    assert (200, "gzip") == (answer.status, answer.headers["content-encoding"])
    assert len(answer.body) <= SCRIPT_BYTES_MAX
    assert plain.body == gzip.decompress(answer.body)
    assert b"window.seamline" in plain.body


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("/seamline.js", "text/javascript; charset=utf-8"),
        ("/js/visits.js", "text/javascript; charset=utf-8"),
        ("/seamline.d.ts", "text/plain; charset=utf-8"),
    ],
)
async def test_any_site_may_load_and_keep_it(tmp_path: Path, path: str, content_type: str) -> None:
    """Type, CORS, an hour in the cache, and a proxy is told what the body depends on."""
    async with running(tmp_path) as app:
        answer = await call(app, "GET", path, headers={"origin": ORIGIN})

    assert 200 == answer.status
    assert content_type == answer.headers["content-type"]
    assert "public, max-age=3600" == answer.headers["cache-control"]
    assert "cross-origin" == answer.headers["cross-origin-resource-policy"]
    assert "nosniff" == answer.headers["x-content-type-options"]
    assert ORIGIN == answer.headers["access-control-allow-origin"]
    assert "content-encoding" not in answer.headers
    assert str(len(answer.body)) == answer.headers["content-length"]


async def test_a_proxy_is_told_what_the_body_depends_on(tmp_path: Path) -> None:
    """On the wire, beside CORS's own `vary`."""
    async with served(tmp_path) as (port, _):
        said = await raw(port, b"GET /seamline.js HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")

    assert {b"vary: accept-encoding", b"vary: origin"} <= set(said.partition(b"\r\n\r\n")[0].split(b"\r\n"))


@pytest.mark.parametrize("path", PATHS)
async def test_head_is_get_without_the_body(tmp_path: Path, path: str) -> None:
    """On a real server: the same length told, and nothing sent."""
    async with served(tmp_path) as (port, _):
        asked = f"{path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
        head = await exchange(port, f"HEAD {asked}".encode())
        got = await exchange(port, f"GET {asked}".encode())

    assert (200, b"") == (head.status, head.body)
    assert len(got.body) > 1_000
    assert str(len(got.body)) == head.headers["content-length"] == got.headers["content-length"]
    assert head.headers["etag"] == got.headers["etag"]


@pytest.mark.parametrize("wrap", ["{}", "W/{}", '"other", {}', "*"])
@pytest.mark.parametrize("encoding", ["", "gzip"])
async def test_what_a_browser_has_is_not_sent_again(tmp_path: Path, wrap: str, encoding: str) -> None:
    """304 with the same tag, no body and no length; another tag gets the whole script."""
    async with served(tmp_path) as (port, _):
        accepts = f"accept-encoding: {encoding}\r\n" if encoding else ""
        ask = f"GET /seamline.js HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{accepts}"
        first = await exchange(port, f"{ask}\r\n".encode())
        tag = first.headers["etag"]
        again = await exchange(port, f"{ask}if-none-match: {wrap.format(tag)}\r\n\r\n".encode())
        other = await exchange(port, f'{ask}if-none-match: "other"\r\n\r\n'.encode())

    assert (304, b"", tag) == (again.status, again.body, again.headers["etag"])
    assert "content-length" not in again.headers
    assert (200, first.body) == (other.status, other.body)


@pytest.mark.parametrize("accepts", ["gzip;q=0", "gzip; q=0.0, identity", "br", ""])
async def test_who_takes_no_gzip_gets_none(tmp_path: Path, accepts: str) -> None:
    """A weight of zero is a refusal."""
    async with running(tmp_path) as app:
        answer = await call(app, "GET", "/seamline.js", headers={"accept-encoding": accepts})

    assert "content-encoding" not in answer.headers
    assert b"window.seamline" in answer.body


async def test_other_methods_are_refused(tmp_path: Path) -> None:
    """With what is allowed."""
    async with running(tmp_path) as app:
        answer = await call(app, "POST", "/seamline.js", b"x")

    assert (405, "GET, HEAD") == (answer.status, answer.headers["allow"])


@pytest.mark.parametrize(
    ("source", "short"),
    [
        ("// said\nconst long = 1;\nuse(long);\n", "const a=1;use(a);\n"),
        ("const long = 1;\nuse({ long: 2 }, it.long, long);", "const long=1;use({long:2},it.long,long);\n"),
        ("const long = 1;\nuse({ long });", "const long=1;use({long});\n"),
        ("const long = 1;\nuse(`${long}`);", "const long=1;use(`${long}`);\n"),
        ("const f = (long) => long / 2 / long;", "const b=(a)=>a/2/a;\n"),
        ("use(/[/]'+ +/.test(x) + +y);", "use(/[/]'+ +/.test(x)+ +y);\n"),
        ("if (x) {\n  y();\n}\nz()\nw", "if(x){y();}\nz()\nw\n"),
        ('const a = "// no comment";', 'const b="// no comment";\n'),
        ("return typeof x in y", "return typeof x in y\n"),
    ],
)
def test_shortening_keeps_the_meaning(source: str, short: str) -> None:
    """Members, keys, templates, patterns, texts and line ends stay."""
    assert short == shortened(source)


@pytest.mark.node
def test_the_shortened_script_is_a_program(tmp_path: Path) -> None:
    """As JavaScript's own parser reads it."""
    path = tmp_path / "short.js"
    path.write_text(shortened(SOURCE.read_text()))

    assert 0 == subprocess.run(["node", "--check", str(path)], check=False, timeout=20).returncode
