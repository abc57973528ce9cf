"""Real clients of Snowplow, Umami and Plausible against a running Seamline: not what they sent, but its journeys."""

import json
import time
import urllib.request
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any, Protocol

import pytest

from pipeline.identity.ids import user_person
from pipeline.limits import HOUR_MS, SECOND_MS
from tests.clients.small_analytics import (
    WEBSITE,
    PlausibleBrowser,
    SnowplowNode,
    SnowplowPython,
    UmamiNode,
    UmamiPython,
)
from tests.clients.steps import HOST, Step, Visitor
from tests.support.deadline import wait_until
from tests.support.deployment import Embedded

VISIBLE_WITHIN_S = 20
Row = tuple[str, str, str]  # path, attribution, device type


class Player(Protocol):
    """A client that plays steps."""

    def play(self, url: str, visitor: Visitor, steps: Sequence[Step]) -> Any:
        """Send them all; return when each was answered with success."""


WITH_DEVICES = [
    pytest.param(SnowplowPython(), id="snowplow-tracker"),
    pytest.param(SnowplowPython("get"), id="snowplow-tracker-get"),
    pytest.param(SnowplowNode(), id="snowplow-node", marks=pytest.mark.node),
    pytest.param(SnowplowNode(get=True), id="snowplow-node-get", marks=pytest.mark.node),
    pytest.param(PlausibleBrowser(), id="plausible-tracker", marks=pytest.mark.node),
]
WITHOUT_DEVICES = [
    pytest.param(UmamiPython(), id="umami-analytics"),
    pytest.param(UmamiNode(), id="umami-node", marks=pytest.mark.node),
]


def on_laptop(user: str, at: Callable[[], int]) -> list[Step]:
    """Anonymous, signed in, signed out."""
    return [
        Step(at(), "page", f"/{user}/shop", "Shop"),
        Step(at(), "sign_in", f"/{user}/account", "Signed in", user),
        Step(at(), "page", f"/{user}/basket", "Basket", user),
        Step(at(), "sign_out", f"/{user}/account", "Account"),
        Step(at(), "page", f"/{user}/journal", "Journal"),
    ]


def on_phone(user: str, at: Callable[[], int]) -> list[Step]:
    """Anonymous, then the same user."""
    return [
        Step(at(), "page", f"/{user}/map", "Map"),
        Step(at(), "sign_in", f"/{user}/phone", "Signed in", user),
    ]


def clock() -> Callable[[], int]:
    """Moves ten seconds a step, an hour ago."""
    start_ms, ticks = int(time.time()) * SECOND_MS - HOUR_MS, count()
    return lambda: start_ms + next(ticks) * 10 * SECOND_MS


def seen(up: Embedded, user: str, rows: str, /, **parameters: str) -> list[Row]:
    """Path, attribution and device type of `rows`, oldest first, without what trackers add of themselves."""
    sql = f"SELECT url, attribution, device_type FROM {rows} WHERE type != 'ping' ORDER BY ts"
    told = up.query(sql, parameters)
    return [(url.removeprefix(f"https://{HOST}").removeprefix(f"/{user}"), how, kind) for url, how, kind in told]


def journey(up: Embedded, user: str) -> list[Row]:
    """What belongs to the user."""
    return seen(up, user, "journey(person = {person:UUID})", person=user_person("demo", user))


def everything(up: Embedded, user: str) -> list[Row]:
    """All pages of the user's story, whoever they belong to."""
    rows = "(SELECT * FROM actions WHERE position(url, {user:String}) > 0 OR user_id = {user:String})"
    return seen(up, user, rows, user=user)


def eventually(expected: list[Row], look: Callable[[], list[Row]]) -> None:
    """Stitching is visible within seconds; what is there then is what is compared."""
    last: list[list[Row]] = []

    def there() -> bool:
        last[:] = [look()]
        return last[0] == expected

    try:
        wait_until(there, VISIBLE_WITHIN_S, pause_s=0.2)
    except AssertionError:
        assert expected == last[0]


@pytest.mark.parametrize("player", WITH_DEVICES)
def test_one_user_on_two_devices_is_one_journey(
    up: Embedded, player: Player, user: str, laptop: Visitor, phone: Visitor
) -> None:
    """The page before a login finds its person; the page after a logout that nobody sent is nobody's."""
    at = clock()
    player.play(up.url, laptop, on_laptop(user, at))
    player.play(up.url, phone, on_phone(user, at))

    claimed: list[Row] = [
        ("/shop", "backfilled", "desktop"),
        ("/account", "identified", "desktop"),
        ("/basket", "identified", "desktop"),
    ]
    nobodys: list[Row] = [("/journal", "anonymous", "desktop")]
    later: list[Row] = [("/map", "backfilled", "smartphone"), ("/phone", "identified", "smartphone")]
    eventually(claimed + nobodys + later, lambda: everything(up, user))
    eventually(claimed + later, lambda: journey(up, user))
    sql = "SELECT DISTINCT anonymous_id FROM journey(person = {person:UUID}) WHERE anonymous_id != ''"
    devices = {row[0] for row in up.query(sql, {"person": user_person("demo", user)})}
    assert {laptop.anonymous_id, phone.anonymous_id} == devices


@pytest.mark.parametrize("player", WITHOUT_DEVICES)
def test_a_client_that_keeps_no_device_has_the_pages_that_name_their_user(
    up: Embedded, player: Player, user: str, laptop: Visitor, phone: Visitor
) -> None:
    """What names nobody is nobody's: no address and no user agent makes it somebody's."""
    at = clock()
    replies = [
        *player.play(up.url, laptop, on_laptop(user, at)),
        *player.play(up.url, phone, on_phone(user, at)),
    ]

    assert 6 == len({reply["cache"] for reply in replies if reply["cache"] == reply["sessionId"] == reply["visitId"]})
    login, other = ("", "") if isinstance(player, UmamiNode) else ("/account", "/phone")
    whole: list[Row] = [
        ("/shop", "anonymous", "desktop"),
        (login, "identified", "desktop"),
        ("/basket", "identified", "desktop"),
        ("/journal", "anonymous", "desktop"),
        ("/map", "anonymous", "smartphone"),
        (other, "identified", "smartphone"),
    ]
    eventually(whole, lambda: everything(up, user))
    eventually([row for row in whole if row[1] == "identified"], lambda: journey(up, user))


@pytest.mark.node
def test_what_umami_is_told_of_a_user_is_a_trait(up: Embedded, user: str, laptop: Visitor) -> None:
    """Without the ID that its Node.js client puts among it."""
    UmamiNode().play(up.url, laptop, on_laptop(user, clock())[:2])

    sql = "SELECT toJSONString(traits) FROM actions WHERE user_id = {user:String} AND type = 'identify'"
    told = wait_until(lambda: up.query(sql, {"user": user}), VISIBLE_WITHIN_S, pause_s=0.2)
    assert '{"plan":"pro"}' == (json.loads(told[0][0]) if told[0][0].startswith('"') else told[0][0])


def test_an_umami_session_that_sends_its_token_back_is_one_device(up: Embedded, user: str, laptop: Visitor) -> None:
    """As its browser script does: what comes before the login is the user's, what comes after the logout is not."""

    def send(path: str, token: str, **payload: str) -> str:
        told = {"website": WEBSITE, "hostname": HOST, "url": f"/{user}{path}", **payload}
        headers = {"content-type": "application/json", "user-agent": laptop.user_agent, "x-umami-cache": token}
        body = json.dumps({"type": "event", "payload": told}).encode()
        with urllib.request.urlopen(urllib.request.Request(f"{up.url}/api/send", body, headers), timeout=10) as reply:
            return str(json.load(reply)["cache"])

    token = send("/shop", "")
    assert [token] * 3 == [send("/map", token), send("/account", token, id=user), send("/basket", token, id=user)]
    assert token == send("/journal", token)

    claimed = [("/shop", "backfilled"), ("/map", "backfilled"), ("/account", "identified"), ("/basket", "identified")]
    expected: list[Row] = [(path, how, "desktop") for path, how in claimed]
    eventually([*expected, ("/journal", "anonymous", "desktop")], lambda: everything(up, user))
    eventually(expected, lambda: journey(up, user))
