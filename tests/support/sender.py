"""Sends a world's hits as a client that retries, and keeps the ledger of what was acknowledged."""

import http.client
import json
import time
from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from tests.support.generator import Sent

RETRY_FOR_S = 60
_TIMEOUT_S = 20
_PAUSE_S = 0.02


class Sender:
    """One keep-alive connection. `acknowledged`: the arrivals whose 2xx was seen; `retries`: requests sent again."""

    def __init__(self, url: str) -> None:
        self._address = urlsplit(url).netloc
        self._connection: http.client.HTTPConnection | None = None
        self.acknowledged: list[Sent] = []
        self.retries = 0

    def send(self, hits: Sequence[Sent], per_request: int = 100) -> None:
        """Every hit in order; a request that fails is sent again, the very same, until it is acknowledged."""
        for batch in _batches(hits, per_request):
            body = json.dumps([sent.native() for sent in batch]).encode()
            reply = self._insist(f"/v1/hits?key={batch[0].workspace}", body)
            assert reply == {"accepted": len(batch), "rejected": []}, reply
            self.acknowledged += batch
        self.close()

    def close(self) -> None:
        """Let go of the connection; the next request makes another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _insist(self, path: str, body: bytes) -> object:
        deadline = time.monotonic() + RETRY_FOR_S
        while time.monotonic() < deadline:
            try:
                status, reply = self._post(path, body)
                if 200 <= status < 300:
                    return json.loads(reply)
                assert status in (429, 500, 502, 503, 504), (status, reply)
            except (OSError, http.client.HTTPException):
                self.close()
            self.retries += 1
            time.sleep(_PAUSE_S)
        raise AssertionError(f"nobody took the request for {RETRY_FOR_S} s")

    def _post(self, path: str, body: bytes) -> tuple[int, bytes]:
        if self._connection is None:
            self._connection = http.client.HTTPConnection(self._address, timeout=_TIMEOUT_S)
        self._connection.request("POST", path, body, {"content-type": "application/json"})
        reply = self._connection.getresponse()
        return reply.status, reply.read()


def _batches(hits: Sequence[Sent], per_request: int) -> Iterable[list[Sent]]:
    """Requests of one workspace each, as a request has one key; nearly in the order of the hits."""
    waiting: dict[str, list[Sent]] = {}
    for sent in hits:
        batch = waiting.setdefault(sent.workspace, [])
        batch.append(sent)
        if len(batch) == per_request:
            yield waiting.pop(sent.workspace)
    yield from waiting.values()
