"""Whatever arrives on whatever route: an answer, no exception; every hit is valid, every item accounted for."""

import json
import os
from typing import Any
from urllib.parse import quote

import jsonschema
import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.model import HIT_SCHEMA
from pipeline.protocols.registry import PROTOCOLS
from pipeline.protocols.request import Outcome
from pipeline.schema import json_schema
from tests.protocols.build import SECRET, TOKEN, UUID, answer, request, sites

# `make fuzz` tries a hundred thousand requests, in about half an hour; the suite a few of them.
EXAMPLES = int(os.environ.get("SEAMLINE_FUZZ_EXAMPLES", "600"))
_SITES = sites(bots="refuse", dnt=True, illegal_ids=["x"])
_WORDS = """
idsite rec uid _id cid cdt cdo cip country e_c e_a c_n idgoal revenue ec_items cvar url urlref action_name ping ca lang
ua requests token_auth send_image user userId deviceName triggered_at f path domain amount type name event_id
anonymous_id user_id ts sent_at holds referrer title language currency properties traits key rand search
link download pf_net
aid e eid duid dtm stm ttm ue_pr ue_px co cx tr_tt se_ac data payload website id timestamp hostname screen
n u d r p props user_id revenue $ sd i
"""
_NAMES = st.sampled_from(_WORDS.split())
_TEXT = st.text(max_size=20) | st.sampled_from(
    [
        "1",
        "0",
        "-1",
        "null",
        "NaN",
        "\0",
        "\ud800",
        "é" * 300,
        "x" * 9_000,
        TOKEN,
        "{}",
        "1e400",
        "pv",
        "tr",
        "identify",
    ]
)
_SCALAR = st.none() | st.booleans() | st.integers() | st.floats() | _TEXT
_JSON: st.SearchStrategy[Any] = st.recursive(
    _SCALAR,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_NAMES | _TEXT, inner, max_size=5),
    max_leaves=25,
)
_FORM = st.dictionaries(_NAMES | _TEXT, _TEXT, max_size=12).map(
    lambda form: "&".join(
        f"{quote(k, errors='replace')}={quote(v, errors='replace')}" for k, v in form.items()
    ).encode()
)


def _addressed(protocol: str, members: dict[str, Any]) -> Any:
    """Members in the protocol's envelope, with its key for a site."""
    if protocol == "snowplow":
        return {"data": [{"aid": "shop-web", "e": "ue"} | members, {"aid": "shop-web", "e": "pv"} | members]}
    if protocol == "umami":
        items = [{"type": kind, "payload": {**members, "website": UUID}} for kind in ("event", "identify")]
        return items if "n" in members else items[0]
    if protocol == "segment":
        message = {"type": "track", "anonymousId": "a", "writeKey": "page-key"} | members
        return message | {"batch": [message, members], "type": "identify"}
    if protocol == "posthog":
        event = {"event": "$identify", "distinct_id": "u"} | members
        return {"api_key": "page-key", "batch": [event, members]} if "n" in members else event | {"token": "page-key"}
    return {"n": "pageview", "u": "/", **members, "d": "shop.example"}


_BODY = (
    st.binary(max_size=200)
    | _FORM
    | st.one_of(_JSON, st.lists(st.dictionaries(_NAMES, _JSON, max_size=8), max_size=4)).map(
        lambda v: json.dumps(v).encode()
    )
    | st.lists(_JSON, max_size=4).map(lambda entries: json.dumps({"requests": entries}).encode())
    | st.tuples(
        st.sampled_from(["snowplow", "umami", "plausible", "segment", "posthog"]),
        st.dictionaries(_NAMES, _JSON, max_size=10),
    ).map(lambda told: json.dumps(_addressed(*told)).encode())
)
_HEADERS = st.dictionaries(
    st.sampled_from(
        ["user-agent", "accept-language", "referer", "cookie", "dnt", "origin", "sec-gpc", "authorization"]
    ),
    st.text(st.characters(max_codepoint=255), max_size=30)
    | st.sampled_from(["1", f"Bearer {SECRET}", "Bearer page-key"]),
)
_PLACES = (
    *(path for protocol in PROTOCOLS for path in (*protocol.paths, *(f"/x{end}" for end in protocol.suffixes))),
    *(f"/webhooks/{UUID}", "/webhooks/nope", "/v1/projects/page-key/settings", "/array/page-key/config.js"),
)
_PATHS = st.sampled_from(_PLACES)
_PREFIXES = st.sampled_from(
    [
        b"",
        b"idsite=1&rec=1",
        b"idsite=1&rec=1&rand=3&",
        b"key=page-key&",
        b"f=script&",
        b"aid=shop-web&e=pv&",
        b"writeKey=page-key&",
    ]
)


def _answered(method: str, path: str, query: bytes, body: bytes, headers: dict[str, str]) -> Outcome:
    return answer(request(method, path, query, body, headers), _SITES)


_REQUEST = st.tuples(
    st.sampled_from(["GET", "POST", "POST"]), _PATHS, _PREFIXES, st.binary(max_size=60) | _FORM, _BODY, _HEADERS
)
_HIT = jsonschema.Draft202012Validator(json_schema(HIT_SCHEMA))


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(_REQUEST)
def test_nothing_breaks_a_protocol(sent: tuple[str, str, bytes, bytes, bytes, dict[str, str]]) -> None:
    """A status below 500; every hit is one by the published schema; labels of counts stay short."""
    method, path, prefix, query, body, headers = sent
    outcome = _answered(method, path, prefix + query, body, headers)

    assert 200 <= outcome.reply.status < 500
    assert all(len(count.detail) <= 100 for count in outcome.counts)
    for hit in outcome.hits:
        assert [] == list(_HIT.iter_errors(json.loads(msgspec.json.encode(hit))))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.dictionaries(_NAMES, _JSON, max_size=8), max_size=6))
def test_every_native_item_is_accepted_or_rejected(items: list[dict[str, Any]]) -> None:
    """Each exactly once, and the reply says which."""
    outcome = _answered("POST", "/v1/hits", b"key=page-key", json.dumps(items).encode(), {})
    told = json.loads(outcome.reply.body)

    assert told["accepted"] == len(outcome.hits)
    assert told["accepted"] + len(told["rejected"]) == len(items)
    assert [r["index"] for r in told["rejected"]] == sorted({r["index"] for r in told["rejected"]})
    assert len(told["rejected"]) == sum(count.outcome == "rejected" for count in outcome.counts)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["/v1/hits", "/matomo.php", f"/webhooks/{UUID}"]), _PREFIXES, _FORM, _BODY)
def test_the_same_request_is_the_same_answer(path: str, prefix: bytes, query: bytes, body: bytes) -> None:
    """A protocol is a function: no clock, no chance, no memory of its own."""
    first, again = (_answered("POST", path, prefix + b"&" + query, body, {}) for _ in range(2))

    assert first == again
