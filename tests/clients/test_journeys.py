"""Real tracker clients against a running Seamline: not what they sent, but what it was stitched to."""

from collections.abc import Callable, Sequence

import pytest

from pipeline.identity.ids import user_person
from pipeline.limits import SECOND_MS
from tests.clients.steps import HOST, Step, Visitor
from tests.clients.trackers import Curl, Matomopy, MatomoTrackerNode, Tracker, webhook_device
from tests.support.deadline import wait_until
from tests.support.deployment import Embedded

VISIBLE_WITHIN_S = 20
Row = tuple[str, str, str]  # what was seen where: path, attribution, device type

TRACKERS = [
    pytest.param(Matomopy(), id="matomopy"),
    pytest.param(Matomopy(bulk=True), id="matomopy-bulk"),
    pytest.param(MatomoTrackerNode(), id="matomo-tracker", marks=pytest.mark.node),
    pytest.param(MatomoTrackerNode(bulk=True), id="matomo-tracker-bulk", marks=pytest.mark.node),
    pytest.param(Curl(), id="curl-get"),
    pytest.param(Curl(post=True), id="curl-post"),
]


def rows(up: Embedded, visitors: Sequence[Visitor]) -> list[Row]:
    """What is known of the devices, oldest first."""
    devices = [f"d:{name}" for visitor in visitors for name in (visitor.anonymous_id, webhook_device(visitor))]
    sql = "SELECT url, attribution, device_type FROM actions WHERE device IN {devices:Array(String)} ORDER BY ts"
    return [(url.removeprefix(f"https://{HOST}"), how, kind) for url, how, kind in up.query(sql, {"devices": devices})]


def journey(up: Embedded, user: str) -> list[Row]:
    """What belongs to the user, oldest first."""
    person = user_person("demo", user)
    sql = "SELECT url, attribution, device_type FROM journey(person = {person:UUID})"
    return [(url.removeprefix(f"https://{HOST}"), how, kind) for url, how, kind in up.query(sql, {"person": person})]


def eventually(expected: list[Row], look: Callable[[], list[Row]]) -> None:
    """Stitching is visible within seconds; what is there then is what is compared."""
    last: list[list[Row]] = []

    def there() -> bool:
        last[:] = [look()]
        return last[0] == expected

    try:
        wait_until(there, VISIBLE_WITHIN_S)
    except AssertionError:
        assert expected == last[0]


@pytest.mark.parametrize("tracker", TRACKERS)
def test_one_user_on_two_devices_is_one_journey(
    up: Embedded, tracker: Tracker, user: str, laptop: Visitor, phone: Visitor, at: Callable[[], int]
) -> None:
    """Pages before the sign-in find their person; pages after a sign-out that sends nothing are nobody's."""
    tracker.play(
        up.url,
        laptop,
        [
            Step(at(), "page", "/", "Shop"),
            Step(at(), "page", "/items/boots", "Ridge boots"),
            Step(at(), "sign_in", "/account", "Signed in", user),
            Step(at(), "page", "/basket", "Basket", user),
            Step(at(), "sign_out", "/account", "Account"),
            Step(at(), "page", "/journal", "Journal"),
        ],
    )
    tracker.play(
        up.url,
        phone,
        [
            Step(at(), "page", "/items/map", "Waterproof map"),
            Step(at(), "sign_in", "/account", "Signed in", user),
        ],
    )
    claimed: list[Row] = [
        ("/", "backfilled", "desktop"),
        ("/items/boots", "backfilled", "desktop"),
        ("/account", "identified", "desktop"),
        ("/basket", "identified", "desktop"),
    ]
    nobodys: list[Row] = [("/journal", "anonymous", "desktop")]
    later: list[Row] = [("/items/map", "backfilled", "smartphone"), ("/account", "identified", "smartphone")]

    eventually(claimed + nobodys + later, lambda: rows(up, (laptop, phone)))
    eventually(claimed + later, lambda: journey(up, user))


@pytest.mark.parametrize(("next_user", "attribution"), [("same", "backfilled"), ("other", "anonymous")])
@pytest.mark.parametrize("tracker", TRACKERS)
def test_the_next_sign_in_explains_pages_after_a_sign_out(
    up: Embedded, tracker: Tracker, user: str, laptop: Visitor, at: Callable[[], int], next_user: str, attribution: str
) -> None:
    """The same user comes back: theirs. Another comes: what lies between the two is neither's."""
    again = user if next_user == "same" else f"{user}-other"
    tracker.play(
        up.url,
        laptop,
        [
            Step(at(), "sign_in", "/account", "Signed in", user),
            Step(at(), "sign_out", "/account", "Account"),
            Step(at() + 2_400 * SECOND_MS, "page", "/journal", "Journal"),
        ],
    )
    eventually(
        [("/account", "identified", "desktop"), ("/journal", "anonymous", "desktop")], lambda: rows(up, [laptop])
    )
    tracker.play(up.url, laptop, [Step(at() + 2_400 * SECOND_MS, "sign_in", "/account/again", "Signed in", again)])

    expected: list[Row] = [
        ("/account", "identified", "desktop"),
        ("/journal", attribution, "desktop"),
        ("/account/again", "identified", "desktop"),
    ]
    eventually(expected, lambda: rows(up, [laptop]))
