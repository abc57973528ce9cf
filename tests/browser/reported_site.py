"""A running `up` whose report page has people on it, sent as trackers send; it must not know what is looked at."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from pipeline.identity.ids import user_person
from pipeline.model import Hit
from pipeline.times import ms_of
from tests.report.web.seeded import APP, MARA, SHOP, crowd, mara, shoppers, sites
from tests.support.deadline import wait_until
from tests.support.deployment import Embedded

AGENTS = {
    "smartphone": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.0 Mobile/15E148 Safari/604.1",
    "desktop": "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/141.0.0.0 Safari/537.36",
    "tablet": "Mozilla/5.0 (iPad; CPU OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.0 Mobile/15E148 Safari/604.1",
}
_SETTLED_WITHIN_S = 60
_BATCH = 200


class ReportedSite(NamedTuple):
    """Where the shop's pages are, and the person most of them are about."""

    up: Embedded
    root: str
    person: str

    @property
    def journey(self) -> str:
        """Mara's."""
        return f"{self.root}/persons/{self.person}"

    def send(self, items: Sequence[Mapping[str, Any]], key: str = SHOP, agent: str = AGENTS["desktop"]) -> None:
        """Hits of one browser, acknowledged."""
        for start in range(0, len(items), _BATCH):
            body = list(items[start : start + _BATCH])
            reply = httpx.post(f"{self.up.url}/v1/hits", params={"key": key}, json=body, headers={"user-agent": agent})
            assert (200, []) == (reply.status_code, reply.json()["rejected"])

    def settle(self, actions: int) -> None:
        """Wait until so many actions can be read."""
        enough = lambda: self.up.query("SELECT count() FROM actions")[0][0] >= actions  # noqa: E731
        wait_until(enough, _SETTLED_WITHIN_S, f"{actions} actions", pause_s=0.2)


@contextmanager
def reported_site(folder: Path) -> Iterator[ReportedSite]:
    """With everybody of the seeded world, each site by a key of its own."""
    up = Embedded(folder, sites(folder))
    up.start()
    try:
        site = ReportedSite(up, f"{up.url}/report/{SHOP}", user_person(SHOP, MARA))
        now_ms = time.time_ns() // 1_000_000
        hits = [*mara(now_ms), *crowd(now_ms), *shoppers(now_ms)]
        for (key, agent), items in _by_browser(hits).items():
            site.send(items, key, agent)
        site.settle(len(hits))
        yield site
    finally:
        up.stop_stage("up")


def _by_browser(hits: Iterable[Hit]) -> dict[tuple[str, str], list[dict[str, Any]]]:
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for hit in hits:
        key = APP if hit.site_id == APP else hit.workspace
        found.setdefault((key, AGENTS[hit.device_type]), []).append(_item(hit))
    return found


def _item(hit: Hit) -> dict[str, Any]:
    item: dict[str, Any] = {
        "type": hit.type, "event_id": hit.event_id, "ts": ms_of(hit.ts), "anonymous_id": hit.anonymous_id,
        "title": hit.title, "url": hit.url, "holds": hit.holds,
    }  # fmt: skip
    if hit.user_id:
        item |= {"user_id": hit.user_id, "traits": hit.traits or {}}
    if hit.revenue is not None:
        item |= {"name": hit.name, "revenue": hit.revenue, "currency": hit.currency}
    return item
