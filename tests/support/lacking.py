"""What a machine may lack: the tests that need it are skipped, or fail where `.ci/run` demands them; not what it is."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import pytest

DEMANDED = os.environ.get("SEAMLINE_TEST_REQUIRE") == "1"


def lacking(reason: str) -> NoReturn:
    """It is not there. The reason says how it is had."""
    if DEMANDED:
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def may_lack(missing: type[Exception]) -> Iterator[None]:
    """Whoever starts something says by this error that the machine has none."""
    try:
        yield
    except missing as error:
        lacking(str(error))
