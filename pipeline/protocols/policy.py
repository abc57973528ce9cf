"""Which hits a site's policy refuses, by name; it must not know any wire format.

A refusal is answered like a success: a tracker is never punished for what its site decided.
"""

from pipeline.protocols.request import Agent, Request
from pipeline.sites import Site


def refusal(request: Request, site: Site, agent: Agent, bots_wanted: bool = False) -> str:
    """The name of the policy that refuses this request for this site, or ""."""
    headers, policy = request.headers, site.policy
    if policy.dnt and (headers.get(b"dnt") == b"1" or headers.get(b"x-do-not-track") == b"1"):
        return "dnt"
    if policy.gpc and headers.get(b"sec-gpc") == b"1":
        return "gpc"
    if policy.bots == "refuse" and agent.bot and not bots_wanted:
        return "bot"
    if site.origins and b"origin" in headers and request.header(b"origin").lower() not in site.origins:
        return "origin"
    return "prefetch" if _prefetch(request) else ""


def _prefetch(request: Request) -> bool:
    """A browser fetching a page that nobody has seen yet."""
    headers = request.headers
    return (
        headers.get(b"x-moz") == b"prefetch"
        or headers.get(b"x-purpose") in (b"preview", b"instant")
        or b"prefetch" in headers.get(b"sec-purpose", b"")
    )
