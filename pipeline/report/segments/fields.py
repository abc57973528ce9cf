"""The fields a segment may name: of an action or of a person, what each takes, and its SQL; it must not read text."""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

Takes = Literal["text", "number", "time", "flag", "any"]
Of = Literal["action", "person"]


class Field(Struct, frozen=True):
    """`sql`: an expression over a row of `actions`, or an aggregate of a person's. `{key}` stands for a parameter.

    `folded`: upper and lower case are one. `example`: how it is used.
    """

    of: Of
    takes: Takes
    sql: str
    example: str
    folded: bool = False


def _text(sql: str, example: str, *, folded: bool = False) -> Field:
    return Field("action", "text", sql, example, folded)


# A text as it is, another value as JSON; nothing where it is null or not there.
_MEMBER = (
    "multiIf(JSONType({column}, {key}) = 'String', JSONExtractString({column}, {key}), "
    "JSONType({column}, {key}) = 'Null', '', JSONExtractRaw({column}, {key}))"
)
_SET = _MEMBER.replace("{column}", "traits")
_ONCE = _MEMBER.replace("{column}", "traits_once")
# Of a trait that was ever set the latest counts, else the earliest that was only ever set once.
TRAIT = (
    f"if(countIf(JSONHas(traits, {{key}})) > 0, argMaxIf({_SET}, (ts, event_id), JSONHas(traits, {{key}})), "
    f"argMinIf({_ONCE}, (ts, event_id), JSONHas(traits_once, {{key}})))"
)
_TIMES = "arraySort(groupArrayIf((device_key, toUnixTimestamp64Milli(ts)), {in_period}))"
VISITS = (
    f"arrayCount((one, n) -> n = 1 OR one.1 != {_TIMES}[n - 1].1 OR one.2 - {_TIMES}[n - 1].2 >= 1800000, "
    f"{_TIMES}, arrayEnumerate({_TIMES}))"
)
_SIGNED_IN = "countIf({in_period} AND attribution != 'anonymous') > 0"

FIELDS: Mapping[str, Field] = {
    "device": _text("device_type", "device = phone", folded=True),
    "browser": _text("browser", "browser = Firefox", folded=True),
    "os": _text("os", "os = Android", folded=True),
    "country": _text("country", "country = DE", folded=True),
    "language": _text("language", "language starts with de", folded=True),
    "site": _text("site_id", "site = www"),
    "type": _text("type", "type = page"),
    "name": _text("name", "name = Order"),
    "page": _text("path(url)", "page starts with /help"),
    "url": _text("url", 'url contains "?ref="'),
    "title": _text("title", "title contains sale"),
    "referrer": _text("referrer", "referrer contains google"),
    "user_id": _text("user_id", "user_id = u-1007"),
    "attribution": _text("attribution", "attribution = backfilled"),
    "currency": _text("currency", "currency = EUR"),
    "campaign.source": _text("campaign_source", "campaign.source = google"),
    "campaign.medium": _text("campaign_medium", "campaign.medium = email"),
    "campaign.name": _text("campaign_name", "campaign.name = autumn"),
    "campaign.term": _text("campaign_term", "campaign.term contains boots"),
    "campaign.content": _text("campaign_content", "campaign.content = banner"),
    "revenue": Field("action", "number", "revenue", "revenue > 50"),
    "property": Field("action", "any", _MEMBER.replace("{column}", "properties"), "property.sku = boots"),
    "identified": Field("person", "flag", _SIGNED_IN, "identified = true"),
    "signed_in": Field("person", "flag", _SIGNED_IN, "signed_in = false"),
    "devices": Field("person", "number", "uniqExactIf(device_key, {in_period})", "devices >= 2"),
    "visits": Field("person", "number", VISITS, "visits > 3"),
    "actions": Field("person", "number", "countIf({in_period})", "actions >= 10"),
    "first_seen": Field("person", "time", "min(ts)", "first_seen > 7d"),
    "last_seen": Field("person", "time", "max(ts)", "last_seen < 2026-11-01"),
    "trait": Field("person", "any", TRAIT, "trait.plan = pro"),
}
KEYED = ("property", "trait")  # the rest of the word is the name of a member
ALL_TIME = ("first_seen", "trait")  # not of the period alone
