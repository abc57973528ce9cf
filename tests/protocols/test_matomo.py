"""Matomo's Tracking API, one request: the reply table, who, what, when, and that a retry is the same hit."""

import base64
from typing import Any
from urllib.parse import urlencode

import pytest

from pipeline.limits import DAY_MS, HOUR_MS
from pipeline.protocols.request import Outcome
from tests.protocols.build import BOT, NOW_MS, PHONE, TOKEN, answer, counted, matomo, only, request, sites

GIF = base64.b64decode("R0lGODlhAQABAIAAAAAAAAAAACH5BAEAAAAALAAAAAABAAEAAAICRAEAOw==")
VISITOR = "b67b479b4deda632"
NOW_S = NOW_MS // 1_000


def shape(outcome: Outcome) -> tuple[int, bytes, str]:
    """(status, body, content type)."""
    return outcome.reply.status, outcome.reply.body, dict(outcome.reply.headers).get(b"content-type", b"").decode()


def test_a_hit_by_get_is_answered_with_the_image() -> None:
    """43 bytes, never to be cached."""
    outcome = matomo()

    assert (200, GIF, "image/gif") == shape(outcome)
    assert (b"cache-control", b"no-store") in outcome.reply.headers
    assert len(GIF) == 43


def test_a_hit_by_post_is_answered_with_the_image() -> None:
    """Whether the parameters are in the query, as a beacon sends them, or in the body."""
    beacon = matomo(method="POST")
    form = answer(request("POST", "/any/matomo.php", body=b"idsite=1&rec=1&rand=7"))

    assert (200, GIF, "image/gif") == shape(beacon) == shape(form)
    assert (b"cache-control", b"no-store") not in beacon.reply.headers
    assert only(beacon).event_id == only(form).event_id


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("params", "status"),
    [({"send_image": "0"}, 204), ({"send_image": "0", "idsite": 9}, 400), ({"send_image": "0", "rec": 0}, 204)],
)
def test_send_image_0_is_answered_with_nothing(method: str, params: dict[str, Any], status: int) -> None:
    """204, and an empty 400."""
    outcome = matomo(params, method)

    assert (status, b"") == shape(outcome)[:2]


@pytest.mark.parametrize("value", ["1", "", "00", "false", " 0"])
def test_only_the_exact_0_silences_the_image(value: str) -> None:
    """As Matomo compares it."""
    assert (200, GIF, "image/gif") == shape(matomo({"send_image": value}))


def test_without_parameters_there_is_a_banner() -> None:
    """200 for someone who looks, 400 for a tracker that is broken."""
    looked = answer(request("GET", "/matomo.php"))
    broken = [answer(request("POST", "/matomo.php", body=body)) for body in (b"", b"[]", b"{nope", b"&&")]

    assert (200, "text/html; charset=utf-8") == (looked.reply.status, shape(looked)[2])
    assert {(400, "text/html; charset=utf-8")} == {(b.reply.status, shape(b)[2]) for b in broken}
    assert [("rejected", "body")] == counted(broken[0])


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"idsite": "9"}, "idsite"),
        ({"idsite": ""}, "idsite"),
        ({"idsite": "0"}, "idsite"),
        ({"idsite": "1x"}, "idsite"),
        ({"cid": "abc"}, "cid"),
        ({"cid": VISITOR + "0"}, "cid"),
        ({"cid": "xyzxyzxyzxyzxyzx"}, "cid"),
        ({"cip": "198.51.100.1"}, "cip"),
        ({"country": "de"}, "country"),
        ({"region": "BE"}, "region"),
        ({"city": "Berlin"}, "city"),
        ({"lat": "1"}, "lat"),
        ({"long": "1"}, "long"),
        ({"cip": "198.51.100.1", "token_auth": "w" * 32}, "cip"),
        ({"cdt": NOW_S - 86_401}, "cdt"),
        ({"cdt": "2025-01-01 00:00:00"}, "cdt"),
        ({"cdo": 90_000}, "cdt"),
        ({"e_c": " ", "e_a": "act"}, "e_c"),
        ({"e_c": "cat", "e_a": " "}, "e_a"),
        ({"c_n": "  "}, "c_n"),
        ({"pf_net": "-1"}, "pf_net"),
        ({"pf_dm2": " -5"}, "pf_dm2"),
    ],
)
def test_bad_input_is_a_400_with_the_image(params: dict[str, Any], field: str) -> None:
    """Named in the counts; nothing is stored."""
    outcome = matomo(params)

    assert (400, GIF, "image/gif") == shape(outcome)
    assert [("rejected", field)] == counted(outcome)
    assert list(outcome.hits) == []


@pytest.mark.parametrize(
    ("params", "headers", "policy", "name"),
    [
        ({"rec": 0}, {}, {}, "rec"),
        ({"rec": ""}, {}, {}, "rec"),
        ({}, {"cookie": "a=b; matomo_ignore=ignore%3D%2A"}, {}, "ignored"),
        ({}, {"dnt": "1"}, {"dnt": True}, "dnt"),
        ({}, {"sec-gpc": "1"}, {}, "gpc"),
        ({}, {"user-agent": BOT}, {"bots": "refuse"}, "bot"),
        ({"ua": BOT}, {}, {"bots": "refuse"}, "bot"),
        ({}, {"x-moz": "prefetch"}, {}, "prefetch"),
    ],
)
def test_an_excluded_hit_is_answered_like_a_success(
    params: dict[str, Any], headers: dict[str, str], policy: dict[str, Any], name: str
) -> None:
    """A tracker is never punished for what its site decided; it is counted."""
    outcome = matomo(params, headers=headers, where=sites(**policy))

    assert (200, GIF, "image/gif") == shape(outcome)
    assert [("refused", name)] == counted(outcome)
    assert list(outcome.hits) == []


def test_a_tracker_may_insist_on_bots() -> None:
    """`bots=1`."""
    assert only(matomo({"bots": 1}, headers={"user-agent": BOT}, where=sites(bots="refuse"))).bot


@pytest.mark.parametrize(
    ("params", "anonymous_id"),
    [
        ({"_id": VISITOR}, VISITOR),
        ({"_id": VISITOR.upper()}, VISITOR),
        ({"_id": VISITOR + "ffff"}, VISITOR),
        ({"_id": VISITOR[:15]}, ""),
        ({"_id": "b67b479b-4ded-a632-aaaa-bbbbccccdddd"}, ""),
        ({"_id": ""}, ""),
        ({"_id": "0" * 16}, ""),
        ({"cid": "00112233445566AA", "_id": VISITOR}, "00112233445566aa"),
        ({"cid": "", "_id": VISITOR}, VISITOR),
        ({}, ""),
    ],
)
def test_the_visitor_id_is_the_device(params: dict[str, Any], anonymous_id: str) -> None:
    """`cid` before `_id`; 16 hexadecimal characters, else none."""
    assert anonymous_id == only(matomo(params)).anonymous_id


@pytest.mark.parametrize(
    ("uid", "user_id"), [("alice", "alice"), ("", ""), ("null", ""), ("u" * 255, "u" * 255), ("u" * 256, "")]
)
def test_a_user_id_is_never_cut_and_never_holds(uid: str, user_id: str) -> None:
    """Matomo's sign-out sends nothing and keeps the visitor ID: the login says nothing about the next hit."""
    hit = only(matomo({"uid": uid, "_id": VISITOR}))

    assert (user_id, False) == (hit.user_id, hit.holds)


@pytest.mark.parametrize(
    ("params", "kind", "name", "revenue"),
    [
        ({"action_name": "Home"}, "page", "Home", None),
        ({}, "page", "", None),
        ({"search": "shoes", "search_count": 5}, "search", "shoes", None),
        ({"c_n": "ad", "c_p": "x"}, "content", "ad", None),
        ({"e_c": "video", "e_a": " play ", "e_n": "n", "e_v": 1, "ca": 1}, "track", "play", None),
        ({"e_c": "", "e_a": "play"}, "page", "", None),
        ({"e_c": "video"}, "page", "", None),
        ({"ca": 1, "action_name": "plugin"}, "track", "plugin", None),
        ({"link": "https://x/"}, "outlink", "https://x/", None),
        ({"download": "https://x/a.pdf", "link": "https://y/"}, "download", "https://x/a.pdf", None),
        ({"download": "f", "link": "l", "e_c": "c", "e_a": "a", "c_n": "n", "search": "s"}, "download", "f", None),
        ({"link": "l", "e_c": "c", "e_a": "a", "c_n": "n", "search": "s"}, "outlink", "l", None),
        ({"e_c": "c", "e_a": "a", "c_n": "n", "search": "s"}, "track", "a", None),
        ({"c_n": "n", "search": "s"}, "content", "n", None),
        ({"idgoal": 7, "revenue": "12.5", "action_name": "x"}, "goal", "7", 12.5),
        ({"idgoal": 0, "ec_id": "o-1", "revenue": "19.98"}, "order", "o-1", 19.98),
        ({"idgoal": 0, "revenue": "5"}, "cart", "", 5.0),
        ({"idgoal": 7, "revenue": "false"}, "goal", "7", None),
        ({"idgoal": 7, "revenue": "NaN"}, "goal", "7", None),
        ({"idgoal": "x", "revenue": "5"}, "page", "", None),
        ({"ping": 1, "idgoal": 7}, "ping", "", None),
    ],
)
def test_the_action_follows_matomos_precedence(
    params: dict[str, Any], kind: str, name: str, revenue: float | None
) -> None:
    """Heartbeat, conversion, download, outlink, event, content, search, page."""
    hit = only(matomo(params))

    assert (kind, name, revenue) == (hit.type, hit.name, hit.revenue)


def test_the_rest_is_kept_as_properties() -> None:
    """Every parameter that is no field of the hit; what Matomo defines as JSON is JSON; never the token."""
    hit = only(
        matomo(
            {
                "url": "https://shop.example/a?mtm_campaign=may",
                "urlref": "https://search.example/",
                "action_name": "A / B",
                "uid": "alice",
                "_id": VISITOR,
                "pv_id": "abc123",
                "h": 13,
                "res": "1920x1080",
                "dimension3": " vip ",
                "cvar": '{"1":["k","v"]}',
                "ec_items": '[["sku","n",["c"],9.5,2]]',
                "data": "{nope",
                "new_visit": 1,
                "empty": "",
                "token_auth": TOKEN,
            }
        )
    )

    assert {
        "pv_id": "abc123",
        "h": "13",
        "res": "1920x1080",
        "dimension3": "vip",
        "cvar": {"1": ["k", "v"]},
        "ec_items": [["sku", "n", ["c"], 9.5, 2]],
        "data": "{nope",
        "new_visit": "1",
    } == hit.properties
    assert ("https://shop.example/a?mtm_campaign=may", "https://search.example/", "A / B") == (
        hit.url,
        hit.referrer,
        hit.title,
    )
    assert hit.campaign_name == "may"
    assert TOKEN not in str(hit)


def test_the_url_falls_back_to_the_referer_header() -> None:
    """Only where neither `url` nor `urlref` came."""
    headers = {"referer": "https://shop.example/from-header"}

    assert only(matomo(headers=headers)).url == "https://shop.example/from-header"
    assert only(matomo({"urlref": "https://x/"}, headers=headers)).url == ""


def test_the_query_wins_over_the_body() -> None:
    """One set of parameters."""
    outcome = answer(request("POST", "/matomo.php", "idsite=1&uid=query", b"rec=1&uid=body&rand=7"))

    assert only(outcome).user_id == "query"


def test_a_json_body_that_is_no_bulk_has_parameters_too() -> None:
    """`setCustomRequestProcessing`."""
    outcome = answer(request("POST", "/matomo.php", body=b'{"idsite": 1, "rec": 1, "uid": "alice"}'))

    assert only(outcome).user_id == "alice"


@pytest.mark.parametrize(
    ("params", "ts", "clock"),
    [
        ({"cdt": NOW_S - 600}, "2025-11-22T08:16:40.000Z", ""),
        ({"cdt": "2025-11-22 08:16:40"}, "2025-11-22T08:16:40.000Z", ""),
        ({"cdt": "2025-11-22 09:16:40+0100"}, "2025-11-22T08:16:40.000Z", ""),
        ({"cdt": "2025-11-22T08:16:40.500Z"}, "2025-11-22T08:16:40.500Z", ""),
        ({"cdt": NOW_S, "cdo": 600}, "2025-11-22T08:16:40.000Z", ""),
        ({"cdt": NOW_S, "cdo": -600}, "2025-11-22T08:16:40.000Z", ""),
        ({"cdo": 600}, "2025-11-22T08:16:40.123Z", ""),
        ({"cdt": NOW_S + 60}, "2025-11-22T08:26:40.123Z", ""),
        ({"cdt": "soon"}, "2025-11-22T08:26:40.123Z", ""),
        ({"cdt": "soon", "cdo": 600}, "2025-11-22T08:26:40.123Z", ""),
        ({"cdt": "1999-01-01"}, "2025-11-22T08:26:40.123Z", ""),
        ({"cdt": "", "cdo": ""}, "2025-11-22T08:26:40.123Z", ""),
        ({"cdo": "1e308"}, "2025-11-22T08:26:40.123Z", ""),
    ],
)
def test_the_time_is_cdt_less_cdo_or_arrival(params: dict[str, Any], ts: str, clock: str) -> None:
    """What lies ahead of us or cannot be read is ignored, as Matomo does."""
    hit = only(matomo(params))

    assert (ts, clock) == (hit.ts, hit.clock)


def test_a_day_is_the_border_without_a_token() -> None:
    """86,400 s are taken from anyone; with the site's token any time is, and another site's token is none."""
    exactly = {"cdt": (NOW_MS - DAY_MS) / 1_000}
    older = {"cdt": "2024-06-01 12:00:00"}

    assert len(matomo(exactly).hits) == 1
    assert only(matomo(older | {"token_auth": TOKEN})).ts == "2024-06-01T12:00:00.000Z"
    assert matomo(older | {"token_auth": TOKEN, "idsite": 2}).reply.status == 400


def test_the_token_speaks_for_the_visitor() -> None:
    """Address and country."""
    hit = only(matomo({"cip": "198.51.100.9", "country": "DE", "city": "Berlin", "token_auth": TOKEN}))

    assert ("198.51.100.0", "de", "Berlin") == (hit.ip, hit.country, hit.properties["city"])


def test_user_agent_and_language_may_be_parameters() -> None:
    """SDKs and servers send them so."""
    hit = only(matomo({"ua": PHONE, "lang": "de-AT,de;q=0.8"}, headers={"user-agent": "sdk", "accept-language": "en"}))

    assert ("smartphone", "de-AT") == (hit.device_type, hit.language)


def test_a_failed_beacon_repeated_as_an_image_is_the_same_hit() -> None:
    """matomo.js sends the same content again, by another method, with `send_image=1`."""
    content = {
        "idsite": 1,
        "rec": 1,
        "r": 303479,
        "h": 13,
        "m": 44,
        "s": 1,
        "_id": VISITOR,
        "pv_id": "pBkOyX",
        "url": "https://x/",
    }
    beacon = answer(request("POST", "/matomo.php", content | {"send_image": 0}))
    posted = answer(
        request("POST", "/matomo.php", body=urlencode(content | {"send_image": 0}).encode(), now_ms=NOW_MS + 5)
    )
    image = answer(request("GET", "/matomo.php", content | {"send_image": 1}, now_ms=NOW_MS + 900))

    assert len({(hit.event_id, hit.day) for hit in (only(beacon), only(posted), only(image))}) == 1


def test_a_dated_hit_keeps_id_time_and_day() -> None:
    """However often and however late it is sent again."""
    again = [matomo({"cdt": NOW_S - 60, "rand": ""}, now_ms=NOW_MS + later) for later in (0, 1_000, 20 * HOUR_MS)]

    assert len({(hit.event_id, hit.ts, hit.day) for hit in map(only, again)}) == 1


def test_hits_differ_by_content_and_by_cache_buster() -> None:
    """And without either, each arrival is its own."""
    ids = [only(matomo(params)).event_id for params in ({}, {"rand": 8}, {"uid": "a"}, {"idsite": 2})]

    assert len(set(ids)) == 4
    assert only(matomo({"rand": ""})).event_id == "new-1"


def test_too_long_texts_are_cut_and_counted() -> None:
    """Matomo's trackers do not read errors: a hit is not lost for its title."""
    outcome = matomo(
        {"action_name": "é" * 5_000, "url": "https://x/" + "u" * 9_000, "search_cat": "c" * 9_000, "k" * 300: "v"}
    )

    hit = only(outcome)
    assert (8_192, 8_192, 8_192) == (len(hit.title.encode()), len(hit.url), len(hit.properties["search_cat"]))
    assert [
        ("cut", "action_name"),
        ("cut", "name"),
        ("cut", "properties"),
        ("cut", "properties"),
        ("cut", "url"),
    ] == sorted(counted(outcome))


def test_a_form_larger_than_an_event_is_refused() -> None:
    """64 KiB are taken, one byte more is 413, with the image and counted."""
    exact = b"idsite=1&rec=1&rand=1&x=".ljust(65_536, b"y")
    taken, refused = (answer(request("POST", "/matomo.php", body=body)) for body in (exact, exact + b"y"))

    assert (200, 1) == (taken.reply.status, len(taken.hits))
    assert (413, GIF, "image/gif") == shape(refused)
    assert [("rejected", "body")] == counted(refused)


def test_parameters_past_the_bound_are_counted() -> None:
    """512 are read."""
    outcome = matomo({f"p{n}": n for n in range(600)})

    assert ("cut", "parameters") in counted(outcome)
    assert len(only(outcome).properties) == 255


def test_a_browser_that_asked_not_to_be_tracked_is_told_so() -> None:
    """`Tk: N`, as Matomo says; every other reply is without it."""
    asked = answer(request("GET", "/matomo.php", "idsite=1&rec=1", headers={"dnt": "1"}), sites(dnt=True)).reply
    other = answer(request("GET", "/matomo.php", "idsite=1&rec=1"), sites(dnt=True)).reply

    assert [True, False] == [(b"tk", b"N") in reply.headers for reply in (asked, other)]


def test_dimensions_are_traits() -> None:
    """Of whoever the hit turns out to be; an empty one clears, and what only looks like one is none."""
    query = "idsite=1&rec=1&dimension3=vip%20&dimension4=&dimension0=x&dimensions=y"

    assert {"dimension3": "vip", "dimension4": ""} == answer(request("GET", "/matomo.php", query), sites()).hits[
        0
    ].traits


def test_an_order_reported_again_is_the_same_order() -> None:
    """A visitor reloads the page with the receipt: another cache-buster, the same order ID."""
    query = "idsite=1&rec=1&_id=0123456789abcdef&idgoal=0&ec_id=o-1&revenue=9.5&rand={}"
    first, again = (answer(request("GET", "/matomo.php", query.format(n)), sites()).hits[0] for n in (1, 2))
    other = answer(request("GET", "/matomo.php", query.format(3).replace("o-1", "o-2")), sites()).hits[0]

    assert first.event_id == again.event_id != other.event_id
