"""The report page as an ASGI application: paths to pages, behind the door; it must not know what pages show."""

import logging
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from pipeline.audit.policy import AuditPolicy
from pipeline.identity.policy import Policy
from pipeline.limits import SESSION_MS
from pipeline.questions import QuestionRefused, Questions
from pipeline.report.web.access import EVERYTHING, Grant, Grants
from pipeline.report.web.forms import form_of
from pipeline.report.web.gate import COOKIE, HEADERS, Gate, Turned, now_ms, peer_of, same_origin
from pipeline.report.web.moments import Clock
from pipeline.report.web.pages import every
from pipeline.report.web.pages.naming import Keep, name_segment
from pipeline.report.web.pages.page import Asked, Page, WrongAddress
from pipeline.report.web.rendering import FOLDER, rendered
from pipeline.report.web.states import refused
from pipeline.settings import Settings
from pipeline.snippets import snippets
from pipeline.up.desk import Busy, Desk
from pipeline.up.query_socket import NobodyListens

ROOT = "/report"
_ZONE_COOKIE = "seamline_zone"
_CLOSED = (
    "This page is open to this machine alone, and this request came from elsewhere or through a proxy. "
    "Whoever runs this Seamline can set SEAMLINE_REPORT_TOKEN_FILE."
)
_log = logging.getLogger(__name__)


class ReportApp:
    """Every page. `ask` and `keep` (a segment's name) may block: they run on threads of our own, a few at once."""

    def __init__(self, settings: Settings, ask: Questions, grants: Grants, keep: Keep, alone: bool = False) -> None:
        self._gate = Gate(settings, grants)
        self._ask = ask
        self._keep = keep
        self._alone = alone
        self._sites = settings.sites.sites
        self._published = settings.sites.published
        self._desk = Desk()
        self._workspaces = sorted({site.workspace for site in self._sites})
        numbers = Policy(settings.stitch.lookback_ms, users_per_device_max=settings.stitch.users_per_device_max)
        self._policy = AuditPolicy(numbers)
        pages = [Route(f"{ROOT}/{{workspace}}/{path}", self._page(page)) for path, page in every.PAGES.items()]
        self._app = Starlette(
            routes=[
                Route("/", self._first),
                Route(ROOT, self._first),
                Route(f"{ROOT}/sign-in", self._sign_in, methods=["GET", "POST"]),
                Route(f"{ROOT}/sign-out", self._sign_out, methods=["POST"]),
                Mount(f"{ROOT}/static", StaticFiles(directory=str(FOLDER / "static"))),
                *pages,
                Route(f"{ROOT}/{{workspace}}/segments", self._name_segment, methods=["POST"]),
            ]
        )

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """One request: the door first, whatever the path."""
        request = Request(scope, receive)
        admitted = self._gate.admit(request.headers, request.cookies, peer_of(scope))
        path: str = scope["path"]
        if admitted is Turned.UNKNOWN_HOST:
            reply: Any = Response("This Seamline does not go by that name: see SEAMLINE_REPORT_HOSTS\n", 421)
        elif isinstance(admitted, Turned) and not path.startswith((f"{ROOT}/static/", f"{ROOT}/sign-in")):
            reply = self._door(request, path)
        else:
            scope["grant"] = admitted if isinstance(admitted, Grant) else None
            reply = self._app
        await reply(scope, receive, _with_headers(send, path))

    def close(self) -> None:
        """End the threads."""
        self._desk.close()

    def _door(self, request: Request, path: str) -> Response:
        if request.query_params.get("part") or path.endswith(".json"):
            return Response("sign in first\n", 401)
        return self._sign_in_page(path if path.startswith(f"{ROOT}/") else "", 401)

    def _sign_in_page(self, after: str, status: int, wrong: bool = False) -> Response:
        takes = self._gate.takes_tokens
        closed = _CLOSED if not self._gate.asks else "Sign in at the proxy in front of this page."
        values = {"title": "Sign in", "takes_tokens": takes, "closed": closed, "next": after, "wrong": wrong}
        return Response(rendered(Page("sign_in.html", values)), status if takes else 403, media_type="text/html")

    async def _first(self, request: Request) -> Response:
        for workspace in self._workspaces:
            if self._grant(request).opens(workspace):
                return RedirectResponse(f"{ROOT}/{workspace}/overview", 303)
        return _state("No workspace", "Your token opens none of this Seamline’s workspaces.", 404)

    def _grant(self, request: Request) -> Grant:
        grant: Grant | None = request.scope["grant"]
        assert grant is not None
        return grant

    async def _sign_in(self, request: Request) -> Response:
        if request.method == "GET":
            return self._sign_in_page("", 200)
        said = await form_of(request)
        if isinstance(said, Response):
            return said
        after = said.get("next", "")
        session = self._gate.signed_in(said.get("token", ""))
        if session is None:
            return self._sign_in_page(after, 401, wrong=True)
        reply = RedirectResponse(after if after.startswith(f"{ROOT}/") and "\\" not in after else "/", 303)
        secure = request.headers.get("x-forwarded-proto") == "https"
        age = SESSION_MS // 1_000
        reply.set_cookie(COOKIE, session, max_age=age, httponly=True, samesite="strict", secure=secure, path="/")
        return reply

    async def _sign_out(self, request: Request) -> Response:
        if not same_origin(request.headers):
            return Response("expected a form of this page\n", 403)
        reply = RedirectResponse(f"{ROOT}/sign-in", 303)
        reply.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
        return reply

    def _page(self, page: Callable[[Asked], Page]) -> Callable[[Request], Any]:
        async def answer(request: Request) -> Response:
            return await self._answer(request, page)

        return answer

    async def _name_segment(self, request: Request) -> Response:
        form = await form_of(request)
        if isinstance(form, Response):
            return form
        return await self._answer(request, lambda asked: name_segment(asked, form, self._keep))

    async def _answer(self, request: Request, page: Callable[[Asked], Page]) -> Response:
        workspace = request.path_params["workspace"]
        if workspace not in self._workspaces or not self._grant(request).opens(workspace):
            return _state("No such workspace", "There is none of this name that you may see.", 404)
        asked = self._asked(request, workspace)
        try:
            return await self._desk.work(self._made, page, asked, self._grant(request))
        except Busy:
            return _state("Many reports are being made", "This one would have to wait too long. Try again.", 503)

    def _asked(self, request: Request, workspace: str) -> Asked:
        return Asked(
            ask=self._ask,
            workspace=workspace,
            query=dict(request.query_params),
            clock=Clock(_zone(request.cookies.get(_ZONE_COOKIE, "")), now_ms()),
            policy=self._policy,
            path={name: str(text) for name, text in request.path_params.items()},
            pastes=self._pastes(workspace, f"{request.url.scheme}://{request.headers.get('host', '')}"),
            sites=tuple(sorted({site.site_id for site in self._sites if site.workspace == workspace})),
            sees_all=self._grant(request).workspace == EVERYTHING,
        )

    def _pastes(self, workspace: str, url: str) -> tuple[tuple[str, str], ...]:
        """For the sites of a workspace; where no ingest listens beside this page, the address is left to the reader."""
        sites = [site for site in self._published if site.site.workspace == workspace]
        address = "https://YOUR-INGEST" if self._alone else url
        return tuple((paste.title, paste.text) for site in sites[:1] for paste in snippets(site, address))

    def _made(self, page: Callable[[Asked], Page], asked: Asked, grant: Grant) -> Response:
        """On a thread: the warehouse's answers, and the text made of them."""
        try:
            made = page(asked)
        except (QuestionRefused, NobodyListens, WrongAddress) as error:
            made = refused(error, asked)
        if made.location:
            return RedirectResponse(made.location, 303)
        if made.template == "live.json":
            return Response(made.values["json"], media_type="application/json")
        if made.template == "audience.csv":
            given = {"content-disposition": 'attachment; filename="audience.csv"'}
            return Response(made.values["csv"], headers=given, media_type="text/csv")
        seen = [name for name in self._workspaces if grant.opens(name)]
        values = {"workspaces": seen, "signs_out": bool(grant.token), **made.values}
        return Response(rendered(Page(made.template, values)), made.status, media_type="text/html")


def _state(title: str, said: str, status: int) -> Response:
    values = {"title": title, "heading": title, "said": said, "link": "/", "link_words": "To the overview"}
    return Response(rendered(Page("state.html", values)), status, media_type="text/html")


def _zone(text: str) -> ZoneInfo:
    """The viewer's, as the page's script noted it; UTC until then."""
    try:
        return ZoneInfo(text.replace("%2F", "/")) if text else ZoneInfo("UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def _with_headers(send: Any, path: str) -> Any:
    """Every reply, the door's and errors too, says how browsers have to treat it."""
    extra = dict(HEADERS)
    if path.startswith(f"{ROOT}/static/"):
        extra["cache-control"] = "no-cache"
    added = [(name.encode(), value.encode()) for name, value in extra.items()]

    async def sending(message: Any) -> None:
        if message["type"] == "http.response.start":
            names = {name for name, _ in added}
            kept = [(name, value) for name, value in message.get("headers", []) if name.lower() not in names]
            message = {**message, "headers": [*kept, *added]}
        await send(message)

    return sending
