"""`POST /v1/hits`: the reply table, item by item, and that a retry is the same hit."""

from typing import Any

import orjson
import pytest

from pipeline.limits import BULK_HITS_MAX, EVENT_BYTES_MAX, ID_CHARS_MAX, URL_CHARS_MAX, VALUE_BYTES_MAX
from pipeline.protocols.request import Outcome
from tests.protocols.build import BOT, NOW_MS, PHONE, SECRET, answer, counted, native, only, request, sites

ACCEPTED_ONE = b'{"accepted":1,"rejected":[]}'


def body(outcome: Outcome) -> Any:
    """The reply's JSON."""
    return orjson.loads(outcome.reply.body)


def fault(item: Any) -> tuple[str, str]:
    """(field, reason) of the one item's rejection; a batch mate is accepted beside it."""
    outcome = native([item, {"anonymous_id": "mate"}])
    answered = body(outcome)
    assert outcome.reply.status == 200
    assert answered["accepted"] == 1 == len(outcome.hits)
    assert [0] == [r["index"] for r in answered["rejected"]]
    return answered["rejected"][0]["field"], answered["rejected"][0]["reason"]


def test_a_full_hit_arrives_as_sent() -> None:
    """Every field of the format."""
    hit = only(
        native(
            {
                "type": "page",
                "name": "Home",
                "event_id": "e-1",
                "anonymous_id": " laptop ",
                "user_id": "alice",
                "ts": NOW_MS - 1_000,
                "url": "https://shop.example/?utm_source=mail",
                "referrer": "https://search.example/",
                "title": "Home - Shop",
                "language": "de",
                "revenue": 9.5,
                "currency": "EUR",
                "properties": {"sku": "a", "deep": {"n": [1, None, True]}},
                "traits": {"plan": "pro"},
            },
            headers={"user-agent": PHONE, "accept-language": "fr"},
        )
    )

    assert {
        "workspace": "shop",
        "site_id": "web",
        "event_id": "e-1",
        "ts": "2025-11-22T08:26:39.123Z",
        "received_at": "2025-11-22T08:26:40.123Z",
        "device": "d:laptop",
        "day": "2025-11-22",
        "protocol": "native",
        "type": "page",
        "name": "Home",
        "anonymous_id": "laptop",
        "user_id": "alice",
        "holds": True,
        "url": "https://shop.example/?utm_source=mail",
        "referrer": "https://search.example/",
        "title": "Home - Shop",
        "device_type": "smartphone",
        "language": "de",
        "ip": "203.0.113.0",
        "campaign_source": "mail",
        "revenue": 9.5,
        "currency": "EUR",
        "properties": {"sku": "a", "deep": {"n": [1, None, True]}},
        "traits": {"plan": "pro"},
    } == {f: v for f in hit.__struct_fields__ if (v := getattr(hit, f)) not in ("", False, None, {})}


@pytest.mark.parametrize(
    "sent",
    [
        [{"anonymous_id": "a"}],
        {"anonymous_id": "a"},
        b'{"anonymous_id": "a"}\n',
        b'\r\n{"anonymous_id": "a"}\r\n\r\n',
        b'\xef\xbb\xbf[{"anonymous_id": "a"}]',
        [{}],
        [{"anonymous_id": None, "user_id": None, "ts": None, "properties": None, "url": None}],
    ],
)
def test_an_array_one_hit_or_ndjson(sent: Any) -> None:
    """All three are read whatever the Content-Type says; null is absent; nothing is required."""
    outcome = native(sent)

    assert (200, ACCEPTED_ONE) == (outcome.reply.status, outcome.reply.body)
    assert len(outcome.hits) == 1


def test_ndjson_lines_stand_alone() -> None:
    """A malformed line is rejected by its number, its neighbours are taken."""
    outcome = native(b'{"event_id":"a"}\n{"event_id":\n{"event_id":"c"}\n')

    assert ["a", "c"] == [hit.event_id for hit in outcome.hits]
    assert [(1, "")] == [(r["index"], r["field"]) for r in body(outcome)["rejected"]]
    assert outcome.reply.status == 200


@pytest.mark.parametrize(
    ("item", "field", "reason"),
    [
        (5, "", "expected an object, got a number"),
        ([{}], "", "expected an object, got an array"),
        (None, "", "expected an object, got null"),
        ({"type": "Page View"}, "type", "expected a lower-case word of up to 32 letters, digits and _"),
        ({"type": ""}, "type", "expected a lower-case word of up to 32 letters, digits and _"),
        ({"type": 1}, "type", "expected a string, got a number"),
        ({"name": ["x"]}, "name", "expected a string, got an array"),
        ({"name": "v" * (VALUE_BYTES_MAX + 1)}, "name", f"longer than {VALUE_BYTES_MAX} bytes"),
        ({"event_id": 7}, "event_id", "expected a string, got a number"),
        ({"event_id": "e" * (ID_CHARS_MAX + 1)}, "event_id", f"longer than {ID_CHARS_MAX} characters"),
        ({"anonymous_id": 7}, "anonymous_id", "expected a string, got a number"),
        ({"user_id": 7}, "user_id", "expected a string, got a number"),
        ({"user_id": {"id": "a"}}, "user_id", "expected a string, got an object"),
        ({"user_id": True}, "user_id", "expected a string, got a boolean"),
        ({"holds": "yes"}, "holds", "expected a boolean, got a string"),
        ({"url": "u" * (URL_CHARS_MAX + 1)}, "url", f"longer than {URL_CHARS_MAX} bytes"),
        ({"revenue": "9.50"}, "revenue", "expected a number, got a string"),
        ({"currency": "EURO"}, "currency", "expected three letters (ISO 4217)"),
        ({"properties": [1]}, "properties", "expected an object, got an array"),
        ({"traits": "x"}, "traits", "expected an object, got a string"),
        ({"properties": {"a": {"b": "v" * 9_000}}}, "properties.a.b", f"longer than {VALUE_BYTES_MAX} bytes"),
        ({"properties": {str(n): n for n in range(256)}}, "properties", "more than 255 properties"),
        ({"unknown": {"b": "v" * 9_000}}, "unknown.b", f"longer than {VALUE_BYTES_MAX} bytes"),
        ({"ts": "soon"}, "ts", "expected epoch milliseconds or ISO 8601"),
        ({"ts": True}, "ts", "expected epoch milliseconds or ISO 8601, got a boolean"),
        ({"ts": 946_684_799_999}, "ts", "before 2000"),
        ({"ts": -1}, "ts", "before 2000"),
        ({"ts": "1999-12-31T23:59:59.999Z"}, "ts", "before 2000"),
        ({"ts": 1_763_800_000}, "ts", "before 2000: these look like seconds, send milliseconds"),
        ({"ts": 4_102_444_800_000}, "ts", "in 2100 or later"),
        ({"ts": 1e30}, "ts", "in 2100 or later"),
        ({"sent_at": "later"}, "sent_at", "expected epoch milliseconds or ISO 8601"),
        ({"ip": "x" * 9_000}, "ip", f"longer than {VALUE_BYTES_MAX} bytes"),
    ],
)
def test_a_bad_field_is_named_and_its_batch_mates_are_taken(item: Any, field: str, reason: str) -> None:
    """The wrong item alone is rejected, and it is counted."""
    assert (field, reason) == fault(item)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        (b'{"properties":{"a":NaN}}', "properties.a"),
        (b'{"properties":{"a":[1,Infinity]}}', "properties.a.1"),
        (b'{"revenue":1e999}', "revenue"),
        (b'{"ts":NaN}', "ts"),
        (b'{"user_id":"\\ud800"}', "user_id"),
        (b'{"user_id":"a\\u0000"}', "user_id"),
        (b'{"user_id":"a\x00"}', "user_id"),
        (b'{"event_id":"\\u0000"}', "event_id"),
        (b'{"title":"\\udc00"}', "title"),
        (b'{"properties":{"\\ud800":1}}', "properties"),
        (b'{"\\ud800":1}', "properties"),
        (b'{"properties":' + b'{"a":' * 500 + b"1" + b"}" * 500 + b"}", "properties.a"),
    ],
)
def test_what_json_cannot_hold_costs_one_item(text: bytes, field: str) -> None:
    """NaN, numbers out of range, lone surrogates, NUL and depth: per item, not per body."""
    outcome = native(b'[{"event_id":"first"},' + text + b',{"event_id":"last"}]')

    assert ["first", "last"] == [hit.event_id for hit in outcome.hits]
    assert [(1, field)] == [(r["index"], r["field"]) for r in body(outcome)["rejected"]]
    assert [("rejected", field.partition(".")[0])] == counted(outcome)


@pytest.mark.parametrize(
    ("sent", "status", "why"),
    [
        (b"", 400, "empty body: send a JSON array of hits, one hit, or NDJSON"),
        (b" \n", 400, "empty body: send a JSON array of hits, one hit, or NDJSON"),
        (b"nope", 400, "not JSON: Expecting value at character 0"),
        (b"{\n{", 400, "not JSON: Expecting property name enclosed in double quotes at character 2"),
        (b'"\xff"', 400, "not UTF-8 at byte 1"),
        (b"[" * 100_000, 400, "nested deeper than 16"),
        ([{}] * (BULK_HITS_MAX + 1), 413, "more than 500 hits"),
        (b"{}\n" * (BULK_HITS_MAX + 1), 413, "more than 500 hits"),
    ],
)
def test_a_body_that_is_none_is_refused_whole(sent: Any, status: int, why: str) -> None:
    """Nothing of it is taken, and it is counted once."""
    outcome = native(sent)

    assert (status, {"error": why, "field": "body", "accepted": 0, "rejected": []}) == (
        outcome.reply.status,
        body(outcome),
    )
    assert [("rejected", "body")] == counted(outcome)
    assert list(outcome.hits) == []


def test_limits_hold_at_n() -> None:
    """500 hits; a URL, a name, an event ID of the greatest length; 64 KiB an item."""
    filling = {"event_id": "", "properties": {str(n): "v" * 8_000 for n in range(8)}}
    filling["event_id"] = "e" * (EVENT_BYTES_MAX - len(orjson.dumps(filling)))
    assert len(filling["event_id"]) > ID_CHARS_MAX
    properties = filling["properties"] | {"rest": filling["event_id"][: -len('"rest":"",')]}
    exact = {"event_id": "", "properties": properties}
    over = {"event_id": "", "properties": properties | {"rest": properties["rest"] + "x"}}

    assert EVENT_BYTES_MAX == len(orjson.dumps(exact))
    assert native([{}] * BULK_HITS_MAX).reply.status == 200
    assert (
        native([{"url": "u" * URL_CHARS_MAX, "name": "n" * VALUE_BYTES_MAX, "event_id": "e" * 255}]).reply.status == 200
    )
    assert native([exact, {}]).reply.body == b'{"accepted":2,"rejected":[]}'
    assert fault(over) == ("", f"larger than {EVENT_BYTES_MAX} bytes")


def test_when_no_item_can_be_taken_the_status_says_so() -> None:
    """400 with the same table; an empty array is no mistake."""
    outcome = native([{"ts": 1}, {"holds": 3}])

    assert outcome.reply.status == 400
    assert [0, ["ts", "holds"]] == [body(outcome)["accepted"], [r["field"] for r in body(outcome)["rejected"]]]
    assert (200, b'{"accepted":0,"rejected":[]}') == (native([]).reply.status, native([]).reply.body)


@pytest.mark.parametrize(
    ("headers", "query", "status"),
    [
        ({"authorization": "Bearer page-key"}, "", 200),
        ({"authorization": "bearer  page-key "}, "", 200),
        ({}, "key=page-key", 200),
        ({"authorization": "Basic eDp5"}, "key=page-key", 200),
        ({"authorization": "Bearer wrong"}, "key=page-key", 401),
        ({"authorization": "Bearer"}, "", 401),
        ({"authorization": "Bearer page-key\xff"}, "", 401),
        ({}, "key=", 401),
        ({}, "", 401),
        ({"authorization": "Bearer 1"}, "", 401),
    ],
)
def test_a_key_opens_its_site(headers: dict[str, str], query: str, status: int) -> None:
    """In the header or in the query; a Matomo site number is no native key."""
    outcome = answer(request("POST", "/v1/hits", query, b"[{}]", headers))

    assert status == outcome.reply.status
    if status == 401:
        assert (b"www-authenticate", b"Bearer") in outcome.reply.headers
        assert [("rejected", "key")] == counted(outcome)


@pytest.mark.parametrize("kind", ["logout", "reset"])
def test_a_logout_ends_the_identity_and_never_holds(kind: str) -> None:
    """One that names a user is a login that does not hold."""
    hit = only(native([{"type": kind, "anonymous_id": "a", "user_id": "alice", "holds": True}]))

    assert (True, False, "alice") == (hit.logout, hit.holds, hit.user_id)


@pytest.mark.parametrize(
    ("item", "holds"),
    [
        ({"user_id": "alice"}, True),
        ({"user_id": "alice", "holds": False}, False),
        ({"holds": True}, False),
        ({"user_id": "null"}, False),
    ],
)
def test_a_login_holds_unless_told_otherwise(item: dict[str, Any], holds: bool) -> None:
    """And only a login does."""
    assert holds == only(native([item])).holds


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("null", "null"),
        (" NULL ", "null"),
        ("undefined", "undefined"),
        ("0000-0000", "0000-0000"),
        ("[object Object]", "[object object]"),
        ("u" * 256, "(too long)"),
        ("internal-7", "(site's own list)"),
        ("Tester", "(site's own list)"),
    ],
)
def test_an_illegal_id_is_no_id_and_counted(text: str, label: str) -> None:
    """User and device alike; the hit itself stays."""
    where = sites(illegal_ids=["TESTER"], illegal_id_patterns=[r"internal-\d+"])
    outcome = native([{"user_id": text, "anonymous_id": text, "event_id": "e"}], where=where)

    hit = only(outcome)
    assert ("", "", "h:e") == (hit.user_id, hit.anonymous_id, hit.device)
    assert [("illegal_id", f"anonymous_id: {label}"), ("illegal_id", f"user_id: {label}")] == counted(outcome)


def test_ids_of_255_characters_are_kept_byte_for_byte() -> None:
    """Never cut, never folded."""
    long = "Ä" * 255

    assert long == only(native([{"user_id": f"  {long}\n"}])).user_id


def test_unknown_fields_are_kept_as_properties() -> None:
    """Nothing that was sent is dropped in silence; what the client put into properties itself wins."""
    hit = only(native([{"userId": "x", "n": [1], "properties": {"n": 2}}]))

    assert {"userId": "x", "n": 2} == hit.properties


def test_a_retry_is_the_same_hit() -> None:
    """With a timestamp of its own a hit has the same ID, time and day however often it is sent, but for `sent_at`."""
    item = {"name": "buy", "anonymous_id": "a", "ts": NOW_MS - 5_000}
    first = only(native([item | {"sent_at": NOW_MS - 10}]))
    again = native([{"other": 1}, item | {"sent_at": NOW_MS + 29_000}], now_ms=NOW_MS + 29_500).hits[1]

    assert (first.event_id, first.ts, first.day) == (again.event_id, again.ts, again.day)
    assert len(first.event_id) == 36


def test_two_equal_items_of_one_batch_are_two_hits() -> None:
    """A timestamp is no cache-buster: someone clicked twice within its resolution. A retry of the batch agrees."""
    batch = [{"name": "click", "ts": "2025-11-22T08:00:00Z"}] * 2
    first, again = native(batch), native(batch, now_ms=NOW_MS + 1_000)

    assert len({hit.event_id for hit in first.hits}) == 2
    assert [hit.event_id for hit in first.hits] == [hit.event_id for hit in again.hits]


def test_without_time_or_id_every_arrival_is_a_hit() -> None:
    """Nothing tells a retry from a second click."""
    outcome = native([{"name": "click"}, {"name": "click"}])

    assert ["new-1", "new-2"] == [hit.event_id for hit in outcome.hits]


def test_a_wrong_clock_is_corrected_for_the_batch_or_the_item() -> None:
    """`?sent_at=` is the batch's; the item's own wins."""
    ahead = NOW_MS + 7_200_000
    outcome = native([{"ts": ahead}, {"ts": NOW_MS, "sent_at": NOW_MS}], query=f"sent_at={ahead}")

    assert [("2025-11-22T08:26:40.123Z", "corrected"), ("2025-11-22T08:26:40.123Z", "")] == [
        (hit.ts, hit.clock) for hit in outcome.hits
    ]
    assert [("2025-11-22T08:26:40.123Z", "clamped")] == [(h.ts, h.clock) for h in native([{"ts": ahead}]).hits]


def test_the_day_is_the_clients_own() -> None:
    """Uncorrected, so that a retry that is corrected by another minute still replaces the row."""
    ahead = NOW_MS + 86_400_000
    hit = only(native([{"ts": ahead, "sent_at": ahead}]))

    assert ("2025-11-22T08:26:40.123Z", "2025-11-23", "corrected") == (hit.ts, hit.day, hit.clock)


@pytest.mark.parametrize(
    ("policy", "headers", "name"),
    [
        ({"dnt": True}, {"dnt": "1"}, "dnt"),
        ({"dnt": True}, {"x-do-not-track": "1"}, "dnt"),
        ({}, {"sec-gpc": "1"}, "gpc"),
        ({"bots": "refuse"}, {"user-agent": BOT}, "bot"),
        ({}, {"sec-purpose": "prefetch;prerender"}, "prefetch"),
        ({}, {"x-moz": "prefetch"}, "prefetch"),
        ({}, {"x-purpose": "preview"}, "prefetch"),
    ],
)
def test_a_policy_refuses_politely(policy: dict[str, Any], headers: dict[str, str], name: str) -> None:
    """A success for the client, counted for every hit under the policy's name, and nothing is stored."""
    outcome = native([{}, {}], headers=headers, where=sites(**policy))

    assert (200, {"accepted": 0, "rejected": [], "refused": 2}) == (outcome.reply.status, body(outcome))
    assert [("refused", name)] * 2 == counted(outcome)
    assert list(outcome.hits) == []


@pytest.mark.parametrize(
    ("policy", "headers"),
    [({}, {"dnt": "1"}), ({"gpc": False}, {"sec-gpc": "1"}), ({}, {"dnt": "0", "sec-gpc": "0"})],
)
def test_a_site_may_decide_otherwise(policy: dict[str, Any], headers: dict[str, str]) -> None:
    """Defaults: Do Not Track is not honoured, Global Privacy Control is."""
    assert len(native([{}], headers=headers, where=sites(**policy)).hits) == 1


def test_bots_are_flagged_where_they_are_kept() -> None:
    """The default."""
    assert only(native([{}], headers={"user-agent": BOT})).bot


@pytest.mark.parametrize(
    ("origin", "refused"),
    [("https://app.example", 0), ("HTTPS://App.Example", 0), ("https://evil.example", 1), ("null", 1), (None, 0)],
)
def test_a_site_may_list_its_origins(origin: str | None, refused: int) -> None:
    """A browser elsewhere is refused and counted; a client that is no browser sends none."""
    headers = {"authorization": "Bearer app-key"} | ({"origin": origin} if origin else {})
    outcome = answer(request("POST", "/v1/hits", "", b"[{}]", headers))

    assert [("refused", "origin")] * refused == counted(outcome)


def test_only_a_secret_key_speaks_for_a_visitor() -> None:
    """A server may send the visitor's address and user agent; from a page they are properties."""
    item = {"ip": "198.51.100.9", "user_agent": PHONE}
    server = only(native([item], headers={"authorization": f"Bearer {SECRET}", "sec-gpc": "1"}))
    page = only(native([item]))

    assert ("198.51.100.0", "smartphone", {}) == (server.ip, server.device_type, server.properties)
    assert ("203.0.113.0", "", item) == (page.ip, page.device_type, page.properties)


def test_an_address_may_be_dropped() -> None:
    """Where the site's policy says so."""
    assert only(native([{}], where=sites(ip="drop"))).ip == ""


def test_a_path_in_a_reply_is_bounded() -> None:
    """A rejection never sends back more than it must."""
    deep: Any = "v" * 9_000
    for _ in range(10):
        deep = {"k" * 250: deep}

    assert len(fault({"properties": deep})[0]) == 255
