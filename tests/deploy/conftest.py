"""Every overlay rendered once for the whole run."""

import copy
from collections.abc import Callable

import pytest

from tests.deploy.kubectl import KubectlMissing, kubectl
from tests.deploy.manifests import OVERLAYS, Manifest, render
from tests.support.lacking import may_lack


@pytest.fixture(scope="session")
def all_rendered(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Manifest]]:
    """By overlay. Shared: take `rendered` to change anything."""
    with may_lack(KubectlMissing):
        program = kubectl()
    folder = tmp_path_factory.mktemp("overlays")
    return {overlay: render(program, overlay, folder) for overlay in OVERLAYS}


@pytest.fixture
def rendered(all_rendered: dict[str, list[Manifest]]) -> Callable[[str], list[Manifest]]:
    """An overlay's manifests, to change as one likes."""
    return lambda overlay: copy.deepcopy(all_rendered[overlay])
