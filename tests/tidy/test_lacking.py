"""Nothing is skipped where everything is demanded."""

import pytest

from tests.support import lacking


class NoBroker(Exception):
    """A broker that this machine has not."""


@pytest.mark.parametrize(("demanded", "outcome"), [(True, pytest.fail.Exception), (False, pytest.skip.Exception)])
def test_what_a_machine_lacks_fails_where_it_is_demanded(
    monkeypatch: pytest.MonkeyPatch, demanded: bool, outcome: type[BaseException]
) -> None:
    """And is skipped elsewhere; either way the reason is told."""
    monkeypatch.setattr(lacking, "DEMANDED", demanded)

    with pytest.raises(outcome, match="install one"), lacking.may_lack(NoBroker):
        raise NoBroker("install one")
