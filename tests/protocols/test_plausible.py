"""Plausible's events: its replies, names long and short, hits that stand alone, and our convention for who it was."""

from typing import Any

import orjson
import pytest

from pipeline.protocols.request import JSON_TYPE, Outcome
from tests.protocols.build import BOT, PHONE, answer, counted, only, request, sites

TEXT = (b"content-type", b"text/plain; charset=utf-8")
DROPPED = (b"x-plausible-dropped", b"1")


def event(**members: Any) -> dict[str, Any]:
    """A page view of the first site, as its script writes it."""
    return {"n": "pageview", "v": 36, "u": "https://shop.example/", "d": "shop.example", "r": None} | members


def post(body: Any, **more: Any) -> Outcome:
    """As text, which needs no preflight."""
    where = more.pop("where", None)
    sent = body if isinstance(body, bytes) else orjson.dumps(body)
    headers = {"content-type": "text/plain"} | more.pop("headers", {})
    return answer(request("POST", "/api/event", b"", sent, headers, **more), where)


def test_an_event_is_answered_with_202() -> None:
    """A page view is a page; its hit stands alone."""
    outcome = post(event())

    assert (202, b"ok", (TEXT,)) == (outcome.reply.status, outcome.reply.body, outcome.reply.headers)
    hit = only(outcome)
    assert ("page", "", "plausible", "https://shop.example/", "h:new-1", "", "") == (
        hit.type,
        hit.name,
        hit.protocol,
        hit.url,
        hit.device,
        hit.anonymous_id,
        hit.user_id,
    )


@pytest.mark.parametrize(
    ("body", "field", "why"),
    [
        (b"{", "request", "Unable to parse request body as json"),
        (b"[]", "request", "Unable to parse request body as json"),
        (event(n=""), "event_name", "can't be blank"),
        (event(n=None), "event_name", "can't be blank"),
        (event(u=None), "url", "can't be blank"),
        (event(d=None), "domain", "can't be blank"),
        (event(d=" , "), "domain", "can't be blank"),
        (event(d={"a": 1}), "domain", "can't be blank"),
        (event(p={"k": "x" * 9_000}), "props", "cannot be stored: too many, too long, or not text"),
        (event(p={f"k{n}": 1 for n in range(300)}), "props", "cannot be stored: too many, too long, or not text"),
        (
            b'{"n":"a","u":"/","d":"shop.example","sd":NaN}',
            "props",
            "cannot be stored: too many, too long, or not text",
        ),
    ],
)
def test_what_is_no_event_is_a_400_that_names_the_field(body: Any, field: str, why: str) -> None:
    """And is counted."""
    outcome = post(body)

    assert (400, JSON_TYPE, {"errors": {field: [why]}}, []) == (
        outcome.reply.status,
        outcome.reply.headers,
        orjson.loads(outcome.reply.body),
        list(outcome.hits),
    )
    assert [("rejected", field)] == counted(outcome)


def test_a_body_is_bounded_like_an_event() -> None:
    """64 KiB are read, one byte more is 413."""
    exact = orjson.dumps(event()).ljust(65_536)

    assert [202, 413] == [post(body).reply.status for body in (exact, exact + b" ")]


@pytest.mark.parametrize(
    ("headers", "policy", "reason"),
    [
        ({"dnt": "1"}, {"dnt": True}, "dnt"),
        ({"sec-gpc": "1"}, {}, "gpc"),
        ({"user-agent": BOT}, {"bots": "refuse"}, "bot"),
    ],
)
def test_what_a_site_refuses_is_dropped_politely(headers: dict[str, str], policy: dict[str, Any], reason: str) -> None:
    """202, and a header that says so."""
    outcome = post(event(), headers=headers, where=sites(**policy))

    assert (202, b"ok", (TEXT, DROPPED), []) == (
        outcome.reply.status,
        outcome.reply.body,
        outcome.reply.headers,
        list(outcome.hits),
    )
    assert [("refused", reason)] == counted(outcome)


def test_an_unknown_domain_and_a_foreign_origin_are_dropped_too() -> None:
    """Each counted under its reason."""
    unknown = post(event(d="nobody.example"))
    foreign = post(event(d="app.example"), headers={"origin": "https://elsewhere.example"})

    assert [(202, (TEXT, DROPPED))] * 2 == [(o.reply.status, o.reply.headers) for o in (unknown, foreign)]
    assert [("rejected", "domain"), ("refused", "origin")] == counted(unknown) + counted(foreign)


def test_an_event_for_several_domains_is_a_hit_for_each() -> None:
    """One that is taken makes the answer a success."""
    outcome = post(event(d="Shop.example, app.example,nobody.example,shop.example"))

    assert (["web", "app"], (TEXT,)) == ([hit.site_id for hit in outcome.hits], outcome.reply.headers)
    assert [("rejected", "domain")] == counted(outcome)


@pytest.mark.parametrize(
    "names", [("n", "u", "d", "r", "p", "$"), ("name", "url", "domain", "referrer", "props", "revenue")]
)
def test_names_may_be_short_or_long(names: tuple[str, ...]) -> None:
    """Properties are the event's own; revenue has its fields."""
    told = (
        "Order",
        "https://shop.example/basket?utm_source=mail",
        "shop.example",
        "https://search.example/",
        {"plan": "pro", "n": 2},
        {"currency": "eur", "amount": "48.50"},
    )

    hit = only(post(dict(zip(names, told, strict=True)), headers={"user-agent": PHONE}))
    assert ("track", "Order", "https://search.example/", "mail", "smartphone", 48.5, "EUR") == (
        hit.type,
        hit.name,
        hit.referrer,
        hit.campaign_source,
        hit.device_type,
        hit.revenue,
        hit.currency,
    )
    assert {"plan": "pro", "n": 2} == hit.properties


@pytest.mark.parametrize(
    "props", [{"p": {"a": 1}}, {"m": '{"a":1}'}, {"meta": {"a": 1}}, {"p": None, "props": {"a": 1}}]
)
def test_properties_have_had_four_names(props: dict[str, Any]) -> None:
    """Older scripts wrote them as a text."""
    assert {"a": 1} == only(post(event(**props))).properties


@pytest.mark.parametrize("props", ["{", "[1]", 7, [1]])
def test_properties_that_are_none_are_left_out(props: Any) -> None:
    """The event stays."""
    assert {} == only(post(event(p=props))).properties


def test_what_is_not_interactive_says_so() -> None:
    """Only what was sent is kept."""
    assert {"interactive": False} == only(post(event(n="Seen", i=False))).properties


def test_by_our_convention_properties_say_who_it_was() -> None:
    """They are no properties then. The user does not hold; what is no ID is counted."""
    hit = only(post(event(p={"user_id": "alice", "anonymous_id": "device-1", "plan": "pro"})))
    wrong = post(event(p={"user_id": "undefined", "anonymous_id": ["x"]}))

    assert ("alice", False, "device-1", "d:device-1", {"plan": "pro"}) == (
        hit.user_id,
        hit.holds,
        hit.anonymous_id,
        hit.device,
        hit.properties,
    )
    assert ("", "", {}) == (only(wrong).user_id, only(wrong).anonymous_id, only(wrong).properties)
    assert [("illegal_id", "user_id: undefined")] == counted(wrong)
    assert "42" == only(post(event(p={"user_id": 42}))).user_id


def test_an_engagement_says_nothing_about_the_device_now() -> None:
    """It tells of a page that was left, and races the next one: with a user it is theirs, and no login there."""
    told = {"n": "engagement", "sd": 80, "e": 5_300}
    theirs = only(post(event(p={"user_id": "alice", "anonymous_id": "device-1"}, **told)))
    nobodys = only(post(event(p={"anonymous_id": "device-1"}, **told)))

    assert ("ping", "", {"scroll_depth": 80, "engagement_time": 5_300}) == (theirs.type, theirs.name, theirs.properties)
    assert ("alice", "", "u:alice") == (theirs.user_id, theirs.anonymous_id, theirs.device)
    assert ("", "device-1", "d:device-1") == (nobodys.user_id, nobodys.anonymous_id, nobodys.device)


def test_a_long_url_is_cut_and_counted() -> None:
    """The event stays."""
    outcome = post(event(u="https://shop.example/" + "x" * 9_000))

    assert 8_192 == len(only(outcome).url)
    assert [("cut", "url")] == counted(outcome)
