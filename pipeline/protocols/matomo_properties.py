"""Which Matomo parameters become properties, and which make the hit's ID; it knows no action and no person."""

import re
from typing import Any

import orjson

from pipeline.limits import KEY_BYTES_MAX, PROPERTIES_MAX
from pipeline.protocols.hits import cut_text
from pipeline.protocols.json_text import Malformed, decode, object_fault
from pipeline.protocols.matomo_actions import Params
from pipeline.protocols.request import Count
from pipeline.sites import Site

# Fields of the hit, or words to the endpoint; everything else a tracker sends is kept.
_CONSUMED = frozenset(
    {
        *("idsite", "rec", "apiv", "send_image", "token_auth", "queuedtracking", "debug", "dp", "bots"),
        *("uid", "_id", "cid", "url", "urlref", "action_name", "ua", "lang", "cdt", "cdo", "cip", "country"),
        *("r", "rand", "revenue", "_idts", "_idvc", "_idn", "_viewts", "_ects"),
    }
)
_DIMENSION = re.compile(r"dimension[1-9][0-9]{0,2}")
_JSON_PARAMS = frozenset({"ec_items", "cvar", "_cvar", "e_cvar", "data", "uadata"})
# The same hit sent again differs in these: a failed XHR is repeated as an image, a bulk adds its token.
_TRANSPORT = frozenset({"send_image", "token_auth", "queuedtracking", "debug"})


def content_of(params: Params) -> bytes:
    """What makes the ID: all parameters, if one of them is a cache-buster or a time; else nothing."""
    if not (params.get("rand") or params.get("r") or params.get("cdt")):
        return b""
    kept = {name: value for name, value in params.items() if name not in _TRANSPORT}
    return orjson.dumps(kept, option=orjson.OPT_SORT_KEYS)


def properties_of(params: Params, site: Site, counts: list[Count]) -> dict[str, Any]:
    """Every parameter that is no field of the hit, within the limits; what does not fit is counted."""
    properties: dict[str, Any] = {}
    for name, text in params.items():
        if name in _CONSUMED or not text:
            continue
        if len(properties) >= PROPERTIES_MAX or len(name.encode()) > KEY_BYTES_MAX or not name:
            counts.append(Count(site.site_id, "cut", "properties"))
            continue
        properties[name] = _value(name, text, site, counts)
    return properties


def dimensions_of(params: Params, site: Site, counts: list[Count]) -> dict[str, Any]:
    """Custom dimensions as traits of whoever the hit turns out to be; an empty one clears."""
    return {
        name: cut_text(text.strip(), "dimensions", site, counts)
        for name, text in params.items()
        if _DIMENSION.fullmatch(name)
    }


def _value(name: str, text: str, site: Site, counts: list[Count]) -> Any:
    """Text, cut if too long; what Matomo defines as JSON is JSON if it is sound."""
    if name in _JSON_PARAMS:
        decoded = decode(text.encode())
        if not isinstance(decoded, Malformed) and object_fault({name: decoded.value}, suspect=True) is None:
            return decoded.value
    return cut_text(text.strip() if name.startswith("dimension") else text, "properties", site, counts)
