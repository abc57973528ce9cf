"""Matomo's Tracking HTTP API: one request by GET, form POST or beacon; and the replies its clients expect."""

import base64

from pipeline.limits import EVENT_BYTES_MAX
from pipeline.protocols import matomo_bulk
from pipeline.protocols.forms import parse_body, parse_form, too_many
from pipeline.protocols.matomo_hits import Call, take
from pipeline.protocols.request import Count, Headers, Outcome, Protocol, Reply, Request
from pipeline.sites import MATOMO, Sites

GIF = base64.b64decode("R0lGODlhAQABAIAAAAAAAAAAACH5BAEAAAAALAAAAAABAAEAAAICRAEAOw==")
BANNER = b"<html><body>This is Seamline's Matomo endpoint: point a Matomo tracker at it.</body></html>"
_HTML: Headers = ((b"content-type", b"text/html; charset=utf-8"),)
_GIF: Headers = ((b"content-type", b"image/gif"),)
_NOT_TRACKED = (b"tk", b"N")  # what Matomo says to a browser that asked not to be tracked
_NO_STORE = (b"cache-control", b"no-store")


def handle(request: Request, sites: Sites) -> Outcome:
    """A bulk is told by its body alone; else query and body are one set of parameters, where the query wins."""
    if request.method == "POST" and matomo_bulk.is_bulk(request.body):
        return matomo_bulk.handle(request, sites)
    body = request.body if request.method == "POST" else b""
    if len(body) > EVENT_BYTES_MAX:
        return Outcome(_reply(request, 413, silent=False), counts=(Count("", "rejected", "body"),))
    params = parse_body(body) | parse_form(request.query)
    if not params:
        return _without_parameters(request)
    counts = [Count("", "cut", "parameters")] if too_many(request.query) or too_many(body) else []
    entry = take(params, Call(request, sites, counts))
    reply = _reply(request, 400 if entry.invalid else 200, params.get("send_image") == "0")
    if entry.refused == "dnt":
        reply = Reply(reply.status, reply.body, (*reply.headers, _NOT_TRACKED))
    return Outcome(reply, [entry.hit] if entry.hit else [], counts)


def _without_parameters(request: Request) -> Outcome:
    """Someone looks at the endpoint with a browser, or a tracker is broken."""
    if request.method == "GET":
        return Outcome(Reply(200, BANNER, (*_HTML, _NO_STORE)))
    return Outcome(Reply(400, BANNER, _HTML), counts=(Count("", "rejected", "body"),))


def _reply(request: Request, status: int, silent: bool) -> Reply:
    """The image, or with `send_image=0` nothing: 204, or an empty 400."""
    headers = (_NO_STORE,) if request.method == "GET" else ()
    if silent:
        return Reply(204 if status == 200 else status, b"", headers)
    return Reply(status, GIF, (*_GIF, *headers))


PROTOCOL = Protocol(
    name=MATOMO, handle=handle, methods=("GET", "POST"), suffixes=("/matomo.php", "/piwik.php", "/tracker.php")
)
