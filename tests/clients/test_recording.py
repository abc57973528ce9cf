"""The recording is repeatable: every client still sends each step, with the step's own time in its own notation."""

from collections import defaultdict
from pathlib import Path

import pytest

from pipeline.demo.day import own_times
from tests.clients.record_day import record
from tests.clients.story import Visit, story
from tests.clients.trackers import NODE

SERVER_SIDE_SAYS_NOTHING = "sign_out"


def one_of_each_client() -> list[Visit]:
    """The day's first visit by each."""
    first: dict[str, Visit] = {}
    for visit in story():
        first.setdefault(visit.client, visit)
    return list(first.values())


@pytest.mark.browser
@pytest.mark.node
def test_every_client_tells_when_each_step_was() -> None:
    """Playing the story again sends the same hits at the same times, however long the playing takes."""
    visits = one_of_each_client()
    expected: dict[str, list[int]] = defaultdict(list)
    for visit in visits:
        path = (
            "/v1/hits" if visit.client == "shop" else "/webhooks/" if visit.client.startswith("hook") else "/matomo.php"
        )
        told = [step for step in visit.steps if visit.client == "shop" or step.kind != SERVER_SIDE_SAYS_NOTHING]
        expected[path] += [step.at_ms for step in told]

    actual: dict[str, list[int]] = defaultdict(list)
    for request in record(visits):
        actual["/webhooks/" if request.path.startswith("/webhooks/") else request.path] += own_times(request)

    assert {path: sorted(times) for path, times in expected.items()} == {
        path: sorted(times) for path, times in actual.items()
    }


def test_the_story_is_the_same_each_time() -> None:
    """One seed, one day."""
    assert story() == story()


def test_the_node_lock_pins_by_hash_and_names_no_host() -> None:
    """What is installed is what was reviewed, from wherever the reader's machine gets it."""
    lock = Path(NODE / "package-lock.json").read_text()

    assert ("://" in lock, '"integrity": "sha512-' in lock) == (False, True)
