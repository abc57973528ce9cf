"""One `seamline up` for the whole suite, as a newcomer has it, and visitors nobody else uses."""

import time
import uuid
from collections.abc import Callable, Iterator
from itertools import count

import pytest

from pipeline.limits import HOUR_MS, SECOND_MS
from tests.clients.steps import Visitor
from tests.support.deployment import Embedded

LAPTOP = "Mozilla/5.0 (X11; Linux x86_64; rv:147.0) Gecko/20100101 Firefox/147.0"
PHONE = "Mozilla/5.0 (Android 16; Mobile; rv:147.0) Gecko/147.0 Firefox/147.0"


@pytest.fixture(scope="session")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    """A running `seamline up` without a sites file."""
    deployment = Embedded(tmp_path_factory.mktemp("clients"))
    deployment.start()
    yield deployment
    deployment.stop()


@pytest.fixture
def user() -> str:
    """A user ID that no other test uses."""
    return f"u-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def laptop() -> Visitor:
    """A desktop browser."""
    return Visitor(uuid.uuid4().hex[:16], LAPTOP)


@pytest.fixture
def phone() -> Visitor:
    """A phone's."""
    return Visitor(uuid.uuid4().hex[:16], PHONE)


@pytest.fixture
def at() -> Callable[[], int]:
    """A clock that moves ten seconds a step, an hour ago."""
    start_ms = (int(time.time()) * SECOND_MS) - HOUR_MS
    ticks: Iterator[int] = count()
    return lambda: start_ms + next(ticks) * 10 * SECOND_MS
