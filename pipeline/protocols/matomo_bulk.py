"""Matomo's bulk: many requests in one JSON body; what a single one means is matomo_hits'."""

from collections import Counter
from typing import Any
from urllib.parse import urlsplit

import orjson

from pipeline.limits import BULK_HITS_MAX, EVENT_BYTES_MAX
from pipeline.model import Hit
from pipeline.protocols.forms import parse_form, texts_of
from pipeline.protocols.json_text import Malformed, decode
from pipeline.protocols.matomo_hits import Call, holds_token, take
from pipeline.protocols.request import JSON_TYPE, Count, Outcome, Reply, Request
from pipeline.sites import Sites

_FALSY = (0, False, "", "0", None)


def is_bulk(body: bytes) -> bool:
    """Matomo's own test: the word in either kind of quotes, not at the very start, whatever the Content-Type."""
    return body.find(b'"requests"') > 0 or body.find(b"'requests'") > 0


def handle(request: Request, sites: Sites) -> Outcome:
    """Each entry on its own. Malformed JSON is a success that tracked nothing: that is what the clients expect."""
    decoded = decode(request.body)
    document = {} if isinstance(decoded, Malformed) else decoded.value
    entries = document.get("requests") if isinstance(document, dict) else None
    if not isinstance(document, dict) or not isinstance(entries, list):
        return Outcome(_reply(200, "success", 0, []), counts=(Count("", "rejected", "body"),))
    if len(entries) > BULK_HITS_MAX:
        return Outcome(_reply(413, "error", 0, []), counts=(Count("", "rejected", "body"),))
    token = parse_form(request.query).get("token_auth") or texts_of(document).get("token_auth", "")
    return _take_all(Call(request, sites, []), entries, token, _silent(document))


def _silent(document: dict[str, Any]) -> bool:
    return "send_image" in document and document["send_image"] in _FALSY


def _take_all(call: Call, entries: list[Any], token: str, silent: bool) -> Outcome:
    counts = call.counts
    hits: list[Hit] = []
    seen: Counter[bytes] = Counter()
    invalid: list[int] = []
    tracked = 0
    idsites: set[str] = set()
    for index, entry in enumerate(entries):
        if isinstance(entry, str) and len(entry) > EVENT_BYTES_MAX:
            counts.append(Count("", "rejected", "requests"))
            invalid.append(index)
            continue
        params = _params(entry)
        if not params:
            counts.append(Count("", "rejected", "requests"))
            continue
        idsites.add(params.get("idsite", ""))
        same = orjson.dumps(params, option=orjson.OPT_SORT_KEYS)
        taken = take({"token_auth": token} | params, call, seen[same])
        seen[same] += 1
        if taken.invalid:
            invalid.append(index)
            continue
        tracked += 1
        if taken.hit is not None:
            hits.append(taken.hit)
    if silent:
        return Outcome(Reply(204), hits, counts)
    trusted = any(holds_token(call.sites, idsite, token) for idsite in idsites)
    return Outcome(_reply(200, "success", tracked, invalid, told=trusted), hits, counts)


def _params(entry: Any) -> dict[str, str]:
    """A query string with its `?`, a whole URL, or an object; text without a query has no parameters."""
    if isinstance(entry, str):
        try:
            query = urlsplit(entry).query
        except ValueError:
            query = entry.partition("?")[2]
        return parse_form(query.encode("utf-8", "replace"))
    return texts_of(entry)


def _reply(status: int, word: str, tracked: int, invalid: list[int], told: bool = False) -> Reply:
    """The JSON that bulk clients read. Which entries were invalid is told to holders of the token alone."""
    answer: dict[str, Any] = {"status": word, "tracked": tracked, "invalid": len(invalid)}
    if told:
        answer["invalid_indices"] = invalid
    return Reply(status, orjson.dumps(answer), JSON_TYPE)
