"""Umami's send and batch: its replies, a device that is our token and no fingerprint, and what an item means."""

from typing import Any

import orjson
import pytest

from pipeline.limits import BULK_HITS_MAX
from pipeline.protocols.request import JSON_TYPE, Outcome
from tests.protocols.build import BOT, NOW_MS, PHONE, STRICT_UUID, UUID, answer, counted, only, request, sites

NOT_FOUND = {"message": "Website not found."}


def item(kind: str = "event", **payload: Any) -> dict[str, Any]:
    """One thing sent to the first site."""
    return {"type": kind, "payload": {"website": UUID, "hostname": "shop.example", "url": "/"} | payload}


def post(body: Any, path: str = "/api/send", token: str = "", **more: Any) -> Outcome:
    """As Umami's clients do. `token`: what an earlier reply said."""
    where = more.pop("where", None)
    headers = more.pop("headers", {}) | ({"x-umami-cache": token} if token else {})
    sent = body if isinstance(body, bytes) else orjson.dumps(body)
    return answer(request("POST", path, b"", sent, headers, **more), where)


def said(outcome: Outcome) -> Any:
    """The reply's JSON."""
    assert outcome.reply.headers == JSON_TYPE
    return orjson.loads(outcome.reply.body)


def test_an_item_is_answered_with_a_token_which_is_its_device() -> None:
    """One random ID under the three names that clients know."""
    outcome = post(item())

    assert (200, {"cache": "new-1", "sessionId": "new-1", "visitId": "new-1"}) == (outcome.reply.status, said(outcome))
    assert ("page", "umami", "new-1", "d:new-1", "") == (
        only(outcome).type,
        only(outcome).protocol,
        only(outcome).anonymous_id,
        only(outcome).device,
        only(outcome).user_id,
    )


def test_a_token_sent_back_is_the_same_device() -> None:
    """So that the pages of one client session share it."""
    outcome = post(item(), token="0199-abc")

    assert ("0199-abc", "0199-abc") == (only(outcome).anonymous_id, said(outcome)["cache"])


@pytest.mark.parametrize("token", ["a.signed.token", "x" * 65, "two words", "null"])
def test_what_was_never_a_token_of_ours_is_none(token: str) -> None:
    """Such as another server's, from before the move: a new one is given, never a device shared by chance."""
    outcome = post(item(), token=token)

    assert "new-1" == only(outcome).anonymous_id == said(outcome)["cache"]


def test_two_visitors_behind_one_address_stay_apart() -> None:
    """Address and user agent are no identity: without a token each hit is on a new device."""
    items = [item(ip="198.51.100.9", userAgent=PHONE)] * 2

    assert ["new-1", "new-3"] == [hit.anonymous_id for hit in post(items, "/api/batch").hits]


@pytest.mark.parametrize(
    ("body", "status", "message", "detail"),
    [
        (b"{", 400, None, "body"),
        (b"", 400, None, "body"),
        ([], 400, None, "type"),
        ({"type": "event"}, 400, None, "payload"),
        ({"type": "event", "payload": []}, 400, None, "payload"),
        ({"type": "pageview", "payload": {"website": UUID}}, 400, None, "type"),
        ({"type": ["event"], "payload": {"website": UUID}}, 400, None, "type"),
        (item(website="00000000-0000-4000-8000-00000000000f"), 400, "Website not found.", "website"),
        (item(website=None), 400, "Website not found.", "website"),
        ({"type": "event", "payload": {"pixel": UUID}}, 400, "Website not found.", "website"),
        (item(data={f"k{n}": 1 for n in range(300)}), 400, None, "data"),
        (item(data={"k": "x" * 9_000}), 400, None, "data"),
        (b'{"type":"event","payload":{"website":"%s","data":{"k":"\\ud800"}}}' % UUID.encode(), 400, None, "data"),
        (item(junk="x" * 70_000), 413, None, "payload"),
    ],
)
def test_what_is_no_item_is_told_why(body: Any, status: int, message: str | None, detail: str) -> None:
    """And counted."""
    outcome = post(body)

    assert (status, []) == (outcome.reply.status, list(outcome.hits))
    assert (message or said(outcome)["message"]) == said(outcome)["message"] != ""
    assert [("rejected", detail)] == counted(outcome)


def test_a_website_is_read_in_either_case() -> None:
    """Hexadecimal."""
    assert "web" == only(post(item(website=UUID.upper()))).site_id


@pytest.mark.parametrize(
    ("headers", "policy", "reason"),
    [
        ({"dnt": "1"}, {"dnt": True}, "dnt"),
        ({"sec-gpc": "1"}, {}, "gpc"),
        ({"user-agent": BOT}, {"bots": "refuse"}, "bot"),
    ],
)
def test_what_a_site_refuses_is_answered_as_a_robot_is(
    headers: dict[str, str], policy: dict[str, Any], reason: str
) -> None:
    """A success without a token."""
    outcome = post(item(), headers=headers, where=sites(**policy))

    assert (200, b'{"beep":"boop"}', []) == (outcome.reply.status, outcome.reply.body, list(outcome.hits))
    assert [("refused", reason)] == counted(outcome)


def test_an_origin_or_an_agent_in_the_item_is_refused_too() -> None:
    """The item's own agent outranks the connection's."""
    elsewhere = post(item(website=STRICT_UUID), headers={"origin": "https://elsewhere.example"})

    assert [("refused", "origin")] == counted(elsewhere)
    assert [("refused", "bot")] == counted(post(item(userAgent=BOT), where=sites(bots="refuse")))
    assert [] == counted(post(item(userAgent=PHONE), headers={"user-agent": BOT}, where=sites(bots="refuse")))


def test_a_page_has_its_fields() -> None:
    """Host and path make the URL; tag and screen stay properties."""
    told = item(
        url="/items?utm_source=mail",
        referrer="https://search.example/",
        title="Items",
        language="de-DE",
        screen="800x600",
        tag="b",
        userAgent=PHONE,
        ip="198.51.100.9",
    )

    hit = only(post(told))
    assert ("page", "", "https://shop.example/items?utm_source=mail", "https://search.example/", "Items", "mail") == (
        hit.type,
        hit.name,
        hit.url,
        hit.referrer,
        hit.title,
        hit.campaign_source,
    )
    assert ("de-DE", "smartphone", "198.51.100.0") == (hit.language, hit.device_type, hit.ip)
    assert {"screen": "800x600", "tag": "b"} == hit.properties


@pytest.mark.parametrize(
    ("payload", "url"),
    [
        ({"url": "https://other.example/a"}, "https://other.example/a"),
        ({"hostname": None}, "/"),
        ({"url": None}, ""),
        ({"url": "x" * 9_000}, "x" * 8_192),
    ],
)
def test_a_url_is_made_absolute_where_it_can_be(payload: dict[str, Any], url: str) -> None:
    """A whole one stays."""
    assert url == only(post(item(**payload))).url


def test_a_named_event_is_a_track() -> None:
    """Its data are its properties; revenue is found among them."""
    hit = only(post(item(name="order", data={"revenue": "48.5", "currency": "eur", "items": [{"sku": "boots"}]})))

    assert ("track", "order", 48.5, "EUR") == (hit.type, hit.name, hit.revenue, hit.currency)
    assert [{"sku": "boots"}] == hit.properties["items"]


def test_performance_is_a_track() -> None:
    """Numbers stay numbers."""
    hit = only(post(item("performance", lcp=1200.5, cls="0.1", inp="fast")))

    assert ("track", "performance", {"lcp": 1200.5, "cls": 0.1}) == (hit.type, hit.name, hit.properties)


@pytest.mark.parametrize(
    ("payload", "user_id", "traits"),
    [
        ({"id": "alice", "data": {"plan": "pro", "id": 7}}, "alice", {"plan": "pro", "id": 7}),
        ({"data": {"id": "alice", "plan": "pro"}}, "alice", {"plan": "pro"}),
        ({"data": {"id": 42}}, "42", {}),
        ({"data": {"plan": "pro"}}, "", {"plan": "pro"}),
        ({"id": "guest", "data": {}}, "", {}),
        ({}, "", {}),
    ],
)
def test_identify_says_who_and_what_is_known_of_them(
    payload: dict[str, Any], user_id: str, traits: dict[str, Any]
) -> None:
    """The ID may stand among the data, where the Node.js client puts it. It does not hold."""
    hit = only(post(item("identify", **payload)))

    assert ("identify", user_id, False, traits, {}) == (hit.type, hit.user_id, hit.holds, hit.traits, hit.properties)


def test_an_event_names_its_user_in_its_own_field_alone() -> None:
    """An event's data may hold any ID."""
    named, data = post(item(id="alice"), token="t-1"), post(item(name="seen", data={"id": "boots"}), token="t-1")

    assert [("alice", False, "t-1"), ("", False, "t-1")] == [
        (only(o).user_id, only(o).holds, only(o).anonymous_id) for o in (named, data)
    ]


@pytest.mark.parametrize(
    ("told", "ts", "clock"),
    [
        (1_763_632_800, "2025-11-20T10:00:00.000Z", ""),
        (str(1_763_632_800), "2025-11-20T10:00:00.000Z", ""),
        (NOW_MS // 1_000 + 86_400, "2025-11-22T08:26:40.123Z", "clamped"),
        ("soon", "2025-11-22T08:26:40.123Z", ""),
        (5, "2025-11-22T08:26:40.123Z", ""),
    ],
)
def test_a_timestamp_is_the_time(told: Any, ts: str, clock: str) -> None:
    """In seconds; what cannot be one is arrival."""
    assert (ts, clock) == (only(post(item(timestamp=told))).ts, only(post(item(timestamp=told))).clock)


def test_a_dated_item_sent_again_is_the_same_hit() -> None:
    """On the same device. Twice in one batch are two; without a date every arrival is its own."""
    dated = item(timestamp=1_763_632_800)
    first, again = (only(post(dated, token="t-1")) for _ in range(2))
    twice = post([dated, dated], "/api/batch", "t-1").hits

    assert (first.device, first.event_id) == (again.device, again.event_id) == (twice[0].device, twice[0].event_id)
    assert twice[1].event_id != first.event_id
    assert "new-1" == only(post(item(), token="t-1")).event_id
    assert only(post(item("identify", timestamp=1_763_632_800), token="t-1")).event_id != first.event_id


def test_a_batch_is_answered_in_full() -> None:
    """Each item on its own; what is wrong is told with its place; the token is the first item's."""
    outcome = post([item(), item(website=None), item(id="alice"), 7], "/api/batch")

    assert ["new-1", ""] == [hit.anonymous_id for hit in outcome.hits]
    answered = said(outcome)
    assert (200, 4, 2, 2, "new-1") == (
        outcome.reply.status,
        answered["size"],
        answered["processed"],
        answered["errors"],
        answered["cache"],
    )
    assert [(1, NOT_FOUND), (3, answered["details"][1]["response"])] == [
        (told["index"], told["response"]) for told in answered["details"]
    ]
    assert [("rejected", "website"), ("rejected", "type")] == counted(outcome)


def test_a_batch_of_one_session_is_one_device() -> None:
    """The token goes for all of it."""
    outcome = post([item(), item(name="add")], "/api/batch", "t-1")

    assert ["t-1", "t-1"] == [hit.anonymous_id for hit in outcome.hits]
    assert {"size": 2, "processed": 2, "errors": 0, "details": [], "cache": "t-1"} == said(outcome)


def test_a_refused_batch_is_processed_and_has_no_token() -> None:
    """Every item is counted."""
    outcome = post([item(), item()], "/api/batch", headers={"sec-gpc": "1"})

    assert {"size": 2, "processed": 2, "errors": 0, "details": []} == said(outcome)
    assert [("refused", "gpc")] * 2 == counted(outcome)


@pytest.mark.parametrize(("body", "status"), [(item(), 400), ([item()] * (BULK_HITS_MAX + 1), 413), ([], 200)])
def test_a_batch_is_an_array_of_so_many(body: Any, status: int) -> None:
    """An empty one is nothing."""
    outcome = post(body, "/api/batch")

    assert (status, 0) == (outcome.reply.status, len(outcome.hits))
    assert ([] if status == 200 else [("rejected", "body")]) == counted(outcome)
