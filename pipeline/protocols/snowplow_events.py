"""One Snowplow event, its parameters as texts, to a Draft; it knows no request and no reply."""

import base64
import binascii
import re
from typing import Any

import orjson
from msgspec import Struct, field

from pipeline.limits import EVENT_BYTES_MAX, ID_CHARS_MAX
from pipeline.protocols.hits import Draft, cut_text, cut_url, first_language
from pipeline.protocols.json_text import Malformed, decode, object_fault
from pipeline.protocols.members import amount, currency, mapping, moment, text
from pipeline.protocols.request import Count
from pipeline.sites import Site

Params = dict[str, str]

_SCHEMA_NAME = re.compile(r"iglu:[^/]+/([^/]+)/")
_CLIENT_SESSION = "iglu:com.snowplowanalytics.snowplow/client_session/"
_CONTEXTS_MAX = 255
# Fields of the hit, envelopes, and times: everything else a tracker sends is kept as a property.
_CONSUMED = frozenset(
    {
        *("e", "aid", "eid", "uid", "duid", "nuid", "tnuid", "url", "page", "refr", "lang", "ua", "ip"),
        *("dtm", "stm", "ttm", "ue_pr", "ue_px", "co", "cx"),
    }
)


class _Kind(Struct, frozen=True):
    """What kind of hit an event is. `told`: the members of a self-describing event."""

    type: str
    name: str = ""
    revenue: float | None = None
    currency: str = ""
    told: dict[str, Any] = field(default_factory=dict)


def draft_of(params: Params, site: Site, counts: list[Count]) -> Draft | str:
    """The event as a Draft, or the parameter that makes it none."""
    if sum(len(name) + len(value) for name, value in params.items()) > EVENT_BYTES_MAX:
        return "event"
    kind = _kind(params)
    if isinstance(kind, str):
        return kind
    contexts = _contexts(params, site, counts)
    properties = {name: value for name, value in params.items() if name not in _CONSUMED and value} | kind.told
    if contexts:
        properties["contexts"] = contexts
    if object_fault(properties):
        return "properties"
    draft = Draft(
        type=kind.type,
        name=cut_text(kind.name, "name", site, counts),
        event_id=params.get("eid", "") if len(params.get("eid", "")) <= ID_CHARS_MAX else "",
        anonymous_id=_anonymous_id(params, contexts),
        user_id=params.get("uid", ""),
        url=cut_url(params.get("url", ""), "url", site, counts),
        referrer=cut_url(params.get("refr", ""), "refr", site, counts),
        title=cut_text(params.get("page", ""), "page", site, counts),
        language=first_language(params.get("lang", "")),
        ip=params.get("ip", ""),
        revenue=kind.revenue,
        currency=kind.currency,
        properties=properties,
    )
    _date(draft, params)
    return draft


def _kind(params: Params) -> _Kind | str:
    """By `e`. A transaction's items have no revenue of their own: their order has it."""
    match params.get("e"):
        case "pv":
            return _Kind("page")
        case "pp":
            return _Kind("ping")
        case "se":
            return _Kind("track", params.get("se_ac", ""))
        case "ue":
            return _self_described(params)
        case "tr":
            return _Kind("track", "transaction", amount(params.get("tr_tt")), currency(params.get("tr_cu")))
        case "ti":
            return _Kind("track", "transaction_item")
    return "e"


def _self_described(params: Params) -> _Kind | str:
    """An envelope `{schema, data: {schema, data}}`, named after the inner schema. Two screen views are known."""
    which = "ue_pr" if params.get("ue_pr") else "ue_px"
    event = mapping(mapping(_json(params, which)).get("data"))
    schema, told = text(event.get("schema")), event.get("data")
    named = _SCHEMA_NAME.match(schema)
    if named is None or type(told) is not dict or object_fault(told):
        return which
    if named[1] == "screen_view":
        return _Kind("screen", text(told.get("name")), told={"schema": schema, **told})
    return _Kind("track", named[1], told={"schema": schema, **told})


def _contexts(params: Params, site: Site, counts: list[Count]) -> list[Any]:
    """The event's contexts, each `{schema, data}`. What cannot be read is counted, and the event stays."""
    which = "co" if params.get("co") else "cx"
    if not params.get(which):
        return []
    told = mapping(_json(params, which)).get("data")
    if type(told) is not list or len(told) > _CONTEXTS_MAX or object_fault({"contexts": told}):
        counts.append(Count(site.site_id, "cut", which))
        return []
    return told


def _json(params: Params, which: str) -> Any:
    """A parameter that is JSON, in base64url where its name ends in x (with or without padding), or None."""
    raw = params.get(which, "").encode()
    if which.endswith("x"):
        try:
            raw = base64.urlsafe_b64decode(raw.rstrip(b"=") + b"=" * (-len(raw.rstrip(b"=")) % 4))
        except (binascii.Error, ValueError):
            return None
    decoded = decode(raw)
    return None if isinstance(decoded, Malformed) else decoded.value


def _anonymous_id(params: Params, contexts: list[Any]) -> str:
    """The first-party cookie's, else the network's, else what mobile trackers keep in their session."""
    told = params.get("duid") or params.get("tnuid") or params.get("nuid")
    if told:
        return told
    sessions = (mapping(one) for one in contexts)
    found = (mapping(s.get("data")) for s in sessions if text(s.get("schema")).startswith(_CLIENT_SESSION))
    return next((text(session.get("userId")) for session in found), "")


def _date(draft: Draft, params: Params) -> None:
    """`ttm` is true and final; `dtm` is the device's, told apart from ours by `stm`, which some trackers round down."""
    true_ms, device_ms, sent_ms = (moment(params.get(name)) for name in ("ttm", "dtm", "stm"))
    draft.client_ms = device_ms if true_ms is None else true_ms
    if true_ms is None and device_ms is not None and sent_ms is not None:
        draft.sent_ms = max(sent_ms, device_ms)
    if not draft.event_id and draft.client_ms is not None:
        kept = {name: value for name, value in params.items() if name != "stm"}
        draft.content = orjson.dumps(kept, option=orjson.OPT_SORT_KEYS)
