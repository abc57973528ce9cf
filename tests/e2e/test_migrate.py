"""`seamline migrate` leaves nothing that a worker would refuse to start for."""

import os
import subprocess
import sys

import pytest

from tests.support.deployment import Cluster


@pytest.mark.kafka
def test_an_empty_warehouse_behind_topics_that_are_there_gets_an_epoch(cluster: Cluster) -> None:
    """Whoever made them; and once: to run it again changes nothing."""
    address = cluster.environ["SEAMLINE_WAREHOUSE"].rpartition("/")[0] + "/behind_topics"
    environ = {**os.environ, **cluster.environ, "SEAMLINE_WAREHOUSE": address}

    def run(*words: str) -> str:
        command = [sys.executable, "-m", "pipeline.cli", *words]
        return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=True).stdout

    for _ in range(2):
        assert "topics created: none" in run("migrate")
        assert '{"epoch": 1}\n' == run("query", "SELECT epoch FROM log_epochs WHERE topic = 'hits'", "--json")
