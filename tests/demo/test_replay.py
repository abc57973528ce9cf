"""The replay: what was recorded arrives again, byte for byte, however many connections carry it."""

import pytest
from msgspec import structs

from pipeline.demo.day import own_times, read_day
from pipeline.demo.pages import accounts
from pipeline.demo.replay import ReplayRefused, replay
from tests.clients.recorder import Recorder

DAY = read_day()


def test_what_arrives_is_what_was_recorded() -> None:
    """Replayed into the recorder, the day is recorded again; progress counts every hit up to the last."""
    seen: list[int] = []
    with Recorder(accounts()) as recorder:
        sent = replay(f"http://{recorder.address}", DAY, seen.append)

    hits = sum(len(own_times(request)) for request in DAY)
    assert sorted((r.method, r.path, r.query, r.body, sorted(r.headers.items())) for r in recorder.requests) == sorted(
        (r.method, r.path, r.query, r.body, sorted(r.headers.items())) for r in DAY
    )
    assert (sent, seen[-1], sorted(set(seen))) == (hits, hits, seen)


def test_a_request_that_is_not_taken_ends_it_by_name() -> None:
    """Nothing is left out in silence: the refusal says which request and what was answered."""
    lost = structs.replace(DAY[0], path="/v1/nowhere")

    with Recorder(accounts()) as recorder, pytest.raises(ReplayRefused, match=f"{DAY[0].client}, .*: 404"):
        replay(f"http://{recorder.address}", [lost], lambda _: None)
