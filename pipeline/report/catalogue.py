"""Every report by name: the question it answers, its parameters and its columns; it must not know any SQL."""

from collections.abc import Mapping

from msgspec import Struct

from pipeline.limits import DAY_MS
from pipeline.report.parameters import FIRST_RANK, NOBODY, Parameter, limit

_LAST_TIME = "2100-01-01"
_FIRST_TIME = "2000-01-01"
_ATTRIBUTIONS = ("identified", "carried", "backfilled", "anonymous")
_PERSON = Parameter("person", "person")
_GOAL = Parameter("goal", "text", "")
_SEARCH = Parameter("search", "text", "")
_JOURNEY = (
    *("ts", "event_id", "device", "type", "name", "url", "title", "referrer", "attribution", "user_id", "logout"),
    *("device_type", "browser", "os", "country", "language", "site_id", "campaign_source", "campaign_medium"),
    *("campaign_name", "revenue", "currency", "clock", "late", "protocol"),
)


class Report(Struct, frozen=True):
    """`about`: the question it answers. `segmented`: whether it can be of a segment's persons only."""

    name: str
    about: str
    columns: tuple[str, ...]
    parameters: tuple[Parameter, ...] = ()
    segmented: bool = True


_ALL = (
    Report(
        "overview",
        "how much was done, by how many devices and persons, and what stitching changed",
        ("actions", "devices", "persons", "signed_in_persons", *_ATTRIBUTIONS, "identified_share", "sent_share",
         "devices_per_person", "larger_by_device"),
    ),
    Report(
        "days",
        "what was done each day, by how many, and how each action got its person",
        ("date", "actions", *_ATTRIBUTIONS, "devices", "persons"),
    ),
    Report("visit_days", "how many visits began each day", ("date", "visits")),
    Report(
        "persons",
        "who was there",
        ("person_id", "actions", "devices", "first_action", "last_action", *_ATTRIBUTIONS, "kinds", "conversions",
         "spent", "rank"),
        (_SEARCH, Parameter("sort", "sort", "last"), Parameter("ascending", "flag", "0"),
         Parameter("after_rank", "rank", FIRST_RANK), Parameter("after_person", "person", NOBODY), limit(50)),
    ),
    Report(
        "find",
        "who goes by exactly this user ID, or was on exactly this device, at any time",
        ("person_id", "by_user"),
        (Parameter("search", "name"), Parameter("user_person", "person"), limit(50)),
        segmented=False,
    ),
    Report(
        "known",
        "what is known of these persons over all time",
        ("person_id", "user_ids", "first_seen", "last_seen", "actions", "devices", "sites", "traits"),
        (Parameter("persons", "persons"),),
        segmented=False,
    ),
    Report(
        "person_devices",
        "on which devices a person was",
        ("device", "device_type", "browser", "os", "first_seen", "last_seen", "actions", *_ATTRIBUTIONS, "visits"),
        (_PERSON,),
        segmented=False,
    ),
    Report(
        "person_pages",
        "which pages a person saw most",
        ("page", "actions", "devices", "first_seen", "last_seen"),
        (_PERSON, limit(20)),
        segmented=False,
    ),
    Report(
        "person_goals",
        "what a person did that has a name, how often, and for how much",
        ("name", "currency", "actions", "conversions", "spent", "devices", "first_seen", "last_seen"),
        (_PERSON, limit(50)),
        segmented=False,
    ),
    Report(
        "person_traits",
        "what was said of a person, and which statement counts",
        ("key", "value", "ts", "event_id", "device", "site_id", "protocol", "once", "counts"),
        (_PERSON, limit(1_000)),
        segmented=False,
    ),
    Report(
        "person_users",
        "which user IDs a person goes by, who said each, and what joined it to the others",
        ("user_id", "hits", "devices", "first_said", "last_said", "sites", "protocols", "joined_by", "authority",
         "joined_at"),
        (_PERSON,),
        segmented=False,
    ),
    Report(
        "journey",
        "what a person did after a place in the journey, oldest first",
        _JOURNEY,
        (_PERSON, Parameter("after_ts", "instant", _FIRST_TIME), Parameter("after_event", "text", ""),
         Parameter("after_device", "text", ""), limit(200)),
        segmented=False,
    ),
    Report(
        "journey_back",
        "what a person did before a place in the journey, newest first",
        _JOURNEY,
        (_PERSON, Parameter("before_ts", "instant", _LAST_TIME), Parameter("before_event", "text", ""),
         Parameter("before_device", "text", ""), limit(200)),
        segmented=False,
    ),
    Report(
        "visits",
        "which visits there were, the latest first",
        ("started_at", "ended_at", "duration_ms", "device", "person_id", "actions", "pages", "entry_url", "exit_url",
         "referrer", "campaign_source", "device_type", "browser", "os", "site", "user_ids", *_ATTRIBUTIONS, "logouts",
         "conversions", "spent", "attributions"),
        (Parameter("before_ts", "instant", _LAST_TIME), Parameter("before_device", "text", ""),
         Parameter("before_person", "person", NOBODY), limit(50)),
    ),
    Report(
        "users",
        "which user IDs were said, how often, and on how many devices",
        ("user_id", "person_id", "hits", "devices", "first_said", "last_said", "sites", "protocols"),
        (_SEARCH, Parameter("after_hits", "count", 2**63), Parameter("after_user", "text", ""), limit(50)),
    ),
    Report(
        "pages",
        "which pages were seen, and by how many",
        ("page", "actions", "persons", "devices"),
        (Parameter("site", "text", ""), limit(50)),
    ),
    Report(
        "goals",
        "what was done that has a name, by how many, and for how much",
        ("name", "currency", "actions", "conversions", "spent", "persons", "devices"),
        (limit(50),),
    ),
    Report(
        "handovers",
        "how often a person went on with another kind of device",
        ("from_kind", "to_kind", "handovers", "persons", "median_gap_ms"),
    ),
    Report(
        "cross_device",
        "on which kind of device those who converted began, on which they converted, and who needed more than one",
        ("began_on", "converted_on", "currency", "conversions", "persons", "spent", "several_devices"),
        (_GOAL,),
    ),
    Report(
        "funnel",
        "how many went through steps in order: as persons, and if every device were one",
        ("step", "persons", "devices"),
        (Parameter("within_ms", "count", 7 * DAY_MS),),
    ),
    Report(
        "identify_time",
        "how long it took from a person's first action until the first that says who they are",
        ("waited", "persons", "shortest_ms", "median_ms", "longest_ms"),
    ),
    Report(
        "retention",
        "who came back, by weeks: persons, and the same if every device were one",
        ("cohort", "week", "persons", "devices"),
    ),
    Report(
        "campaigns",
        "which campaign was a person's first, and which the last, before converting on any device",
        ("source", "medium", "campaign", "currency", "first_conversions", "first_spent", "last_conversions",
         "last_spent", "persons"),
        (_GOAL, limit(100)),
    ),
    Report(
        "identity_health",
        "how actions got their person each day, and how many could not on shared devices",
        ("date", "actions", *_ATTRIBUTIONS, "backfilled_share", "contested", "late", "illegal_ids"),
    ),
    Report(
        "aliases",
        "what statements that two user IDs are one person came to",
        ("statements", "withdrawals", "joined_users", "joined_persons", "refused_components", "refused_users"),
        segmented=False,
    ),
    Report(
        "latest",
        "what arrived last",
        ("received_at", "ts", "event_id", "device", "person_id", "user_id", "attribution", "type", "name", "url",
         "title", "device_type", "browser", "os", "country", "site_id", "logout", "revenue", "currency"),
        (Parameter("after_received", "instant", _FIRST_TIME), Parameter("after_event", "text", ""), limit(50)),
    ),
    Report(
        "audience",
        "who is in a segment, in the order of their person IDs",
        ("person_id", "first_action", "last_action", "actions", "devices", "conversions", "spent"),
        (Parameter("after_person", "person", NOBODY), limit(5_000)),
    ),
)  # fmt: skip
REPORTS: Mapping[str, Report] = {report.name: report for report in _ALL}
