"""The in-memory log that other suites use keeps the contract of the real ones."""

import pytest

from pipeline.log.port import LogUnavailable
from tests.log.contract import LogContract, drain, entry, values
from tests.support.fake_log import FakeLog


class TestFakeLog(LogContract):
    """In memory."""

    @pytest.fixture
    async def log(self) -> FakeLog:
        return FakeLog()

    @pytest.fixture
    def topic(self) -> str:
        return "hits"


async def test_while_away_it_stores_nothing_and_with_lost_answers_it_stores() -> None:
    log = FakeLog()
    log.away = True
    with pytest.raises(LogUnavailable):
        await log.append([entry("hits", "refused")])
    log.away, log.loses_answers = False, True
    with pytest.raises(LogUnavailable):
        await log.append([entry("hits", "stored")])
    assert ["stored"] == values(await drain(await log.reader("hits", "g"), 1))
