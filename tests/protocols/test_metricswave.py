"""MetricsWave's webhook: 204, 400, 404; who and when by its rules; any other parameter is the event's."""

from typing import Any

import orjson
import pytest

from pipeline.protocols.request import Outcome
from tests.protocols.build import NOW_MS, STRICT_UUID, UUID, answer, counted, only, request, sites


def get(query: str | dict[str, Any] = "", uuid: str = UUID, **more: Any) -> Outcome:
    """A GET webhook."""
    where = more.pop("where", None)
    return answer(request("GET", f"/webhooks/{uuid}", query, **more), where)


def post(body: bytes, query: str = "", uuid: str = UUID) -> Outcome:
    """A POST webhook."""
    return answer(request("POST", f"/webhooks/{uuid}", query, body))


def test_a_hit_is_answered_with_204() -> None:
    """Empty, by GET, form or JSON; the event has the name configured for its UUID."""
    taken = [
        get("source=landing&user=john"),
        post(b"source=landing&user=john"),
        post(b'{"source":"landing","user":"john"}'),
    ]

    assert {(204, b"", "visit", "track", "john", False, "landing")} == {
        (o.reply.status, o.reply.body, h.name, h.type, h.user_id, h.holds, h.properties["source"])
        for o in taken
        for h in o.hits
    }


def test_the_query_of_a_post_is_ignored() -> None:
    """As the original does."""
    assert only(post(b"a=1", "user=john")).user_id == ""


def test_an_unknown_uuid_is_a_404() -> None:
    """With a message, and counted."""
    outcome = get(uuid="00000000-0000-4000-8000-00000000000f")

    assert (404, b'{"message":"Not found"}') == (outcome.reply.status, outcome.reply.body)
    assert [("rejected", "uuid")] == counted(outcome)


def test_a_uuid_is_read_in_either_case() -> None:
    """Hexadecimal."""
    upper = sites()

    assert get(uuid=UUID.upper(), where=upper).reply.status == 204


def test_missing_parameters_are_named() -> None:
    """But never `user_id`, and not for visits.js."""
    outcome = get("plan=pro", STRICT_UUID)

    assert (400, {"message": "Missing parameters: step"}) == (outcome.reply.status, orjson.loads(outcome.reply.body))
    assert [("rejected", "parameters")] == counted(outcome)
    assert (
        orjson.loads(get("plan=%20&step=null", STRICT_UUID).reply.body)["message"] == "Missing parameters: plan, step"
    )
    assert get("plan=pro&step=1", STRICT_UUID).reply.status == 204
    assert get("f=script", STRICT_UUID).reply.status == 204


@pytest.mark.parametrize(
    ("given", "user_id"),
    [
        ({"user_parameter": "1st", "user": "2nd", "userId": "3rd"}, "1st"),
        ({"user": "2nd", "userId": "3rd", "user_id": "4th"}, "2nd"),
        ({"userId": "3rd", "user_id": "4th", "user-id": "5th"}, "3rd"),
        ({"user_id": "4th", "user-id": "5th"}, "4th"),
        ({"user-id": "5th"}, "5th"),
        ({"user": "null", "userId": "", "user_id": "4th"}, "4th"),
        ({"user": "anonymous", "userId": "3rd"}, ""),
        ({"userId": "null"}, ""),
        ({}, ""),
    ],
)
def test_the_first_user_given_wins(given: dict[str, str], user_id: str) -> None:
    """`null` as visits.js writes it is none given; an illegal ID is given, and is no ID."""
    assert user_id == only(get(given)).user_id
    assert user_id == only(post(orjson.dumps(given))).user_id


def test_a_number_is_a_user() -> None:
    """JSON clients send one."""
    assert only(post(b'{"user": 42}')).user_id == "42"


def test_what_visits_js_sends_is_a_page() -> None:
    """Path and domain make the URL, the campaign comes apart, the device is `deviceName`."""
    outcome = get(
        {
            "f": "script",
            "path": "/pricing",
            "domain": "shop.example",
            "language": "de-DE",
            "userAgent": "an-iphone",
            "platform": "MacIntel",
            "referrer": "https://search.example/",
            "utm_source": "mail",
            "utm_medium": "null",
            "visit": "1",
            "deviceName": "9b2f",
            "userId": "null",
        }
    )

    hit = only(outcome)
    assert ("page", "visit", "https://shop.example/pricing") == (hit.type, hit.name, hit.url)
    assert ("9b2f", "d:9b2f", "") == (hit.anonymous_id, hit.device, hit.user_id)
    assert ("mail", "", "de-DE", "smartphone", "https://search.example/") == (
        hit.campaign_source,
        hit.campaign_medium,
        hit.language,
        hit.device_type,
        hit.referrer,
    )
    assert {"platform": "MacIntel", "utm_source": "mail", "visit": "1"} == hit.properties
    assert counted(outcome) == []


@pytest.mark.parametrize(
    ("told", "ts"),
    [
        ("2025-11-20T10:00:00Z", "2025-11-20T10:00:00.000Z"),
        ("2025-11-20 10:00:00", "2025-11-20T10:00:00.000Z"),
        ("1763632800", "2025-11-20T10:00:00.000Z"),
        ("last tuesday", "2025-11-22T08:26:40.123Z"),
        ("1970-01-01", "2025-11-22T08:26:40.123Z"),
    ],
)
def test_triggered_at_is_the_time(told: str, ts: str) -> None:
    """What cannot be read is arrival."""
    assert ts == only(get({"triggered_at": told})).ts


def test_a_dated_event_sent_again_is_the_same_hit() -> None:
    """Without a date every arrival is its own."""
    dated = {"triggered_at": "2025-11-20T10:00:00Z", "user": "a"}
    first, again = only(get(dated)), only(get(dated, now_ms=NOW_MS + 86_400_000))

    assert (first.event_id, first.ts, first.day) == (again.event_id, again.ts, again.day)
    assert only(get({"user": "a"})).event_id == "new-1"


@pytest.mark.parametrize(("amount", "revenue"), [("1250", 12.5), ("free", None), ("inf", None)])
def test_income_comes_in_cents(amount: str, revenue: float | None) -> None:
    """And stays a property."""
    hit = only(get({"amount": amount}))

    assert (revenue, amount) == (hit.revenue, hit.properties["amount"])


def test_a_refused_event_is_answered_like_a_success() -> None:
    """And counted under the policy's name."""
    outcome = get("user=john", headers={"sec-gpc": "1"})

    assert (204, []) == (outcome.reply.status, list(outcome.hits))
    assert [("refused", "gpc")] == counted(outcome)


def test_what_is_too_much_is_cut_and_counted() -> None:
    """The event stays."""
    outcome = post(orjson.dumps({f"p{n}": "v" for n in range(300)} | {"p1": "v" * 9_000}))

    assert len(only(outcome).properties) == 255
    assert {("cut", "properties")} == set(counted(outcome))
    assert ("cut", "parameters") in counted(get("&".join(f"p{n}=1" for n in range(600))))


def test_a_body_is_bounded_like_an_event() -> None:
    """64 KiB are taken, one byte more is 413."""
    exact = b"x=".ljust(65_536, b"y")

    assert [204, 413] == [post(body).reply.status for body in (exact, exact + b"y")]
    assert [("rejected", "body")] == counted(post(exact + b"y"))
