"""Every overlay rendered once for the whole run."""

import copy
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.deploy.kubectl import KubectlMissing, kubectl
from tests.deploy.manifests import OVERLAYS, Manifest, render


@pytest.fixture(scope="session")
def all_rendered(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Manifest]]:
    """By overlay. Shared: take `rendered` to change anything."""
    try:
        program: Path = kubectl()
    except KubectlMissing as missing:
        if os.environ.get("SEAMLINE_TEST_REQUIRE") == "1":
            raise
        pytest.skip(str(missing))
    folder = tmp_path_factory.mktemp("overlays")
    return {overlay: render(program, overlay, folder) for overlay in OVERLAYS}


@pytest.fixture
def rendered(all_rendered: dict[str, list[Manifest]]) -> Callable[[str], list[Manifest]]:
    """An overlay's manifests, to change as one likes."""
    return lambda overlay: copy.deepcopy(all_rendered[overlay])
