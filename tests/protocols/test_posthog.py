"""PostHog's capture API: who is anonymous and who is not, in every body its SDKs send; and the replies they read."""

import base64
import json
from typing import Any
from urllib.parse import quote

import pytest

from pipeline.protocols.request import Count, Outcome
from tests.protocols.build import BOT, SECRET, answer, request, sites

EARLIER = "2025-11-22T08:20:00.000Z"


def post(
    body: Any, path: str = "/e/", query: str = "", headers: dict[str, str] | None = None, **policy: Any
) -> Outcome:
    """The answer to one request."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return answer(request("POST", path, query, raw, headers), sites(**policy))


def event(
    name: str = "$pageview", distinct_id: Any = "visitor-1", key: str = "page-key", **members: Any
) -> dict[str, Any]:
    """An event with its token."""
    base = {"api_key": key, "event": name, "distinct_id": distinct_id, "uuid": "e-1", "timestamp": EARLIER}
    return base | members


@pytest.mark.parametrize(
    ("properties", "anonymous_id", "user_id"),
    [
        ({"$is_identified": False, "$device_id": "dev"}, "visitor-1", ""),
        ({"$process_person_profile": False}, "visitor-1", ""),
        ({"$device_id": "visitor-1"}, "visitor-1", ""),
        ({"$is_identified": True, "$device_id": "dev"}, "dev", "visitor-1"),
        ({}, "", "visitor-1"),
    ],
)
def test_a_distinct_id_is_a_visitor_only_where_the_sdk_says_so(
    properties: dict[str, Any], anonymous_id: str, user_id: str
) -> None:
    """A server that says nothing speaks of a user."""
    [hit] = post(event(properties=properties)).hits

    assert (anonymous_id, user_id) == (hit.anonymous_id, hit.user_id)


def test_identify_is_a_login_on_the_visitors_device() -> None:
    """`$anon_distinct_id` is the device; traits come with it, those set once apart."""
    properties = {"$anon_distinct_id": "visitor-1", "$set": {"plan": "pro"}, "$device_id": "dev"}
    [hit] = post(event("$identify", "alice", properties=properties, **{"$set_once": {"first": "ad"}})).hits

    assert ("identify", "visitor-1", "alice", True) == (hit.type, hit.anonymous_id, hit.user_id, hit.holds)
    assert ({"plan": "pro"}, {"first": "ad"}) == (hit.traits, hit.traits_once)


def test_what_has_a_field_is_not_stored_twice() -> None:
    """URL, referrer and title; everything else the SDK tells stays a property."""
    properties = {"$current_url": "https://shop.example/a", "$referrer": "$direct", "title": "A", "$lib": "web"}
    [hit] = post(event(properties=properties | {"token": "page-key"})).hits

    assert ("page", "https://shop.example/a", "", "A") == (hit.type, hit.url, hit.referrer, hit.title)
    assert {"title": "A", "$lib": "web"} == hit.properties


def test_an_alias_is_a_statement_of_a_key_that_may_make_it() -> None:
    """posthog-python's alias(previous, distinct); a public token cannot join two users."""
    told = {"properties": {"distinct_id": "alice", "alias": "alice@new"}}
    secret = post(event("$create_alias", "alice", SECRET, **told))
    page = post(event("$create_alias", "alice", **told))

    assert [("alice@new", "alice", "secret")] == [(a.user_id, a.previous_id, a.authority) for a in secret.aliases]
    assert ([], 1) == (list(page.aliases), len(page.hits))
    assert Count("web", "refused", "page_alias") in page.counts
    assert [] == list(post(event("$create_alias", "alice", SECRET, properties={"alias": "alice"})).aliases)


BARE = json.dumps(event()).encode()
FORM = b"data=" + quote(base64.b64encode(BARE)).encode() + b"&compression=base64"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(BARE, id="object"),
        pytest.param(b"[" + BARE + b"]", id="array"),
        pytest.param(json.dumps({"token": "page-key", "batch": [event(api_key=None)]}).encode(), id="batch"),
        pytest.param(FORM, id="base64 form"),
        pytest.param(b"data=" + quote(BARE).encode(), id="json form"),
        pytest.param(base64.b64encode(BARE), id="bare base64"),
    ],
)
def test_every_form_of_body_is_the_same_event(body: bytes) -> None:
    """Whatever the SDK's age: the event, its ID and its time."""
    [hit] = post(body).hits

    assert ("visitor-1", "e-1", EARLIER, "posthog") == (hit.user_id, hit.event_id, hit.ts, hit.protocol)


def test_the_clock_is_corrected_by_when_it_was_sent() -> None:
    """`sent_at` of a batch; an event without a time is `offset` milliseconds before it."""
    ahead = {"token": "page-key", "sent_at": "2025-11-22T10:26:40.000Z"}
    timed = event(timestamp="2025-11-22T10:20:00.000Z")
    offset = event(timestamp=None, offset=5_000)
    first, second = post(ahead | {"batch": [timed, offset]}).hits

    assert ("2025-11-22T08:20:00.000Z", "corrected") == (first.ts, first.clock)
    assert "2025-11-22T08:26:35.000Z" == second.ts


def test_every_event_of_a_batch_stands_alone() -> None:
    """No name, no ID, too deep: named and counted; the others are hits."""
    bad = [event(""), event(distinct_id=" "), {"event": "x"}, 7]
    outcome = post({"token": "page-key", "batch": [event(), *bad]})

    assert (200, 1) == (outcome.reply.status, len(outcome.hits))
    rejected = json.loads(outcome.reply.body)["rejected"]
    assert [(1, "event"), (2, "distinct_id"), (3, "distinct_id"), (4, "event")] == [
        (r["index"], r["field"]) for r in rejected
    ]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 400),
        (b"7", 400),
        (json.dumps(event("")).encode(), 400),
        (json.dumps(event(key="")).encode(), 401),
        (json.dumps(event(key="nope")).encode(), 401),
        (json.dumps(event(key="phx_1")).encode(), 401),
        (json.dumps([event(), event(key="app-key")]).encode(), 401),
    ],
)
def test_a_bad_request_is_named_and_counted(body: bytes, status: int) -> None:
    """A 4xx, which the SDKs do not send again."""
    outcome = post(body)

    assert (status, []) == (outcome.reply.status, list(outcome.hits))
    assert ["rejected"] == [count.outcome for count in outcome.counts]


@pytest.mark.parametrize(
    ("headers", "policy", "why"),
    [
        ({"dnt": "1"}, {"dnt": True}, "dnt"),
        ({"sec-gpc": "1"}, {}, "gpc"),
        ({"user-agent": BOT}, {"bots": "refuse"}, "bot"),
    ],
)
def test_what_policy_refuses_is_answered_like_success(headers: dict[str, str], policy: Any, why: str) -> None:
    """Counted once an event, and nothing is kept."""
    outcome = post([event(), event()], headers=headers, **policy)

    assert (200, b'{"status":1}', []) == (outcome.reply.status, outcome.reply.body, list(outcome.hits))
    assert [Count("web", "refused", why)] * 2 == list(outcome.counts)


def test_the_sdks_other_questions_get_the_least_answer() -> None:
    """No flags, no remote configuration, and recordings are counted and dropped."""
    flags, config, script, recording = (
        answer(request(method, path, "v=2", b"{}"), sites())
        for method, path in (
            ("POST", "/flags/"),
            ("GET", "/array/page-key/config"),
            ("GET", "/array/page-key/config.js"),
            ("POST", "/s/"),
        )
    )

    assert {} == json.loads(flags.reply.body)["flags"]
    assert json.loads(config.reply.body)["sessionRecording"] is False
    assert (b"content-type", b"text/javascript") in script.reply.headers
    assert (200, [Count("", "refused", "recording")]) == (recording.reply.status, list(recording.counts))


def test_a_get_carries_its_event_in_the_query() -> None:
    """The oldest SDKs' image."""
    query = "ip=1&data=" + quote(base64.b64encode(BARE))

    assert "e-1" == answer(request("GET", "/e/", query), sites()).hits[0].event_id
