"""Campaign parameters of a URL under the names that Matomo, Google and their users give them."""

from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import parse_qsl

from msgspec import Struct

_NAMES = {
    "source": ("utm_source", "mtm_source", "matomo_source", "pk_source", "piwik_source"),
    "medium": ("utm_medium", "mtm_medium", "matomo_medium", "pk_medium", "piwik_medium"),
    "name": (
        *("utm_campaign", "mtm_campaign", "matomo_campaign", "pk_campaign", "piwik_campaign"),
        *("mtm_cpn", "pk_cpn"),
    ),
    "term": (
        *("utm_term", "mtm_kwd", "mtm_keyword", "matomo_kwd", "matomo_keyword"),
        *("pk_kwd", "pk_keyword", "piwik_kwd", "piwik_keyword"),
    ),
    "content": ("utm_content", "mtm_content", "matomo_content", "pk_content", "piwik_content"),
}
_FIELD_OF = {name: field for field, names in _NAMES.items() for name in names}
_MARKS = ("utm_", "mtm_", "pk_", "piwik_", "matomo_")
_VALUE_CHARS_MAX = 255
_PAIRS_MAX = 512


class Campaign(Struct, frozen=True):
    """Where a visit says it came from."""

    source: str = ""
    medium: str = ""
    name: str = ""
    term: str = ""
    content: str = ""


NO_CAMPAIGN = Campaign()


def campaign_of(pairs: Iterable[tuple[str, str]]) -> Campaign:
    """The first value given for each part; `null` is what a script writes for none."""
    found: dict[str, str] = {}
    for name, value in pairs:
        field = _FIELD_OF.get(name.lower())
        if field is not None and field not in found and value not in ("", "null", "undefined"):
            found[field] = value[:_VALUE_CHARS_MAX].replace("\0", "")
    return Campaign(**found) if found else NO_CAMPAIGN


def campaign_in(url: str) -> Campaign:
    """The campaign in a URL's query, or in its fragment, where Matomo allows it too."""
    if not any(mark in url for mark in _MARKS):
        return NO_CAMPAIGN
    head, _, fragment = url.partition("#")
    query = head.partition("?")[2]
    pairs = query.split("&", _PAIRS_MAX)[:_PAIRS_MAX]
    if fragment:
        pairs += fragment.lstrip("?").split("&", _PAIRS_MAX)[:_PAIRS_MAX]
    return _campaign("&".join([pair for pair in pairs if pair.startswith(_MARKS)]))


@lru_cache(maxsize=1_024)
def _campaign(query: str) -> Campaign:
    """A campaign brings thousands with the same few parameters."""
    return campaign_of(parse_qsl(query))
