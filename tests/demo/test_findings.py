"""What is printed about the day, from any answer of the warehouse."""

from collections.abc import Mapping
from typing import Any

import pytest

from pipeline.demo.findings import Findings, NoAnswer, find, told


async def test_a_refusal_is_no_number() -> None:
    """The warehouse's own words reach the terminal."""

    async def ask(_: str, __: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"error": "memory limit"}

    with pytest.raises(NoAnswer, match="memory limit"):
        await find(ask)


def test_where_nobody_was_on_two_devices_no_journey_is_told() -> None:
    """A directory with little in it still gets its numbers, every attribution named."""
    lines = list(told(Findings(1_234, 3, 3, 3, {"anonymous": 1_234}, [])))

    assert lines[0] == " 1,234 hits from 3 devices"
    assert [line.split()[:2] for line in lines[4:]] == [
        ["0", "identified"],
        ["0", "carried"],
        ["0", "backfilled"],
        ["1,234", "anonymous"],
    ]
