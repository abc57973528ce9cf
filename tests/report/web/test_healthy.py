"""The health pages of a report page alone: it lives while it answers, and is ready while the warehouse answers."""

import asyncio
from collections.abc import Mapping
from typing import Any

from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from pipeline.questions import QuestionRefused
from pipeline.report.web.healthy import Healthy


class Warehouse:
    """Answers while it is there, and counts how often it was asked."""

    def __init__(self) -> None:
        self.there = True
        self.asked = 0

    def __call__(self, sql: str, parameters: Mapping[str, Any]) -> tuple[list[str], list[list[Any]]]:
        self.asked += 1
        if not self.there:
            raise QuestionRefused("connection refused")
        return ["1"], [[1]]


def test_ready_is_whether_the_warehouse_answers() -> None:
    """It goes and comes back; the page lives meanwhile, and everything else is the page's own."""
    warehouse = Warehouse()
    client = TestClient(Healthy(PlainTextResponse("the page"), warehouse, look_s=0))

    assert (200, {"warehouse": True}) == (client.get("/health/ready").status_code, client.get("/health/ready").json())
    warehouse.there = False
    assert (503, {"warehouse": False}) == (client.get("/health/ready").status_code, client.get("/health/ready").json())
    assert 200 == client.get("/health/live").status_code
    warehouse.there = True
    assert 200 == client.head("/health/ready").status_code
    assert ["the page"] * 3 == [client.get(path).text for path in ("/", "/health", "/health/ready/")]
    assert "the page" == client.post("/health/ready").text


async def test_those_who_ask_at_once_hear_the_same() -> None:
    """One question for all of them, and the same answer."""
    warehouse = Warehouse()
    healthy = Healthy(PlainTextResponse("the page"), warehouse)
    said: list[int] = []

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            said.append(message["status"])

    scope = {"type": "http", "path": "/health/ready", "method": "GET"}
    await asyncio.gather(*(healthy(scope, None, send) for _ in range(9)))
    assert ([200] * 9, 1) == (said, warehouse.asked)


def test_probes_ask_the_warehouse_once_in_a_while() -> None:
    """However many there are; being alive asks nobody."""
    warehouse = Warehouse()
    client = TestClient(Healthy(PlainTextResponse("the page"), warehouse))
    for _ in range(20):
        assert 200 == client.get("/health/live").status_code
        assert 200 == client.get("/health/ready").status_code

    assert 1 == warehouse.asked
