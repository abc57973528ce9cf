"""Segment's and RudderStack's messages: what each means, who may say it, and the replies their SDKs read."""

import base64
import json
from typing import Any

import pytest

from pipeline.limits import SEGMENT_BATCH_MAX
from pipeline.protocols.request import Count, Outcome
from tests.protocols.build import BOT, SECRET, answer, request, sites

EARLIER = "2025-11-22T08:20:00.000Z"
BASIC = {"authorization": "Basic " + base64.b64encode(b"page-key:").decode()}
SECRET_BASIC = {"authorization": "Basic " + base64.b64encode(f"{SECRET}:".encode()).decode()}
RUDDER = {"context": {"library": {"name": "RudderLabs JavaScript SDK"}}}


def post(kind: str, body: Any, headers: dict[str, str] = BASIC, **policy: Any) -> Outcome:
    """The answer to one request."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return answer(request("POST", f"/v1/{kind}", "", raw, headers), sites(**policy))


def message(**members: Any) -> dict[str, Any]:
    """A message of an anonymous visitor."""
    return {"messageId": "m-1", "anonymousId": "a-1", "timestamp": EARLIER} | members


def test_identify_is_a_login_that_holds_and_brings_traits() -> None:
    """The anonymous ID, the user ID and the traits of both places."""
    told = message(userId="alice", traits={"plan": "pro"}, context={"traits": {"age": 7}, "locale": "de-DE"})
    [hit] = post("identify", told).hits

    assert ("identify", "a-1", "alice", True) == (hit.type, hit.anonymous_id, hit.user_id, hit.holds)
    assert ({"plan": "pro", "age": 7}, "de-DE", "m-1", EARLIER) == (hit.traits, hit.language, hit.event_id, hit.ts)


def test_a_rudderstack_login_does_not_hold() -> None:
    """Its reset keeps the anonymous ID and sends nothing, so that what follows is nobody's."""
    by_library = post("identify", message(userId="alice", **RUDDER)).hits[0]
    by_channel = post("identify", message(userId="alice", channel="server")).hits[0]

    assert [("rudderstack", False)] * 2 == [(hit.protocol, hit.holds) for hit in (by_library, by_channel)]


@pytest.mark.parametrize(
    ("kind", "members", "expected"),
    [
        (
            "track",
            {"event": "Order Completed", "properties": {"revenue": "12.5", "currency": "eur"}},
            "Order Completed",
        ),
        ("page", {"name": "Home", "category": "Docs"}, "Home"),
        ("screen", {"name": "Start"}, "Start"),
        ("group", {"groupId": "g-1", "traits": {"employees": 3}}, "g-1"),
    ],
)
def test_each_kind_has_its_name(kind: str, members: dict[str, Any], expected: str) -> None:
    """The type is Segment's word, the name what the site calls it."""
    [hit] = post(kind, message(**members)).hits

    assert (kind, expected) == (hit.type, hit.name)
    assert (kind != "track") or (12.5, "EUR") == (hit.revenue, hit.currency)
    assert (kind != "group") or hit.properties["employees"] == 3


def test_the_page_comes_from_properties_or_context() -> None:
    """URL, referrer, title and campaign; what has its own field is not stored twice, the rest of the context is."""
    page = {"url": "https://shop.example/a", "referrer": "https://r.example/", "title": "A"}
    context = {"page": page, "campaign": {"source": "mail", "name": "spring"}, "timezone": "UTC"}
    [hit] = post("track", message(event="x", context=context)).hits

    assert ("https://shop.example/a", "https://r.example/", "A") == (hit.url, hit.referrer, hit.title)
    assert ("mail", "spring") == (hit.campaign_source, hit.campaign_name)
    assert {"context": {"timezone": "UTC"}} == hit.properties


def test_a_batch_shares_its_context_and_its_sent_at() -> None:
    """Clock correction: the client's clock is two hours ahead, and says so in sentAt."""
    ahead = {"sentAt": "2025-11-22T10:26:40.000Z", "context": {"locale": "fr"}}
    told = [
        message(type="page", timestamp="2025-11-22T10:20:00.000Z"),
        message(type="track", event="x", messageId="m-2"),
    ]
    first, second = post("batch", ahead | {"batch": told}).hits

    assert ("2025-11-22T08:20:00.000Z", "corrected", "fr") == (first.ts, first.clock, first.language)
    assert "2025-11-22" == first.day
    assert "2025-11-22T06:20:00.000Z" == second.ts


def test_every_message_of_a_batch_stands_alone() -> None:
    """The bad ones are named and counted; the others are hits."""
    told = [message(type="page"), message(type="dance"), {"type": "track"}, message(type="track", event="x")]
    outcome = post("batch", {"batch": [*told, "text"]})

    assert (200, 2) == (outcome.reply.status, len(outcome.hits))
    rejected = json.loads(outcome.reply.body)["rejected"]
    assert [(1, "type"), (2, "userId"), (4, "type")] == [(r["index"], r["field"]) for r in rejected]
    assert 3 == sum(count.outcome == "rejected" for count in outcome.counts)


def test_the_short_paths_of_the_browser_sdk_mean_the_same() -> None:
    """analytics.js posts to /v1/t with the key in the body, as text."""
    told = message(event="x", writeKey="page-key")

    assert post("t", told, {"content-type": "text/plain"}).hits == post("track", told, {}).hits


def test_a_secret_key_or_an_open_site_may_join_two_users() -> None:
    """The statement reaches the log with the authority of its key; the message is an action like any other."""
    told = message(userId="alice@new", previousId="alice")
    secret, opened = post("alias", told, SECRET_BASIC), post("alias", told, page_aliases=True)

    assert ["secret", "page"] == [outcome.aliases[0].authority for outcome in (secret, opened)]
    [alias] = secret.aliases
    assert ("alice@new", "alice", EARLIER, "m-1") == (alias.user_id, alias.previous_id, alias.ts, alias.event_id)
    assert ("alias", "alice@new") == (secret.hits[0].type, secret.hits[0].user_id)


def test_a_page_key_cannot_join_two_users() -> None:
    """Anyone can read it: the statement is refused and counted, the action stays."""
    outcome = post("alias", message(userId="mallory", previousId="alice"))

    assert ((), 1) == (tuple(outcome.aliases), len(outcome.hits))
    assert Count("web", "refused", "page_alias") in outcome.counts


@pytest.mark.parametrize("previous", ["alice", " alice ", "a-1", ""])
def test_what_joins_nobody_is_no_statement(previous: str) -> None:
    """An ID with itself, and the message's own anonymous ID, which makes it a login."""
    outcome = post("alias", message(userId="alice", previousId=previous), SECRET_BASIC)

    assert ([], "alice", "a-1") == (list(outcome.aliases), outcome.hits[0].user_id, outcome.hits[0].anonymous_id)


def test_rudderstack_merges_two_user_ids() -> None:
    """And nothing else: an e-mail address is no user ID."""
    pair = [{"type": "userId", "value": "u-1"}, {"type": "userId", "value": "u-2"}]
    [alias] = post("merge", message(mergeProperties=pair), SECRET_BASIC).aliases
    refused = post("merge", message(mergeProperties=[pair[0], {"type": "email", "value": "x"}]), SECRET_BASIC)

    assert ("u-2", "u-1") == (alias.user_id, alias.previous_id)
    assert (400, "mergeProperties") == (refused.reply.status, json.loads(refused.reply.body)["field"])


@pytest.mark.parametrize(
    ("body", "headers", "status", "detail"),
    [
        (b"{", BASIC, 400, "body"),
        (b"[]", BASIC, 400, "body"),
        (b"{}", {}, 401, "key"),
        (b"{}", {"authorization": "Basic ?"}, 401, "key"),
        (b'{"writeKey":"nope"}', {}, 401, "key"),
        (b"{}", BASIC, 400, "userId"),
        (b'{"anonymousId":"a","properties":{"p":"' + b"x" * 9_000 + b'"}}', BASIC, 400, "properties"),
        (b'{"anonymousId":"a","traits":{"t":NaN}}', BASIC, 400, "traits"),
    ],
)
def test_a_bad_request_is_named_and_counted(body: bytes, headers: dict[str, str], status: int, detail: str) -> None:
    """A 4xx that the SDK gives up on, with a code and a message."""
    outcome = post("track", body, headers)

    assert (status, [], detail) == (outcome.reply.status, list(outcome.hits), outcome.counts[0].detail)
    assert {"code", "message"} <= json.loads(outcome.reply.body).keys()


def test_a_batch_is_bounded() -> None:
    """Segment's own number of messages."""
    assert 413 == post("batch", {"batch": [{}] * (SEGMENT_BATCH_MAX + 1)}).reply.status
    assert 400 == post("batch", {"batch": []}).reply.status


@pytest.mark.parametrize(
    ("headers", "policy", "why"),
    [
        ({"dnt": "1"}, {"dnt": True}, "dnt"),
        ({"sec-gpc": "1"}, {}, "gpc"),
        ({"user-agent": BOT}, {"bots": "refuse"}, "bot"),
    ],
)
def test_what_policy_refuses_is_answered_like_success(headers: dict[str, str], policy: Any, why: str) -> None:
    """Counted once a message, and nothing is kept."""
    outcome = post("batch", {"batch": [message(type="page")] * 3}, BASIC | headers, **policy)

    assert (200, b'{"success":true}', []) == (outcome.reply.status, outcome.reply.body, list(outcome.hits))
    assert [Count("web", "refused", why)] * 3 == list(outcome.counts)


def test_a_retry_without_a_message_id_is_the_same_hit() -> None:
    """Its own timestamp makes the ID, whenever it was sent; without one each arrival is a hit."""
    told = message(messageId=None)
    first, again = (
        post("track", told | {"sentAt": EARLIER}).hits,
        post("track", told | {"sentAt": EARLIER[:-5] + "9.000Z"}).hits,
    )
    untimed = post("batch", {"batch": [{"type": "page", "anonymousId": "a"}] * 2}).hits

    assert first[0].event_id == again[0].event_id
    assert 2 == len({hit.event_id for hit in untimed})


def test_the_browser_sdks_get_the_settings_they_ask_for() -> None:
    """Segment's by path, RudderStack's by query or Basic; an unknown key gets none."""
    segment = answer(request("GET", "/v1/projects/page-key/settings"), sites()).reply
    rudder = answer(request("GET", "/sourceConfig/", "writeKey=page-key&p=npm"), sites()).reply
    unknown = [
        answer(request("GET", path), sites()).reply.status for path in ("/v1/projects/x/settings", "/sourceConfig")
    ]

    assert "page-key" == json.loads(segment.body)["integrations"]["Segment.io"]["apiKey"]
    assert json.loads(rudder.body)["source"]["enabled"] is True
    assert [404, 401] == unknown


def test_the_pixel_is_an_image_whatever_it_says() -> None:
    """A page by GET; without a key it is counted."""
    query = "writeKey=page-key&anonymousId=a-1&userId=alice&properties.colour=red"
    taken = answer(request("GET", "/pixel/v1/page", query), sites())
    unknown = answer(request("GET", "/pixel/v1/track", "anonymousId=a"), sites())

    assert [(200, b"GIF89a")] * 2 == [(o.reply.status, o.reply.body[:6]) for o in (taken, unknown)]
    assert ("page", "alice", {"colour": "red"}) == (
        taken.hits[0].type,
        taken.hits[0].user_id,
        taken.hits[0].properties,
    )
    assert [Count("", "rejected", "key")] == list(unknown.counts)
