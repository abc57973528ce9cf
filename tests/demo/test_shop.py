"""The demo's own application: its pages are closed to the outside, and it answers for nobody but the shop's people."""

import re
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from pipeline.demo.pages import ROOT, SHOP, accounts, site
from pipeline.demo.shop import JOURNEY, DemoShop
from pipeline.identity.ids import user_person

COLUMNS = ("at", "device", "type", "user_id", "attribution")
DEVICE = "00112233445566aa"


class Warehouse:
    """Answers with what it was given, and remembers what it was asked."""

    def __init__(self, answer: Mapping[str, Any]) -> None:
        self.answer = answer
        self.asked: list[Mapping[str, Any]] = []

    async def ask(self, _: str, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        self.asked.append(parameters)
        return self.answer


async def get(path: str, warehouse: Warehouse | None = None, method: str = "GET") -> httpx.Response:
    shop = DemoShop((warehouse or Warehouse({"columns": COLUMNS, "rows": []})).ask)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(shop), base_url="http://shop.example") as client:
        return await client.request(method, path)


@pytest.mark.parametrize("path", sorted(site()))
async def test_every_page_is_complete_and_reaches_for_nothing_outside(path: str) -> None:
    """No inline script or style, no foreign address, no hole in a template, and every link leads somewhere."""
    reply = await get(path)
    text = reply.text
    own = re.sub(r'xmlns="[^"]*"|http://www\.w3\.org/2000/svg', "", text)

    assert reply.status_code == 200
    assert "default-src 'none'" in reply.headers["content-security-policy"]
    assert re.findall(r"https?://", own) == []
    if path.endswith((".js", ".css", ".svg")):
        return
    assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon\w+=", text) == []
    assert re.findall(r"\$\w+", text) == []
    links = re.findall(r'(?:href|src)="(/demo[^"]*)"', text)
    assert [link for link in links if link not in site()] == []


async def test_the_tracker_stays_small() -> None:
    """Two kilobytes, comments included: what is read on one screen is trusted."""
    reply = await get(ROOT + "tracker.js")

    assert len(reply.content) < 2_048


async def test_a_journey_is_asked_for_the_persons_and_devices_at_hand() -> None:
    """A user becomes a person, a tracker's ID a device; the answer is oldest first."""
    rows = [[2, f"d:{DEVICE}", "identify", "u-2001", "identified"], [1, f"d:{DEVICE}", "page", "", "backfilled"]]
    warehouse = Warehouse({"columns": COLUMNS, "rows": rows})

    reply = await get(f"{JOURNEY}?user=u-2001&device={DEVICE}", warehouse)

    assert warehouse.asked == [{"devices": [f"d:{DEVICE}"], "persons": [user_person("demo", "u-2001")]}]
    assert [(action["at"], action["device"]) for action in reply.json()["actions"]] == [(1, DEVICE), (2, DEVICE)]


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("user=u-1042", id="somebody who is no account of the shop"),
        pytest.param("device=d:1", id="no device ID"),
        pytest.param("&".join(f"device={DEVICE}" for _ in range(17)), id="too many devices"),
    ],
)
async def test_it_answers_for_nobody_else(query: str) -> None:
    """The warehouse is not even asked."""
    warehouse = Warehouse({"columns": COLUMNS, "rows": []})

    reply = await get(f"{JOURNEY}?{query}", warehouse)

    assert (reply.status_code, warehouse.asked) == (400, [])


async def test_a_refusal_of_the_warehouse_is_passed_on() -> None:
    """The page says that there is no answer, and tries again."""
    reply = await get(JOURNEY, Warehouse({"error": "busy"}))

    assert (reply.status_code, reply.text) == (503, "busy")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/demo", 308), ("GET", SHOP + "items/nothing", 404), ("POST", ROOT, 405), ("HEAD", ROOT, 200)],
)
async def test_other_requests_have_plain_answers(method: str, path: str, status: int) -> None:
    """Without the slash: sent on. Unknown: 404. Writing: never."""
    reply = await get(path, method=method)

    assert (reply.status_code, reply.content if method == "HEAD" else b"") == (status, b"")


def test_names_are_text_in_the_pages() -> None:
    """What stands in the catalogue cannot become markup."""
    bad = accounts()[0]._replace(name="<b>Eve</b> B", about="&")

    page = site((bad,))[SHOP + "account"].body.decode()

    assert "<b>" not in page
    assert "&lt;b&gt;Eve&lt;/b&gt;" in page
