"""What a form of ours said: a small body, sent by our own page; it must not know what it is about."""

from collections.abc import Mapping
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import Response

from pipeline.limits import FORM_BYTES_MAX
from pipeline.report.web.gate import same_origin


async def form_of(request: Request) -> Mapping[str, str] | Response:
    """Each field once, as it was written; or why it is none of ours: 403 from another page, 413 past the bound."""
    if not same_origin(request.headers):
        return Response("expected a form of this page\n", 403)
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > FORM_BYTES_MAX:
            return Response("too large\n", 413)
    return {name: texts[0] for name, texts in parse_qs(body.decode("utf-8", "replace")).items()}
