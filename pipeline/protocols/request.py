"""What a protocol module is given and what it answers, as values; it must not know any tracker or any server.

A protocol module has one function, `handle(request, sites) -> Outcome`, and a `PROTOCOL` that says where it lives.
The edge reads the body, calls `handle`, makes the hits durable, and only then sends the reply.
"""

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from pipeline.limits import BODY_BYTES_MAX
from pipeline.model import Alias, Hit
from pipeline.sites import Sites

Headers = tuple[tuple[bytes, bytes], ...]
JSON_TYPE: Headers = ((b"content-type", b"application/json"),)


class Agent(Struct, frozen=True):
    """What a user agent says about the device. Empty texts mean unknown."""

    device_type: str = ""
    browser: str = ""
    os: str = ""
    bot: bool = False


class Request(Struct, frozen=True):
    """One HTTP request, its body complete and inflated, and what the edge knows about its arrival."""

    method: str
    path: str
    query: bytes
    headers: Mapping[bytes, bytes]  # names in lower case
    body: bytes
    ip: str  # the client's whole address; it is truncated before it becomes part of a hit
    now_ms: int
    received_at: str  # now_ms as the log writes it
    new_id: Callable[[], str]  # a fresh UUIDv7
    agent_of: Callable[[str], Agent]

    def header(self, name: bytes) -> str:
        """The header's text, or "" (latin-1, as HTTP has it)."""
        value = self.headers.get(name)
        return value.decode("latin-1") if value else ""


class Reply(Struct, frozen=True):
    """What goes back, but for CORS, Date and Content-Length, which the edge adds to every reply."""

    status: int
    body: bytes = b""
    headers: Headers = ()


class Count(Struct, frozen=True):
    """Something that did not become a hit as sent. Nothing is dropped, cut or refused without one of these."""

    site_id: str
    outcome: str  # rejected (detail: the field), refused (the policy), illegal_id (the value), cut (the field)
    detail: str


class Rejection(Struct, frozen=True):
    """Why one item of a request is no hit: the field as the client wrote it, and a sentence a developer can act on."""

    index: int
    field: str
    reason: str


class Outcome(Struct, frozen=True):
    """All that follows from a request. `reply` may be sent once `hits` and `aliases` are durable."""

    reply: Reply
    hits: Sequence[Hit] = ()
    counts: Sequence[Count] = ()
    aliases: Sequence[Alias] = ()


class Protocol(Struct, frozen=True):
    """Where a tracker family lives and what handles it.

    A path belongs to the protocol when it is one of `paths`, ends in one of `suffixes` (installations live under
    any prefix), or starts with one of `prefixes` followed by one more segment.
    """

    name: str
    handle: Callable[[Request, Sites], Outcome]
    methods: tuple[str, ...]
    paths: tuple[str, ...] = ()
    suffixes: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    body_bytes_max: int = BODY_BYTES_MAX
