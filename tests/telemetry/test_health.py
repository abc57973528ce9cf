"""When a worker lives, when it is ready, and how it says so."""

import asyncio

import httpx
import msgspec
import pytest

from pipeline.telemetry.health import Health, Progress

STALLED_MS = 60_000


class Said(msgspec.Struct):
    """A report."""

    lag: int = 3


def test_a_worker_that_folds_is_alive_however_far_behind() -> None:
    """Lag alone is no reason for a restart."""
    progress = Progress(STALLED_MS, now_s=0)
    for minute in range(10):
        progress.look({0: minute}, {0: 1_000_000}, minute * 60.0)

    assert progress.alive(9 * 60 + 59)
    assert progress.lag == 1_000_000 - 9


def test_a_worker_that_stopped_while_hits_wait_is_not() -> None:
    """Consumers that die slowly: assigned, connected, and nothing moves."""
    progress = Progress(STALLED_MS, now_s=0)
    progress.look({0: 5}, {0: 6}, 10.0)
    progress.look({0: 5}, {0: 7}, 50.0)

    assert progress.alive(69.0)
    assert not progress.alive(70.0)


def test_a_worker_with_nothing_to_do_is_alive() -> None:
    """Everything is folded; or it has no partition of its own, as a spare."""
    progress = Progress(STALLED_MS, now_s=0)
    for folded in ({0: 5}, {}):
        for look in range(3):
            progress.look(folded, {0: 5}, look * 100.0)
        assert progress.alive(259.0)


def test_a_worker_that_is_never_assigned_anything_is_not() -> None:
    """A rebalance that hangs for ever."""
    progress = Progress(STALLED_MS, now_s=0)
    progress.look(None, {0: 5}, 59.0)

    assert not progress.alive(60.0)


def test_a_log_that_does_not_answer_is_not_the_workers_fault() -> None:
    """A restart would not bring the broker back."""
    progress = Progress(STALLED_MS, now_s=0)
    progress.look({0: 5}, {0: 9}, 10.0)
    progress.look({0: 5}, None, 100.0)

    assert progress.alive(159.0)
    assert progress.lag is None


@pytest.mark.parametrize(
    ("path", "status"), [("/health/live", 200), ("/health/ready", 503), ("/health/ready?x=1", 503), ("/table", 404)]
)
async def test_pages_answer_with_a_status_and_a_report(path: str, status: int) -> None:
    """And nothing else is served."""
    health = Health(lambda: True, lambda: False, Said, lambda: b"")
    port = await health.start("127.0.0.1", 0)
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"http://127.0.0.1:{port}{path}")
        posted = await client.post(f"http://127.0.0.1:{port}/health/live")
    await health.close()

    assert (answer.status_code, answer.json()) == (status, {} if status == 404 else {"lag": 3})
    assert posted.status_code == 404


@pytest.mark.parametrize("sent", [b"", b"\r\n\r\n", b"GET\r\n\r\n", b"\xff" * 20_000, b"GET /health/live HTTP/1.1\r\n"])
async def test_nonsense_is_answered_or_dropped_and_the_next_request_is_served(sent: bytes) -> None:
    """A scanner on the port must not end a worker."""
    health = Health(lambda: True, lambda: True, Said, lambda: b"")
    port = await health.start("127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    writer.write_eof()
    assert b"200" not in await reader.read()
    writer.close()
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"http://127.0.0.1:{port}/health/live")
    await health.close()

    assert answer.status_code == 200
