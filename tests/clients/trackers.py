"""Real tracker clients, each playing steps in its own words; it must not know what listens at the other end."""

import hashlib
import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlencode
from uuid import UUID

from matomopy import MatomoTracker

from pipeline.limits import SECOND_MS
from pipeline.times import iso
from tests.clients.steps import HOST, Step, Visitor
from tests.support.lacking import lacking

IDSITE = 1
EVENT_UUID = "00000000-0000-4000-8000-000000000001"
NODE = Path(__file__).parent / "node"
_INSTALLED = Path(__file__).parents[2] / ".cache" / "node"
_INSTALL_S_MAX = 100
_RUN_S_MAX = 30
_NODE_S_MAX = 60


class Tracker(Protocol):
    """A client that sends what a visitor does."""

    name: str

    def play(self, url: str, visitor: Visitor, steps: Sequence[Step]) -> None:
        """Send the steps to the endpoint at `url`; return when each was answered with success."""


class Matomopy:
    """matomopy, the Matomo client of the Python world: form posts, or one bulk."""

    def __init__(self, bulk: bool = False) -> None:
        self.name = "matomopy bulk" if bulk else "matomopy"
        self._bulk = bulk

    def play(self, url: str, visitor: Visitor, steps: Sequence[Step]) -> None:
        words = {"user_agent": visitor.user_agent, "accept_language": visitor.language}
        with MatomoTracker(url, IDSITE, **words) as tracker:
            tracker.set_visitor_id(visitor.anonymous_id)
            if self._bulk:
                tracker.enable_bulk_tracking()
            for step in steps:
                _say(tracker, step)
            if self._bulk:
                answer = tracker.flush()
                assert answer["tracked"] == len(_told(steps)), answer


def _told(steps: Sequence[Step]) -> list[Step]:
    """Matomo has no word for signing out: the user ID is left out from then on."""
    return [step for step in steps if step.kind != "sign_out"]


def _say(tracker: MatomoTracker, step: Step) -> None:
    tracker.user_id = step.user_id or None
    tracker.set_custom_timestamp(step.at_ms // SECOND_MS)
    tracker.set_url(step.url)
    if step.kind in ("page", "sign_in"):
        tracker.track_page_view(step.title)
    elif step.kind == "add":
        tracker.track_event("shop", "add_to_basket", step.title)
    elif step.kind == "order":
        order = hashlib.sha256(f"{tracker.visitor_id}{step.at_ms}".encode()).hexdigest()[:8]
        tracker.track_ecommerce_order(order, 48.0)


class MatomoTrackerNode:
    """matomo-tracker, Matomo's own client for Node.js: a GET each, or one bulk."""

    def __init__(self, bulk: bool = False) -> None:
        self.name = "matomo-tracker bulk" if bulk else "matomo-tracker"
        self._bulk = bulk

    def play(self, url: str, visitor: Visitor, steps: Sequence[Step]) -> None:
        hits = [_parameters(visitor, step) for step in _told(steps)]
        told = {"url": f"{url}/matomo.php", "idsite": IDSITE, "bulk": self._bulk, "hits": hits}
        answer = run_node("play.js", told)
        assert not self._bulk or json.loads(answer)["tracked"] == len(hits), answer


def _parameters(visitor: Visitor, step: Step) -> dict[str, Any]:
    words: dict[str, Any] = {
        "url": step.url,
        "action_name": step.title,
        "_id": visitor.anonymous_id,
        "cdt": step.at_ms // SECOND_MS,
        "ua": visitor.user_agent,
        "lang": visitor.language,
    }
    if step.user_id:
        words["uid"] = step.user_id
    if step.kind == "add":
        words |= {"e_c": "shop", "e_a": "add_to_basket", "e_n": step.title}
    return words


class Curl:
    """curl, as MetricsWave documents it: parameters in a GET's query, or a POST of JSON."""

    def __init__(self, post: bool = False) -> None:
        self.name = "curl POST" if post else "curl GET"
        self._post = post

    def play(self, url: str, visitor: Visitor, steps: Sequence[Step]) -> None:
        hook = f"{url}/webhooks/{EVENT_UUID}"
        for step in _told(steps):
            params = _webhook_parameters(visitor, step)
            if self._post:
                kinds = ("-H", "Content-Type: application/json", "-H", "Accept: application/json")
                words = ["-X", "POST", hook, *kinds, "-d", json.dumps(params)]
            else:
                words = [f"{hook}?{urlencode(params)}"]
            said = ("curl", "-sS", "--fail-with-body", "-A", visitor.user_agent, "-w", "%{http_code}", *words)
            answer = subprocess.run(said, capture_output=True, text=True, timeout=_RUN_S_MAX, check=False)
            assert answer.stdout == "204", answer


def _webhook_parameters(visitor: Visitor, step: Step) -> dict[str, str]:
    params = {"deviceName": webhook_device(visitor), "triggered_at": iso(step.at_ms)[:19] + "Z"}
    if step.user_id:
        params["user"] = step.user_id
    if step.kind in ("page", "sign_in"):
        return {"f": "script", "domain": HOST, "path": step.path, "language": visitor.language} | params
    return {"source": "shop", "url": step.url, "what": step.kind} | params


def webhook_device(visitor: Visitor) -> str:
    """MetricsWave's device name is a UUID."""
    return str(UUID(bytes=hashlib.sha256(visitor.anonymous_id.encode()).digest()[:16], version=4))


def run_node(script: str, told: dict[str, Any]) -> str:
    """What `tests/clients/node/<script>` prints when it is told this."""
    answer = subprocess.run(
        ["node", str(NODE / script)],
        input=json.dumps(told),
        cwd=installed_node_clients(),
        capture_output=True,
        text=True,
        timeout=_NODE_S_MAX,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def installed_node_clients() -> Path:
    """The folder with the Node.js trackers, installed on first use. Skips where there is no Node.js or no npm."""
    missing = [tool for tool in ("node", "npm") if shutil.which(tool) is None]
    if missing:
        reason = f"{' and '.join(missing)} not found: install Node.js 18 or later with npm"
        lacking(reason)
    lock = (NODE / "package-lock.json").read_bytes()
    stamp = _INSTALLED / "installed-lock"
    if not stamp.exists() or stamp.read_bytes() != lock:
        _INSTALLED.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copyfile(NODE / name, _INSTALLED / name)
        words = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
        subprocess.run(words, cwd=_INSTALLED, check=True, capture_output=True, timeout=_INSTALL_S_MAX)
        stamp.write_bytes(lock)
    return _INSTALLED
