"""Snowplow's collector: everything is answered, what is no event is counted; whose an event is, and when it was."""

import base64
from typing import Any

import orjson
import pytest

from pipeline.limits import SNOWPLOW_BATCH_MAX
from pipeline.protocols.request import Outcome
from tests.protocols.build import BOT, NOW_MS, PHONE, answer, counted, only, request, sites

TP2 = "/com.snowplowanalytics.snowplow/tp2"
ENVELOPE = "iglu:com.snowplowanalytics.snowplow/unstruct_event/jsonschema/1-0-0"
CLIENT_SESSION = "iglu:com.snowplowanalytics.snowplow/client_session/jsonschema/1-0-2"
PLAIN = ((b"content-type", b"text/plain; charset=utf-8"),)
GIF_HEADERS = ((b"content-type", b"image/gif"), (b"cache-control", b"no-cache, no-store, must-revalidate"))


def event(**params: Any) -> dict[str, Any]:
    """A page view of the first site."""
    return {"tv": "py-1.1.0", "p": "web", "aid": "shop-web", "e": "pv"} | params


def post(*events: Any, path: str = TP2, **more: Any) -> Outcome:
    """What trackers send."""
    where = more.pop("where", None)
    body = orjson.dumps({"schema": "iglu:payload_data", "data": events})
    return answer(request("POST", path, b"", body, **more), where)


def get(path: str = "/i", where: Any = None, **params: Any) -> Outcome:
    """The pixel."""
    return answer(request("GET", path, event(**params)), where)


def described(name: str, data: Any) -> str:
    """A self-describing event's envelope."""
    inner = {"schema": f"iglu:com.acme/{name}/jsonschema/1-0-0", "data": data}
    return orjson.dumps({"schema": ENVELOPE, "data": inner}).decode()


def coded(text: str) -> str:
    """base64url without padding, as browsers send it."""
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@pytest.mark.parametrize("path", [TP2, f"/some/prefix{TP2}", "/com.acme/tp2"])
def test_events_are_answered_with_ok(path: str) -> None:
    """Text, under any prefix and vendor."""
    outcome = post(event(), event(), path=path)

    assert (200, b"ok", PLAIN) == (outcome.reply.status, outcome.reply.body, outcome.reply.headers)
    assert [("page", "snowplow", "web"), ("page", "snowplow", "web")] == [
        (hit.type, hit.protocol, hit.site_id) for hit in outcome.hits
    ]


@pytest.mark.parametrize("path", ["/i", "/ice.png", "/collector/i"])
def test_the_pixel_is_a_gif_that_nobody_keeps(path: str) -> None:
    """43 bytes, whatever became of the event."""
    taken, unknown = get(path, url="https://shop.example/"), get(path, aid="nobody")

    assert [(200, 43, b"GIF89a", GIF_HEADERS)] * 2 == [
        (o.reply.status, len(o.reply.body), o.reply.body[:6], o.reply.headers) for o in (taken, unknown)
    ]
    assert "https://shop.example/" == only(taken).url
    assert ([], [("rejected", "aid")]) == (list(unknown.hits), counted(unknown))


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"{", "body"),
        (b"", "body"),
        (b"null", "body"),
        (b"{}", "data"),
        (b"[]", "data"),
        (b'{"data":{}}', "data"),
        (b'{"data":[]}', "data"),
    ],
)
def test_a_body_that_is_no_payload_is_taken_and_counted(body: bytes, detail: str) -> None:
    """As a collector does, which looks at nothing: its tracker must not try again."""
    outcome = answer(request("POST", TP2, b"", body))

    assert (200, b"ok", []) == (outcome.reply.status, outcome.reply.body, list(outcome.hits))
    assert [("rejected", detail)] == counted(outcome)


@pytest.mark.parametrize(
    ("wrong", "detail"),
    [
        ({"aid": "nobody"}, "aid"),
        ({"aid": None}, "aid"),
        ({"e": "xx"}, "e"),
        ({"e": None}, "e"),
        ({"e": "ue"}, "ue_px"),
        ({"e": "ue", "ue_pr": "{"}, "ue_pr"),
        ({"e": "ue", "ue_pr": described("seen", [])}, "ue_pr"),
        ({"e": "ue", "ue_px": "***"}, "ue_px"),
        ({"e": "ue", "ue_px": coded('{"data":{"schema":"none","data":{}}}')}, "ue_px"),
        ({"e": "se", "se_la": "x" * 9_000}, "properties"),
        ({"se_la": "x" * 70_000}, "event"),
        ({f"k{n}": "v" for n in range(300)}, "properties"),
    ],
)
def test_an_event_that_is_none_leaves_its_neighbours(wrong: dict[str, Any], detail: str) -> None:
    """It is counted; the others are taken, and the reply stays polite."""
    outcome = post(event(eid="before"), event(**wrong), event(eid="after"))

    assert (200, b"ok") == (outcome.reply.status, outcome.reply.body)
    assert ["before", "after"] == [hit.event_id for hit in outcome.hits]
    assert [("rejected", detail)] == counted(outcome)


def test_what_is_no_object_is_counted_as_an_event() -> None:
    """Each of them."""
    assert [("rejected", "aid")] * 3 == counted(post(None, 7, ["pv"]))


def test_too_many_events_are_refused_for_good() -> None:
    """With 400: trackers would send again what was refused with 413."""
    fits, more = (post(*[event()] * number) for number in (SNOWPLOW_BATCH_MAX, SNOWPLOW_BATCH_MAX + 1))

    assert [(200, SNOWPLOW_BATCH_MAX), (400, 0)] == [(o.reply.status, len(o.hits)) for o in (fits, more)]
    assert [("rejected", "data")] == counted(more)


def test_a_page_view_has_its_page() -> None:
    """Fields of the hit, and everything else as properties."""
    told = event(
        url="https://shop.example/?utm_source=mail",
        page="Shop",
        refr="https://search.example/",
        lang="de-DE",
        res="800x600",
        sid="s-1",
        vid=3,
        ua=PHONE,
        ip="198.51.100.9",
        eid="e-1",
    )

    hit = only(post(told))
    assert ("page", "", "Shop", "https://shop.example/?utm_source=mail", "https://search.example/", "mail") == (
        hit.type,
        hit.name,
        hit.title,
        hit.url,
        hit.referrer,
        hit.campaign_source,
    )
    assert ("de-DE", "smartphone", "198.51.100.0", "e-1") == (hit.language, hit.device_type, hit.ip, hit.event_id)
    assert {"tv": "py-1.1.0", "p": "web", "res": "800x600", "sid": "s-1", "vid": "3"} == hit.properties


def test_every_kind_of_event_is_kept() -> None:
    """Pings, structured events, transactions: revenue is the order's, not its items'."""
    outcome = post(
        event(e="pp", pp_miy="0", pp_may="90"),
        event(e="se", se_ca="shop", se_ac="add", se_va="2"),
        event(e="tr", tr_id="o-1", tr_tt="48.50", tr_cu="eur"),
        event(e="ti", ti_id="o-1", ti_pr="24.25", ti_cu="eur"),
    )

    assert [
        ("ping", "", None, ""),
        ("track", "add", None, ""),
        ("track", "transaction", 48.5, "EUR"),
        ("track", "transaction_item", None, ""),
    ] == [(hit.type, hit.name, hit.revenue, hit.currency) for hit in outcome.hits]
    assert ["90", "2", "o-1", "24.25"] == [
        hit.properties[name] for hit, name in zip(outcome.hits, ("pp_may", "se_va", "tr_id", "ti_pr"), strict=True)
    ]


@pytest.mark.parametrize("sent", ["ue_pr", "ue_px", "padded"])
def test_a_self_describing_event_is_named_after_its_schema(sent: str) -> None:
    """As JSON or base64url, with or without padding."""
    plain = described("add_to_basket", {"sku": "boots", "size": 42, "note": "ÿþ?"})
    padded = base64.urlsafe_b64encode(plain.encode()).decode()
    told = {"ue_pr": plain} if sent == "ue_pr" else {"ue_px": padded if sent == "padded" else coded(plain)}

    hit = only(post(event(e="ue", **told)))
    assert ("track", "add_to_basket") == (hit.type, hit.name)
    assert {"sku": "boots", "size": 42, "note": "ÿþ?"}.items() <= hit.properties.items()
    assert "iglu:com.acme/add_to_basket/jsonschema/1-0-0" == hit.properties["schema"]


def test_a_screen_view_is_a_screen() -> None:
    """Named by what it shows."""
    hit = only(post(event(e="ue", ue_pr=described("screen_view", {"name": "Basket"}))))

    assert ("screen", "Basket") == (hit.type, hit.name)


@pytest.mark.parametrize("which", ["co", "cx"])
def test_contexts_are_kept(which: str) -> None:
    """Each with its schema; contexts that cannot be read are counted, and the event stays."""
    contexts = [{"schema": "iglu:com.acme/person/jsonschema/1-0-0", "data": {"tier": "gold"}}]
    written = orjson.dumps({"schema": "iglu:contexts", "data": contexts}).decode()
    outcome = post(event(**{which: written if which == "co" else coded(written)}), event(**{which: "{"}))

    assert [contexts, None] == [hit.properties.get("contexts") for hit in outcome.hits]
    assert [("cut", which)] == counted(outcome)


@pytest.mark.parametrize(
    ("told", "anonymous_id"),
    [
        ({"duid": "cookie", "tnuid": "set", "nuid": "network"}, "cookie"),
        ({"tnuid": "set", "nuid": "network"}, "set"),
        ({"nuid": "network"}, "network"),
        ({}, "mobile"),
        ({"duid": "null"}, ""),
        ({"co": ""}, ""),
    ],
)
def test_the_device_is_the_first_party_cookie_else_the_network_else_the_session(
    told: dict[str, Any], anonymous_id: str
) -> None:
    """An illegal ID is none: nothing is put in its place."""
    session = {"schema": CLIENT_SESSION, "data": {"userId": "mobile", "sessionId": "s"}}
    contexts = orjson.dumps({"schema": "iglu:contexts", "data": [{"schema": "other"}, session]}).decode()

    assert anonymous_id == only(post(event(co=contexts) | told)).anonymous_id


def test_a_user_is_said_anew_with_every_event() -> None:
    """It does not hold; what is no ID is counted, and the event stays."""
    outcome = post(event(uid="alice", duid="d"), event(uid="undefined", duid="d"), event(uid="x" * 256, duid="d"))

    assert [("alice", False, False)] + [("", False, False)] * 2 == [
        (hit.user_id, hit.holds, hit.logout) for hit in outcome.hits
    ]
    assert [("illegal_id", "user_id: undefined"), ("illegal_id", "user_id: (too long)")] == counted(outcome)


@pytest.mark.parametrize(
    ("times", "ts", "clock"),
    [
        ({}, "2025-11-22T08:26:40.123Z", ""),
        ({"dtm": NOW_MS - 5_000}, "2025-11-22T08:26:35.123Z", ""),
        ({"dtm": NOW_MS - 5_000, "stm": NOW_MS - 1_000}, "2025-11-22T08:26:35.123Z", ""),
        # The device is two hours behind.
        ({"dtm": NOW_MS - 7_205_000, "stm": NOW_MS - 7_200_000}, "2025-11-22T08:26:35.123Z", "corrected"),
        # Sent before it was made: by a tracker that rounds down, or a clock set back. It took no time.
        ({"dtm": NOW_MS - 100, "stm": NOW_MS - 123}, "2025-11-22T08:26:40.023Z", ""),
        ({"dtm": NOW_MS - 100, "stm": NOW_MS - 7_200_000}, "2025-11-22T08:26:40.023Z", ""),
        # True times need no correction.
        ({"ttm": NOW_MS - 9_000, "dtm": NOW_MS - 7_205_000, "stm": NOW_MS - 7_200_000}, "2025-11-22T08:26:31.123Z", ""),
        ({"dtm": "soon", "stm": NOW_MS - 7_200_000}, "2025-11-22T08:26:40.123Z", ""),
        ({"dtm": 5}, "2025-11-22T08:26:40.123Z", ""),
    ],
)
def test_when_it_was(times: dict[str, Any], ts: str, clock: str) -> None:
    """The device's clock, corrected by how long sending took; a true time as it is; else arrival."""
    hit = only(post(event(**{name: str(value) for name, value in times.items()})))

    assert (ts, clock) == (hit.ts, hit.clock)


def test_a_dated_event_sent_again_is_the_same_hit() -> None:
    """By its own ID, or by what was sent but for the time of sending."""
    without = [event(dtm=str(NOW_MS), stm=str(NOW_MS + wait)) for wait in (1_000, 2_000)]

    assert "e-1" == only(post(event(eid="e-1"))).event_id
    first, again = (only(post(sent)).event_id for sent in without)
    assert first == again
    assert "new-1" == only(post(event())).event_id
    assert "new-1" == only(post(event(eid="x" * 256))).event_id


@pytest.mark.parametrize("headers", [{"SP-Anonymous": "*"}, {"sp-anonymous": ""}])
def test_an_anonymous_request_has_no_address(headers: dict[str, str]) -> None:
    """Neither the connection's nor the event's."""
    outcome = post(event(), event(ip="198.51.100.9"), headers=headers)

    assert ["", ""] == [hit.ip for hit in outcome.hits]
    assert "203.0.113.0" == only(post(event())).ip


@pytest.mark.parametrize(
    ("headers", "policy", "reason"),
    [
        ({"dnt": "1"}, {"dnt": True}, "dnt"),
        ({"sec-gpc": "1"}, {}, "gpc"),
        ({"user-agent": BOT}, {"bots": "refuse"}, "bot"),
    ],
)
def test_what_a_site_refuses_is_answered_like_a_success(
    headers: dict[str, str], policy: dict[str, Any], reason: str
) -> None:
    """Event by event, under the policy's name."""
    outcome = post(event(), event(), headers=headers, where=sites(**policy))

    assert (200, b"ok", []) == (outcome.reply.status, outcome.reply.body, list(outcome.hits))
    assert [("refused", reason)] * 2 == counted(outcome)


def test_a_site_is_told_by_each_event() -> None:
    """A batch may hold several sites; one may refuse its origin."""
    outcome = post(event(), event(aid="shop-app"), headers={"origin": "https://elsewhere.example"})

    assert ["web"] == [hit.site_id for hit in outcome.hits]
    assert [("refused", "origin")] == counted(outcome)
    assert "bot" == counted(post(event(ua=BOT), where=sites(bots="refuse")))[0][1]


def test_a_long_url_is_cut_and_counted() -> None:
    """The event stays."""
    outcome = post(event(url="https://shop.example/" + "x" * 9_000))

    assert 8_192 == len(only(outcome).url)
    assert [("cut", "url")] == counted(outcome)
