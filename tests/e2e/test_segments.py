"""A segment is given a name in a running deployment of either kind, and every command knows it at once."""

import json

from tests.support.deployment import Deployment


def test_a_name_for_a_segment(deployment: Deployment) -> None:
    """By the process that holds the warehouse, or on the server; and taken away again."""
    saved = deployment.seamline("segments", "--save", "phones", "device = phone", "--workspace", "books")
    assert (0, "") == (saved.returncode, saved.stderr)
    used = deployment.seamline("overview", "--segment", "@phones", "--workspace", "books", "--json")
    assert (0, 0) == (used.returncode, json.loads(used.stdout)["persons"])

    dropped = deployment.seamline("segments", "--drop", "phones", "--workspace", "books", "--json")
    assert (0, "") == (dropped.returncode, dropped.stdout)
