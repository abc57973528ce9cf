"""Real SDKs of Segment, RudderStack and PostHog against a running Seamline: not what they sent, but its journeys."""

import time
import uuid

import pytest

from pipeline.identity.ids import user_person
from pipeline.limits import HOUR_MS, SECOND_MS
from tests.clients.analytics import Cast, NodeSdk, Player, PosthogPython, RudderPython, SegmentPython, page_url
from tests.support.deadline import wait_until
from tests.support.deployment import Embedded

VISIBLE_WITHIN_S = 20
# What an action of the story is, whatever the SDK: page or login, and how it got its person.
Row = tuple[str, str]
HOLDS: list[Row] = [
    *[("/", "backfilled"), ("login", "identified"), ("/account", "carried")],
    *[("/phone", "backfilled"), ("login", "identified"), ("/basket", "carried")],
]
RESTATES: list[Row] = [(path, "identified" if how == "carried" else how) for path, how in HOLDS]
SDKS = [
    pytest.param(SegmentPython(), HOLDS, id="segment-analytics-python"),
    pytest.param(NodeSdk("segment.js"), HOLDS, id="segment-analytics-node", marks=pytest.mark.node),
    pytest.param(RudderPython(), RESTATES, id="rudder-sdk-python"),
    pytest.param(NodeSdk("rudder.js"), RESTATES, id="rudder-sdk-node", marks=pytest.mark.node),
    pytest.param(PosthogPython(), RESTATES, id="posthog-python"),
    pytest.param(NodeSdk("posthog.js"), RESTATES, id="posthog-node", marks=pytest.mark.node),
]


@pytest.fixture
def cast() -> Cast:
    """People and devices that no other test uses; the story began two hours ago."""
    start_ms = int(time.time()) * SECOND_MS - 2 * HOUR_MS
    return Cast(f"u-{uuid.uuid4().hex[:12]}", *(str(uuid.uuid4()) for _ in range(3)), start_ms)


def seen(rows: list[list[str]]) -> list[Row]:
    """(page or login, attribution) of (type, url, attribution)."""
    return [("login" if kind == "identify" else url.removeprefix(page_url("")), how) for kind, url, how in rows]


def actions_of(up: Embedded, user: str) -> list[Row]:
    """The user's journey, oldest first."""
    sql = "SELECT type, url, attribution FROM journey(person = {person:UUID})"
    return seen(up.query(sql, {"person": user_person("demo", user)}))


def actions_on(up: Embedded, anonymous_id: str) -> list[Row]:
    """What was seen on a device, oldest first."""
    sql = "SELECT type, url, attribution FROM actions WHERE device = {device:String} ORDER BY ts"
    return seen(up.query(sql, {"device": f"d:{anonymous_id}"}))


@pytest.mark.parametrize(("sdk", "expected"), SDKS)
def test_one_user_on_two_devices_is_one_journey(up: Embedded, sdk: Player, expected: list[Row], cast: Cast) -> None:
    """Pages before a login find their person, a page after the logout is nobody's, the phone joins the laptop."""
    sdk.play(up.url, cast)

    last: list[list[Row]] = [[]]
    wait_until(lambda: last.append(actions_of(up, cast.user)) or last[-1] == expected, VISIBLE_WITHIN_S, f"{last[-1:]}")
    after = {actions_on(up, name)[-1] for name in (cast.laptop, cast.laptop_after) if actions_on(up, name)}
    assert ("/bye", "anonymous") in after


@pytest.mark.parametrize(("sdk", "expected"), SDKS)
def test_traits_arrive_with_the_login(up: Embedded, sdk: Player, expected: list[Row], cast: Cast) -> None:
    """What the SDK says of the user is on the action that said it, under its own name."""
    sdk.play(up.url, cast)

    sql = "SELECT JSONExtractString(traits, 'plan') FROM journey(person = {person:UUID}) WHERE type = 'identify'"
    person = {"person": user_person("demo", cast.user)}
    wait_until(lambda: up.query(sql, person) == [["pro"], ["pro"]], VISIBLE_WITHIN_S)
