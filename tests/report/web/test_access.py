"""Who gets in, and what each may see: tokens, sessions, proxies, host names, other tenants."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from pipeline.identity.ids import user_person
from pipeline.limits import SESSION_MS
from pipeline.questions import Questions
from pipeline.report.web.access import Grant, Grants, TokensError, is_loopback, parse_tokens
from pipeline.report.web.app import ReportApp
from pipeline.report.web.gate import COOKIE, CannotOpen
from pipeline.report.web.opening import report_app
from pipeline.settings import load_settings
from tests.report.reported_world import FORGOTTEN, HER, JOINED, PLAIN, Reported

ALL, ONE = "a-token-for-everything-0001", "a-token-for-plain-only-0002"
ORIGIN = {"origin": "http://localhost"}
Opened = Callable[..., TestClient]


@pytest.fixture
def opened(reported: tuple[Questions, Reported], tmp_path: Path) -> Iterator[Opened]:
    """A page on the reported world with these settings, and a client at some address."""
    apps: list[ReportApp] = []
    entries = "".join(
        f"  - {{workspace: {name}, site: {name}-site, native: {{page_keys: [{name}]}}}}\n" for name in (PLAIN, JOINED)
    )
    (tmp_path / "sites.yaml").write_text(f"sites:\n{entries}")

    def make(tokens: str = "", peer: str = "127.0.0.1", **environ: str) -> TestClient:
        environ["SITES"] = str(tmp_path / "sites.yaml")
        if tokens:
            (tmp_path / "tokens").write_text(tokens)
            environ["REPORT_TOKEN_FILE"] = str(tmp_path / "tokens")
        settings = load_settings({f"SEAMLINE_{name}": text for name, text in environ.items()})
        apps.append(report_app(settings, reported[0]))
        return TestClient(apps[-1], "http://localhost", client=(peer, 4711), follow_redirects=False)

    yield make
    for app in apps:
        app.close()


def signed_in(client: TestClient, token: str) -> TestClient:
    reply = client.post("/report/sign-in", data={"token": token}, headers=ORIGIN)
    assert 303 == reply.status_code
    return client


def test_this_machine_needs_no_token(opened: Opened) -> None:
    """On loopback, without a proxy: the page opens, and leads to the first workspace."""
    client = opened()

    assert f"/report/{JOINED}/overview" == client.get("/").headers["location"]
    assert 200 == client.get(f"/report/{PLAIN}/overview").status_code


@pytest.mark.parametrize("header", ["x-forwarded-for", "forwarded", "via", "x-real-ip", "x-forwarded-host"])
def test_whoever_came_through_a_proxy_is_asked(opened: Opened, header: str) -> None:
    """The proxy's address is loopback's; its visitor's is not."""
    assert 403 == opened().get(f"/report/{PLAIN}/persons", headers={header: "203.0.113.7"}).status_code
    assert 401 == opened(ALL).get(f"/report/{PLAIN}/persons", headers={header: "203.0.113.7"}).status_code


def test_a_stranger_is_not_let_in_without_tokens(opened: Opened) -> None:
    """Whatever it listens on: who is not at this machine sees nothing."""
    assert 403 == opened(peer="203.0.113.7").get(f"/report/{PLAIN}/persons").status_code


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "reports.example", "::"])
def test_it_does_not_start_beyond_loopback_without_a_door(opened: Opened, host: str) -> None:
    """The setting that is missing is named."""
    with pytest.raises(CannotOpen, match="SEAMLINE_REPORT_TOKEN_FILE"):
        opened(HOST=host)
    assert 401 == opened(ALL, HOST=host).get("/").status_code


def test_a_header_without_named_proxies_is_refused(opened: Opened) -> None:
    """Anybody could send it."""
    with pytest.raises(CannotOpen, match="SEAMLINE_TRUSTED_PROXIES"):
        opened(REPORT_USER_HEADER="X-User")


def test_a_token_opens_and_a_wrong_one_does_not(opened: Opened) -> None:
    """And the session's cookie cannot be read by scripts nor sent by other sites."""
    client = opened(ALL)
    wrong = client.post("/report/sign-in", data={"token": ALL + "x"}, headers=ORIGIN)
    assert (401, None) == (wrong.status_code, wrong.headers.get("set-cookie"))
    assert "This token is none" in wrong.text
    assert 401 == client.get(f"/report/{PLAIN}/persons").status_code

    right = client.post("/report/sign-in", data={"token": ALL, "next": f"/report/{PLAIN}/visits"}, headers=ORIGIN)
    cookie = right.headers["set-cookie"].lower()
    assert f"/report/{PLAIN}/visits" == right.headers["location"]
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert ALL not in cookie
    assert 200 == client.get(f"/report/{PLAIN}/persons").status_code


@pytest.mark.parametrize("after", ["https://evil.example/", "//evil.example", "/report/\\evil.example", "javascript:0"])
def test_signing_in_leads_nowhere_else(opened: Opened, after: str) -> None:
    """A link to the form cannot send its reader away."""
    reply = opened(ALL).post("/report/sign-in", data={"token": ALL, "next": after}, headers=ORIGIN)

    assert "/" == reply.headers["location"]


@pytest.mark.parametrize("headers", [{}, {"origin": "https://evil.example"}, {"origin": "null"}])
def test_forms_of_other_pages_are_refused(opened: Opened, headers: dict[str, str]) -> None:
    """Signing in and out."""
    client = opened(ALL)

    assert 403 == client.post("/report/sign-in", data={"token": ALL}, headers=headers).status_code
    assert 403 == signed_in(client, ALL).post("/report/sign-out", headers=headers).status_code


def test_signing_out_ends_it(opened: Opened) -> None:
    """In this browser."""
    client = signed_in(opened(ALL), ALL)
    client.post("/report/sign-out", headers=ORIGIN)

    assert 401 == client.get(f"/report/{PLAIN}/persons").status_code


def test_a_token_of_one_workspace_opens_no_other(opened: Opened) -> None:
    """Nor says that there is one."""
    client = signed_in(opened(f"{PLAIN} {ONE}\n{ALL}\n"), ONE)
    hidden, none = client.get(f"/report/{JOINED}/persons"), client.get("/report/nowhere/persons")

    assert 200 == client.get(f"/report/{PLAIN}/persons").status_code
    assert (404, 404) == (hidden.status_code, none.status_code)
    assert hidden.text == none.text
    assert f"/report/{PLAIN}/overview" == client.get("/").headers["location"]
    assert f"/report/{JOINED}" not in client.get(f"/report/{PLAIN}/overview").text


@pytest.mark.parametrize(
    "path", ["persons/{person}", "persons/{person}?part=why&why={event}", "persons/{person}?why={event}"]
)
def test_another_tenants_person_cannot_be_opened(
    opened: Opened, reported: tuple[Questions, Reported], path: str
) -> None:
    """Not by ID under one's own workspace, nor by event ID, nor found by a search."""
    client = signed_in(opened(f"{PLAIN} {ONE}"), ONE)
    _, rows = reported[0](
        "SELECT person_id, event_id, user_id FROM actions WHERE workspace = {w:String} AND user_id != '' LIMIT 1",
        {"w": FORGOTTEN},
    )
    person, event, _ = rows[0]
    reply = client.get(f"/report/{PLAIN}/" + path.format(person=person, event=event))

    assert 404 == reply.status_code
    assert "Nobody matches" in client.get(f"/report/{PLAIN}/persons", params={"q": person}).text


def test_a_search_finds_only_the_own_workspaces_person(opened: Opened) -> None:
    """All four workspaces have the same user IDs."""
    client = signed_in(opened(f"{PLAIN} {ONE}"), ONE)
    page = client.get(f"/report/{PLAIN}/persons", params={"q": HER})
    shown = page.text + page.headers.get("location", "")

    assert user_person(PLAIN, HER) in shown
    assert user_person(JOINED, HER) not in shown


def test_a_proxys_word_counts_only_from_the_proxy(opened: Opened) -> None:
    """From elsewhere the header is a stranger's invention."""
    said = {"REPORT_USER_HEADER": "X-Forwarded-User", "TRUSTED_PROXIES": "10.0.0.0/8", "HOST": "0.0.0.0"}
    user = {"X-Forwarded-User": "ada"}

    assert 200 == opened(peer="10.1.2.3", **said).get(f"/report/{PLAIN}/persons", headers=user).status_code
    assert 403 == opened(peer="10.1.2.3", **said).get(f"/report/{PLAIN}/persons").status_code
    assert 403 == opened(peer="203.0.113.7", **said).get(f"/report/{PLAIN}/persons", headers=user).status_code
    assert 403 == opened(peer="127.0.0.1", **said).get(f"/report/{PLAIN}/persons", headers=user).status_code


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:8080", 200),
        ("[::1]:1", 200),
        ("127.0.0.1", 200),
        ("evil.example", 421),
        ("", 421),
        ("Reports.Example:443", 200),
    ],
)
def test_an_unknown_host_is_refused(opened: Opened, host: str, status: int) -> None:
    """A name that somebody else points at this machine is not ours: no page of theirs can read reports."""
    client = opened(REPORT_HOSTS="reports.example")

    assert status == client.get(f"/report/{PLAIN}/persons", headers={"host": host}).status_code


@pytest.mark.parametrize(
    "path", ["/", f"/report/{PLAIN}/persons", "/report/static/ui.js", "/report/nowhere", "/report/sign-in"]
)
def test_every_reply_keeps_browsers_in(opened: Opened, path: str) -> None:
    """Errors and the door's too; and none tells another origin that it may read."""
    for client in (opened(), opened(ALL), opened(peer="203.0.113.7")):
        headers = client.get(path, headers={"origin": "https://evil.example"}).headers
        assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'; style-src 'self';")
        assert "unsafe" not in headers["content-security-policy"]
        assert ("no-referrer", "nosniff") == (headers["referrer-policy"], headers["x-content-type-options"])
        assert not [name for name in headers if name.startswith("access-control-")]


@pytest.mark.parametrize("query", ["days=0", "days=x", "day=yesterday", "after=~~", "after_rank=nan"])
def test_an_odd_address_is_told_and_breaks_nothing(opened: Opened, query: str) -> None:
    """A page, and no error of the server."""
    client = opened()
    person = user_person(PLAIN, HER)
    for path in ("overview", "persons", "visits", "segments", f"persons/{person}", "persons/nobody"):
        assert client.get(f"/report/{PLAIN}/{path}?{query}").status_code in (200, 400, 404)


def test_the_tokens_file_is_read_strictly() -> None:
    """A short token, an unknown workspace, too many words; no message has a token in it."""
    for text in ("short", f"nowhere {ONE}", f"{PLAIN} {ONE} {ALL}"):
        with pytest.raises(TokensError) as told:
            parse_tokens(f"# ours\n\n{text}", [PLAIN])
        assert "line 3" in str(told.value)
        assert not [word for word in (ONE, ALL) if word in str(told.value)]


def test_a_session_ends_with_its_time_or_its_token() -> None:
    """And a changed one never begins."""
    grants = Grants([Grant(ALL), Grant(ONE, PLAIN)])
    session = grants.session(Grant(ONE, PLAIN), 1_000)

    assert Grant(ONE, PLAIN) == grants.of_session(session, 1_000)
    assert grants.of_session(session, 1_000 + SESSION_MS) is None
    assert Grants([Grant(ALL)]).of_session(session, 1_000) is None


@given(st.text(max_size=80))
def test_no_text_is_a_session(text: str) -> None:
    """However it is spelt, and with any ending changed."""
    grants = Grants([Grant(ALL)])
    session = grants.session(Grant(ALL), 1_000)

    assert grants.of_session(text, 0) is None
    assert text == "" or grants.of_session(session[: -len(text)] + text, 0) in (None, *_same(session, text))
    assert not text.strip() or grants.find(text) is None


def _same(session: str, text: str) -> list[Any]:
    return [Grant(ALL)] if session.endswith(text) else []


@pytest.mark.parametrize(
    ("host", "only"), [("127.8.8.8", True), ("::1", True), ("localhost", True), ("10.0.0.1", False)]
)
def test_loopback(host: str, only: bool) -> None:
    """What nobody else can reach."""
    assert only is is_loopback(host)
    assert COOKIE
