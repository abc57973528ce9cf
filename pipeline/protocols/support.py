"""What of each tracker family is understood, kept, passed over or missing: the table of the README; it parses nothing.

`python -m pipeline.protocols.support` prints the table.
"""

from msgspec import Struct


class Support(Struct, frozen=True):
    """One family. `protocols`: its names in the registry. `proof`: tests, the real clients first."""

    system: str
    protocols: tuple[str, ...]
    full: str
    stored: str
    ignored: str
    missing: str
    proof: tuple[str, ...]


_CLIENTS = "tests/clients/test_{}.py"
_RULES = "tests/protocols/test_{}.py"

SUPPORT = (
    Support(
        "Matomo",
        ("matomo",),
        "matomo.php, piwik.php, js/tracker.php under any prefix; GET, POST, beacon, bulk; its replies and codes; "
        "uid, _id, cid, new_visit; cdt, cdo, cip and country with a token; page, event, goal, order, cart, search, "
        "outlink, download, content, dimensions, ping, bots; DNT, ignore cookie; pseudonyms",
        "pf_*, plugin flags, uadata, _cvar, cvar, data, recMode",
        "_idts, _idvc and their kind, queuedtracking, debug",
        "reporting API, goals by URL rule, media, heatmap and crash plugins, third-party cookie, custom image, GeoIP, "
        "fingerprints (on purpose)",
        (
            _CLIENTS.format("journeys"),
            _CLIENTS.format("asgi_matomo"),
            _RULES.format("matomo"),
            _RULES.format("matomo_bulk"),
        ),
    ),
    Support(
        "MetricsWave",
        ("metricswave",),
        "/webhooks/{uuid} by GET and POST; 204, 400, 404; the five names of the user; triggered_at; the script's API "
        "(setUser, track, click classes) through /js/visits.js",
        "free parameters, amount, visit",
        "emoji, funnel and income pages",
        "dashboards, notifications, the vendor's own visits.js without a proxy",
        ("tests/browser/test_tracker_script.py", _CLIENTS.format("journeys"), _RULES.format("metricswave")),
    ),
    Support(
        "Contentsquare",
        ("native",),
        "the _uxa commands in our script: identify (+hash), resetIdentity, getIdentity, addUserProperties, "
        "trackPageview, trackPageEvent, trackEvent, setCustomVariable, trackDynamicVariable, ec:transaction:*",
        "variables",
        "replay triggers, exclude rules",
        "the vendor tag's network format, session replay, zoning, mobile SDKs",
        ("tests/browser/test_tracker_script.py", _RULES.format("native")),
    ),
    Support(
        "Segment",
        ("segment",),
        "identify, track, page, screen, group, alias, batch, import, also by their short paths; Basic, Bearer and body "
        "keys; settings for analytics.js; clock correction by sentAt",
        "group, context, integrations",
        "destinations",
        "forwarding, tracking plans, the profile API",
        (_CLIENTS.format("analytics"), _CLIENTS.format("browser_sdks"), _RULES.format("segment")),
    ),
    Support(
        "RudderStack",
        ("rudderstack",),
        "the same, merge, beacon, pixel, sourceConfig; its logins do not hold, because its reset keeps the visitor",
        "group, context, integrations",
        "destinations",
        "forwarding, tracking plans",
        (_CLIENTS.format("analytics"), _RULES.format("segment")),
    ),
    Support(
        "PostHog",
        ("posthog",),
        "/e, /i/v0/e, /capture, /batch, /track, /engage in every form of body; $identify, $create_alias, "
        "$merge_dangerously, $set, $set_once; an empty /flags",
        "$autocapture, web vitals, groups",
        "/s recordings (counted)",
        "flags, surveys, replay",
        (_CLIENTS.format("analytics"), _CLIENTS.format("browser_sdks"), _RULES.format("posthog")),
    ),
    Support(
        "Snowplow",
        ("snowplow",),
        "tp2 and the pixel; page views, pings, structured and self-describing events; uid, duid, nuid, eid; dtm, "
        "stm, ttm",
        "contexts, tr, ti",
        "",
        "Iglu validation, enrichments, the bad-row stream",
        (_CLIENTS.format("snowplow_umami_plausible"), _RULES.format("snowplow")),
    ),
    Support(
        "Umami",
        ("umami",),
        "/api/send, /api/batch; events, page views, identify",
        "data, tag, web vitals",
        "",
        "dashboards, link and pixel entities",
        (_CLIENTS.format("snowplow_umami_plausible"), _RULES.format("umami")),
    ),
    Support(
        "Plausible",
        ("plausible",),
        "/api/event; by our convention props.user_id and props.anonymous_id are IDs",
        "props, revenue",
        "hashMode",
        "identity (it has none of its own)",
        (_CLIENTS.format("snowplow_umami_plausible"), _RULES.format("plausible")),
    ),
)


def table() -> str:
    """The rows as Markdown."""
    lines = ["| | understood | kept as sent | passed over | missing | shown by |", "|---|---|---|---|---|---|"]
    for row in SUPPORT:
        proof = ", ".join(f"[{path.rpartition('/')[2][5:-3]}]({path})" for path in row.proof)
        lines.append(f"| **{row.system}** | {row.full} | {row.stored} | {row.ignored} | {row.missing} | {proof} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(table(), end="")  # noqa: T201 - this is its output
