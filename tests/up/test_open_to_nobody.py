"""A page of persons is never open to a network by mistake: whoever starts it that way is told what to set."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("command", ["up", "report"])
def test_it_does_not_start_beyond_this_machine_without_a_door(tmp_path: Path, command: str) -> None:
    """Exit 1 at once, nothing listens; with a file of tokens it is a choice, and an unreadable one is none."""
    environ = {**os.environ, "SEAMLINE_DATA": str(tmp_path), "SEAMLINE_HOST": "0.0.0.0", "SEAMLINE_PORT": "0"}
    asked = [sys.executable, "-m", "pipeline.cli", command]
    done = subprocess.run(asked, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert (1, True) == (done.returncode, "set SEAMLINE_REPORT_TOKEN_FILE" in done.stderr)

    environ["SEAMLINE_REPORT_TOKEN_FILE"] = str(tmp_path / "none")
    done = subprocess.run(asked, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert (1, True) == (done.returncode, "expected a readable file" in done.stderr)
