"""`seamline up` keeps one warehouse: with several shards it does not begin."""

import os
import subprocess
import sys
from pathlib import Path


def test_several_shards_are_for_stages_of_their_own(tmp_path: Path) -> None:
    """Exit 1 at once, with the setting's name; nothing is asked of any server."""
    shards = "clickhouse://127.0.0.1:9/shop,clickhouse://127.0.0.2:9/shop"
    environ = {"SEAMLINE_DATA": str(tmp_path), "SEAMLINE_PORT": "0", "SEAMLINE_WAREHOUSE": shards}
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.cli", "up"],
        env={**os.environ, **environ, "SEAMLINE_CLICKHOUSE_CLUSTER": "main"},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert done.returncode == 1
    assert "SEAMLINE_WAREHOUSE: expected one for `seamline up`" in done.stderr
