"""Sends recorded requests over HTTP as their clients did; it must not know what they mean or what becomes of them.

Each hit carries its own time, so the requests may arrive in any order: several connections send at once.
"""

import http.client
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from pipeline.demo.day import Recorded, own_times

CONNECTIONS = 8
_TIMEOUT_S = 20
_SHOWN_CHARS_MAX = 200

Progress = Callable[[int], None]  # how many hits were acknowledged so far; called from several threads, one at a time


class ReplayRefused(Exception):
    """A request of the recorded day was not taken. The text says which, and what was answered."""


def replay(url: str, day: Sequence[Recorded], progress: Progress) -> int:
    """Send every request to `url`; how many hits were acknowledged. Blocks. Raises ReplayRefused, or OSError."""
    waiting: queue.SimpleQueue[Recorded] = queue.SimpleQueue()
    for request in day:
        waiting.put(request)
    tally = _Tally(progress)
    with ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="replay") as pool:
        for ended in [pool.submit(_send_all, url, waiting, tally) for _ in range(CONNECTIONS)]:
            ended.result()
    return tally.hits


class _Tally:
    def __init__(self, progress: Progress) -> None:
        self.hits = 0
        self._progress = progress
        self._lock = threading.Lock()

    def add(self, hits: int) -> None:
        with self._lock:
            self.hits += hits
            self._progress(self.hits)


def _send_all(url: str, waiting: "queue.SimpleQueue[Recorded]", tally: _Tally) -> None:
    """One connection: whatever is next, until nothing is."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=_TIMEOUT_S)
    try:
        while True:
            try:
                request = waiting.get_nowait()
            except queue.Empty:
                return
            _send(connection, request)
            tally.add(len(own_times(request)))
    finally:
        connection.close()


def _send(connection: http.client.HTTPConnection, request: Recorded) -> None:
    target = f"{request.path}?{request.query}" if request.query else request.path
    body = request.body.encode() if request.body else None
    connection.request(request.method, target, body, request.headers)
    reply = connection.getresponse()
    answer = reply.read()
    if not 200 <= reply.status < 300:
        said = answer[:_SHOWN_CHARS_MAX].decode(errors="replace")
        raise ReplayRefused(f"{request.client}, {request.at}, {request.path}: {reply.status} {said}")
