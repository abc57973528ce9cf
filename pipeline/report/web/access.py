"""Who may see which workspaces: tokens, sessions, and what a proxy says; it must not read files or know HTTP."""

import hashlib
import hmac
from collections.abc import Iterable, Iterator
from ipaddress import ip_address

from msgspec import Struct

from pipeline.limits import SESSION_MS, TOKEN_CHARS_MIN

EVERYTHING = "*"
_MARK_CHARS = 16  # of a token's digest in its sessions: enough to find it, nothing to sign in with


class TokensError(ValueError):
    """The file of tokens says something odd. The text names the line and what was expected, never a token."""


class Grant(Struct, frozen=True):
    """A token, and the workspace it opens; `*` opens all."""

    token: str
    workspace: str = EVERYTHING

    def __repr__(self) -> str:
        """Without the token."""
        return f"Grant({self.workspace!r})"

    @property
    def mark(self) -> str:
        """What sessions call it."""
        return hashlib.sha256(b"mark:" + self.token.encode()).hexdigest()[:_MARK_CHARS]

    def opens(self, workspace: str) -> bool:
        """Whether its holder may see that workspace."""
        return self.workspace in (EVERYTHING, workspace)


class Grants:
    """Every token. Sessions are signed with the token itself: taking it out of the file ends them."""

    def __init__(self, grants: Iterable[Grant]) -> None:
        self._grants = tuple(grants)

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self._grants)

    def find(self, token: str) -> Grant | None:
        """The grant of a token somebody typed. Every token is compared, each in the same time."""
        digest = hashlib.sha256(token.strip().encode("utf-8", "surrogatepass")).digest()
        found = None
        for grant in self._grants:
            if hmac.compare_digest(digest, hashlib.sha256(grant.token.encode()).digest()):
                found = grant
        return found

    def session(self, grant: Grant, now_ms: int) -> str:
        """A session's text: `mark.until.signature`."""
        said = f"{grant.mark}.{now_ms + SESSION_MS}"
        return f"{said}.{_signature(grant, said)}"

    def of_session(self, text: str, now_ms: int) -> Grant | None:
        """The grant behind a session, if it is one of ours, not over, and its token still stands."""
        said, _, signature = text.rpartition(".")
        mark, _, until = said.partition(".")
        if not (until.isascii() and until.isdigit() and len(until) < 20 and now_ms < int(until)):
            return None
        for grant in self._grants:
            expected = _signature(grant, said).encode()
            if grant.mark == mark and hmac.compare_digest(expected, signature.encode("utf-8", "surrogatepass")):
                return grant
        return None


def _signature(grant: Grant, said: str) -> str:
    return hmac.new(b"session:" + grant.token.encode(), said.encode(), hashlib.sha256).hexdigest()


def parse_tokens(text: str, workspaces: Iterable[str]) -> Grants:
    """The grants of a file: a line `TOKEN` opens everything, `WORKSPACE TOKEN` that one. Raises TokensError."""
    return Grants(_lines(text, frozenset(workspaces)))


def _lines(text: str, workspaces: frozenset[str]) -> Iterator[Grant]:
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) > 2:
            raise TokensError(f"line {number}: expected `TOKEN` or `WORKSPACE TOKEN`, got {len(words)} words")
        if len(words[-1]) < TOKEN_CHARS_MIN:
            raise TokensError(f"line {number}: expected a token of at least {TOKEN_CHARS_MIN} characters")
        if len(words) == 2 and words[0] not in workspaces:
            raise TokensError(f"line {number}: expected a workspace of the sites file, got {words[0]!r}")
        yield Grant(words[-1], words[0] if len(words) == 2 else EVERYTHING)


def is_loopback(host: str) -> bool:
    """Whether nobody beyond this machine can reach an address, or be it."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def bare_host(host: str) -> str:
    """A Host header without its port: `[::1]:8080` is `::1`."""
    host = host.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]
