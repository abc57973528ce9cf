"""One `seamline up` for the whole suite, as a newcomer has it: the demo site."""

from collections.abc import Iterator

import pytest

from tests.support.deployment import Embedded


@pytest.fixture(scope="session")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    """A running `seamline up` without a sites file."""
    deployment = Embedded(tmp_path_factory.mktemp("clients"))
    deployment.start()
    yield deployment
    deployment.stop()
