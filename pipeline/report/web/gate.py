"""The door of the report page: which Host, whose session, what every reply says; it must not know any page.

A request that came through a proxy is nobody's until somebody signs in: the proxy's address is loopback's, its visitor
is not. Nothing here answers a preflight, and no reply names another origin: reports are for their own page alone.
"""

import logging
import time
from collections.abc import Mapping
from enum import Enum
from typing import Any
from urllib.parse import urlsplit

from pipeline.ingest.addresses import Proxies
from pipeline.report.web.access import EVERYTHING, Grant, Grants, bare_host, is_loopback
from pipeline.settings import Settings

COOKIE = "seamline_session"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",  # persons are on it
}
_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "via")
_log = logging.getLogger(__name__)


class Turned(Enum):
    """Why somebody is not let in."""

    UNKNOWN_HOST = "unknown host"
    SIGN_IN = "sign in"
    CLOSED = "closed"  # nobody can: there are no tokens


class CannotOpen(Exception):
    """The page would be open to the network. The text says what to set."""


class Gate:
    """Decides about requests by their headers and peer. `grants`: the tokens; empty where there are none."""

    def __init__(self, settings: Settings, grants: Grants) -> None:
        self._grants = grants
        self._header = settings.report.user_header
        self._proxies = Proxies(settings.ingest.trusted_proxies)
        self._has_proxies = bool(settings.ingest.trusted_proxies)
        self._hosts = frozenset((*settings.report.hosts, settings.ingest.host)) - {"0.0.0.0", "::"}  # noqa: S104 (left out)
        self.check(settings)

    def check(self, settings: Settings) -> None:
        """Raises CannotOpen where anybody on the network could look."""
        if self._header and not self._has_proxies:
            raise CannotOpen(
                "SEAMLINE_REPORT_USER_HEADER: expected SEAMLINE_TRUSTED_PROXIES too, or anybody could say it"
            )
        if not is_loopback(settings.ingest.host) and not self.asks:
            raise CannotOpen(
                f"SEAMLINE_HOST: {settings.ingest.host} is more than this machine, and anybody could read reports: "
                "set SEAMLINE_REPORT_TOKEN_FILE, or SEAMLINE_REPORT_USER_HEADER and SEAMLINE_TRUSTED_PROXIES"
            )

    @property
    def asks(self) -> bool:
        """Whether anybody has to sign in here."""
        return bool(self._grants or self._header)

    @property
    def takes_tokens(self) -> bool:
        """Whether there is anything to type."""
        return bool(self._grants)

    def admit(self, headers: Mapping[str, str], cookies: Mapping[str, str], peer: str) -> Grant | Turned:
        """What this request may see, or why not."""
        host = bare_host(headers.get("host", ""))
        if not (is_loopback(host) or host in self._hosts):
            return Turned.UNKNOWN_HOST
        if self._header and headers.get(self._header, "").strip() and self._proxies.trusts(peer):
            return Grant(token="", workspace=EVERYTHING)
        grant = self._grants.of_session(cookies.get(COOKIE, ""), now_ms())
        if grant is not None:
            return grant
        if self.asks:
            return Turned.SIGN_IN if self._grants else Turned.CLOSED
        if is_loopback(peer) and not any(name in headers for name in _FORWARDED):
            return Grant(token="", workspace=EVERYTHING)
        return Turned.CLOSED

    def signed_in(self, token: str) -> str | None:
        """A session for this token, or None."""
        grant = self._grants.find(token)
        if grant is None:
            _log.warning("a token that is none was tried on the report page")
            return None
        return self._grants.session(grant, now_ms())


def same_origin(headers: Mapping[str, str]) -> bool:
    """Whether a form was sent by our own page: the browser says where it comes from, and nobody else can."""
    origin = headers.get("origin", "")
    if origin and origin != "null":
        return urlsplit(origin).netloc == headers.get("host", "")
    return headers.get("sec-fetch-site") == "same-origin"


def now_ms() -> int:
    """Epoch milliseconds."""
    return int(time.time() * 1_000)


def peer_of(scope: Mapping[str, Any]) -> str:
    """The address at the other end of the connection."""
    client = scope.get("client")
    return str(client[0]) if client else ""
