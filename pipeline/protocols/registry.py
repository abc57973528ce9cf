"""Which protocol a path belongs to: the one list of tracker families; it must not know what they say."""

from pipeline.protocols import matomo, metricswave, native, plausible, posthog, segment, snowplow, umami
from pipeline.protocols.request import Protocol

PROTOCOLS: tuple[Protocol, ...] = (
    native.PROTOCOL,
    matomo.PROTOCOL,
    metricswave.PROTOCOL,
    *segment.PROTOCOLS,
    *posthog.PROTOCOLS,
    snowplow.PROTOCOL,
    umami.PROTOCOL,
    plausible.PROTOCOL,
)

_BY_PATH = {path: protocol for protocol in PROTOCOLS for path in protocol.paths}
_BY_SUFFIX = {suffix: protocol for protocol in PROTOCOLS for suffix in protocol.suffixes}
_BY_PREFIX = {prefix: protocol for protocol in PROTOCOLS for prefix in protocol.prefixes}

assert all(suffix.rindex("/") == 0 for suffix in _BY_SUFFIX), "a suffix is one whole last segment"
assert all(prefix.endswith("/") for prefix in _BY_PREFIX), "a prefix is whole segments"


def protocol_at(path: str) -> Protocol | None:
    """The protocol that answers at this path (decoded, without the query), or None."""
    exact = _BY_PATH.get(path)
    if exact is not None:
        return exact
    head, slash, last = path.rpartition("/")
    return _BY_SUFFIX.get(slash + last) or (_BY_PREFIX.get(head + slash) if last else None)
