"""Somebody with devices of her own and one that she shares, who will be forgotten; it must not know how."""

import base64
import json
import time
import urllib.request
from pathlib import Path
from typing import Any

from tests.support.deadline import wait_until
from tests.support.deployment import Deployment

NOW_MS = int(time.time() * 1_000) - 3_600_000
ROWS = """
    SELECT event_id, toString(person_id), attribution FROM actions
    WHERE startsWith(event_id, {tablet:String}) ORDER BY event_id
"""


def page(device: str, number: int, minute: float, **more: Any) -> dict[str, Any]:
    at = NOW_MS + int(minute * 60_000)
    return {"type": "page", "event_id": f"{device}-{number}", "anonymous_id": device, "ts": at, **more}


def login(device: str, number: int, minute: float, user: str) -> dict[str, Any]:
    return {**page(device, number, minute), "type": "identify", "user_id": user}


def logout(device: str, number: int, minute: float) -> dict[str, Any]:
    return {**page(device, number, minute), "type": "logout"}


class Story:
    """She has a laptop and, under another user ID, a phone of her own; the tablet Bob uses too."""

    def __init__(self, up: Deployment, canary: str, tablet: str, key: str = "demo") -> None:
        self.up, self.canary, self.tablet, self.key = up, canary, tablet, key
        self.her, self.her_too = f"{canary}-ada", f"{canary}-ada@home"
        laptop, phone, secret = f"{canary}-laptop", f"{canary}-phone", {"url": f"https://shop.example/{canary}"}
        self.history = [
            page(laptop, 1, 0, **secret), login(laptop, 2, 1, self.her), page(laptop, 3, 2),
            page(phone, 1, 3), login(phone, 2, 4, self.her_too),
            page(tablet, 1, 10, **secret), login(tablet, 2, 11, self.her), page(tablet, 3, 12, **secret),
            logout(tablet, 4, 13), page(tablet, 5, 20), login(tablet, 6, 21, "bob"), page(tablet, 7, 22),
            logout(tablet, 8, 23),
        ]  # fmt: skip
        self.send(*self.history)
        assert 0 == up.seamline("alias", self.her, self.her_too, "--workspace", key).returncode

    def send(self, *hits: dict[str, Any]) -> None:
        """And wait until a hit sent after them can be seen."""
        mark = f"mark-{time.monotonic_ns()}"
        body = json.dumps([*hits, page(mark, 1, 50)]).encode()
        with urllib.request.urlopen(f"{self.up.url}/v1/hits?key={self.key}", body, timeout=10) as reply:
            assert [] == json.loads(reply.read())["rejected"]
        wait_until(
            lambda: [f"{mark}-1"] in self.up.query("SELECT event_id FROM actions WHERE event_id LIKE 'mark-%'"), 30
        )

    def rows(self) -> list[list[Any]]:
        """What was done on the tablet."""
        return self.up.query(ROWS, {"tablet": self.tablet})


def holders(folder: Path, canary: str) -> list[str]:
    """Files that hold the canary, as it is or as base64."""
    forms = [canary.encode(), *(base64.b64encode(b"x" * pad + canary.encode())[4:-4] for pad in range(3))]
    files = (file for file in folder.rglob("*") if file.is_file())
    return [str(file) for file in files if any(form in file.read_bytes() for form in forms)]
