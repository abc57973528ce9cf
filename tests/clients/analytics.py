"""Server SDKs of Segment, RudderStack and PostHog, each playing one person's story; they know no endpoint but a URL.

The story, whatever the SDK calls its parts: on a laptop a page, the login, a page, the logout, a page; then on a phone
a page, the login, a page.
"""

from datetime import UTC, datetime
from typing import Any, Protocol

from msgspec import Struct
from posthog import Posthog
from rudderstack.analytics.client import Client as RudderClient
from segment.analytics import Client as SegmentClient

from pipeline.limits import SECOND_MS
from pipeline.times import iso
from tests.clients.steps import HOST
from tests.clients.trackers import run_node

KEY = "demo"


class Cast(Struct):
    """Who plays: a user, the anonymous IDs of a laptop (before and after its logout) and a phone, and when (ms)."""

    user: str
    laptop: str
    laptop_after: str
    phone: str
    start_ms: int

    def at_ms(self, scene: int) -> int:
        """When a scene happens: a minute apart."""
        return self.start_ms + scene * 60 * SECOND_MS

    def at(self, scene: int) -> datetime:
        """The same for SDKs that want a datetime."""
        return datetime.fromtimestamp(self.at_ms(scene) / SECOND_MS, UTC)


class Player(Protocol):
    """An SDK that plays the story."""

    def play(self, url: str, cast: Cast) -> None:
        """Send it all, and return once the SDK says it is sent."""


def page_url(path: str) -> str:
    """A page of the shop."""
    return f"https://{HOST}{path}"


class SegmentPython:
    """segment-analytics-python: a server speaks for a browser, with both IDs; sign-out is a new anonymous ID."""

    def play(self, url: str, cast: Cast) -> None:
        client = SegmentClient(KEY, host=url, sync_mode=True, gzip=True, max_retries=0)

        def page(scene: int, path: str, anonymous_id: str) -> None:
            where = {"url": page_url(path)}
            client.page(None, None, path, where, timestamp=cast.at(scene), anonymous_id=anonymous_id)

        def login(scene: int, anonymous_id: str) -> None:
            traits = {"plan": "pro"}
            client.identify(cast.user, traits, timestamp=cast.at(scene), anonymous_id=anonymous_id)

        page(0, "/", cast.laptop)
        login(1, cast.laptop)
        page(2, "/account", cast.laptop)
        page(4, "/bye", cast.laptop_after)
        page(5, "/phone", cast.phone)
        login(6, cast.phone)
        page(7, "/basket", cast.phone)


class RudderPython:
    """rudder-sdk-python: the user is restated with every call, and the anonymous ID outlives the sign-out."""

    def play(self, url: str, cast: Cast) -> None:
        client = RudderClient(KEY, host=url, sync_mode=True, max_retries=0)

        def page(scene: int, path: str, anonymous_id: str, user: str = "") -> None:
            said: dict[str, Any] = {"timestamp": cast.at(scene), "anonymous_id": anonymous_id}
            client.page(user or None, None, path, {"url": page_url(path)}, **said)

        def login(scene: int, anonymous_id: str) -> None:
            client.identify(cast.user, {"plan": "pro"}, timestamp=cast.at(scene), anonymous_id=anonymous_id)

        page(0, "/", cast.laptop)
        login(1, cast.laptop)
        page(2, "/account", cast.laptop, cast.user)
        page(4, "/bye", cast.laptop)
        page(5, "/phone", cast.phone)
        login(6, cast.phone)
        page(7, "/basket", cast.phone, cast.user)


class PosthogPython:
    """posthog: one distinct ID an event; a visitor's events make no person profile."""

    def play(self, url: str, cast: Cast) -> None:
        client = Posthog(KEY, host=url, sync_mode=True, disable_geoip=True, max_retries=0)

        def page(scene: int, path: str, distinct_id: str, *, visitor: bool) -> None:
            properties: dict[str, Any] = {"$current_url": page_url(path)}
            if visitor:
                properties["$process_person_profile"] = False
            client.capture("$pageview", distinct_id=distinct_id, properties=properties, timestamp=cast.at(scene))

        def login(scene: int, anonymous_id: str) -> None:
            properties = {"$anon_distinct_id": anonymous_id, "$set": {"plan": "pro"}}
            client.capture("$identify", distinct_id=cast.user, properties=properties, timestamp=cast.at(scene))

        page(0, "/", cast.laptop, visitor=True)
        login(1, cast.laptop)
        page(2, "/account", cast.user, visitor=False)
        page(4, "/bye", cast.laptop_after, visitor=True)
        page(5, "/phone", cast.phone, visitor=True)
        login(6, cast.phone)
        page(7, "/basket", cast.user, visitor=False)


class NodeSdk:
    """An SDK for Node.js: tests/clients/node/<script> plays the same story."""

    def __init__(self, script: str) -> None:
        self._script = script

    def play(self, url: str, cast: Cast) -> None:
        scenes = [iso(cast.at_ms(scene)) for scene in range(8)]
        told = {
            "url": url,
            "key": KEY,
            "site": f"https://{HOST}",
            "user": cast.user,
            "times": scenes,
            "laptop": cast.laptop,
            "laptopAfter": cast.laptop_after,
            "phone": cast.phone,
        }
        run_node(self._script, told)
