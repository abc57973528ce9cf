"""Which sites there are, whom their keys belong to and what their policy says; it must not know where the file is.

Keys are found by their SHA-256 digests: how long a look-up takes says nothing about the key. Of a secret key nothing
else is kept; a page key stands in every visitor's browser, and here for those who ask what to paste.
"""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from pipeline.identity.ids import BannedIds
from pipeline.protocols.pseudonyms import KEY_BYTES_MIN, Pseudonyms

NATIVE, MATOMO, MATOMO_TOKEN, METRICSWAVE = "native", "matomo", "matomo_token", "metricswave"
SNOWPLOW, UMAMI, PLAUSIBLE = "snowplow", "umami", "plausible"
_HASHED = re.compile(r"sha256:([0-9a-f]{64})")

Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
PageKey = Annotated[str, Meta(min_length=1, max_length=255)]
SecretKey = Annotated[str, Meta(min_length=16, max_length=255)]
EventUuid = Annotated[str, Meta(pattern=r"^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$")]


class SitesError(ValueError):
    """The sites file says something odd. The text names the place and what was expected, never a key."""


class SitePolicy(Struct, frozen=True):
    """What a site does with hits it could take. A refused hit is counted under the name of the policy."""

    dnt: bool = False
    gpc: bool = True
    bots: Literal["keep", "refuse"] = "keep"
    ip: Literal["truncate", "drop"] = "truncate"
    page_aliases: bool = False  # whether a key that anyone can read may say that two users are one
    banned: BannedIds = BannedIds()
    pseudonyms: Pseudonyms | None = None


class Site(Struct, frozen=True):
    """One tracked website or app. No `origins` means any."""

    workspace: str
    site_id: str
    origins: frozenset[str] = frozenset()
    policy: SitePolicy = SitePolicy()


class Access(Struct, frozen=True):
    """What a key opens: a site, and whether its holder is a server (`secret`) or anyone who reads a page's source."""

    site: Site
    secret: bool = False
    event: str = ""  # MetricsWave: the name configured for the event's UUID
    required: tuple[str, ...] = ()  # MetricsWave: parameters without which the event is refused


class Published(Struct, frozen=True):
    """What of a site may stand in a page's source: the first page key, and the site's name in each protocol. "" or
    nothing where it has none, or where the file holds only the key's digest."""

    site: Site
    key: str = ""
    idsite: int = 0
    events: tuple[tuple[str, str], ...] = ()  # MetricsWave: UUID and name
    app_id: str = ""
    website: str = ""
    domain: str = ""

    def __repr__(self) -> str:
        """Without the key: settings and errors are printed."""
        return f"Published({self.site.workspace}/{self.site.site_id})"


class Sites(Struct, frozen=True):
    """Every site and every key, by protocol and digest."""

    sites: tuple[Site, ...]
    access: Mapping[tuple[str, bytes], Access]
    published: tuple[Published, ...] = ()

    def find(self, protocol: str, key: str) -> Access | None:
        """What the key opens in that protocol, or None."""
        return self.access.get((protocol, _digest(key)))


@lru_cache(maxsize=1_024)
def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


# --- the file's shape ------------------------------------------------------------------------------------------------


class _KeyEntry(Struct, frozen=True, forbid_unknown_fields=True):
    key_id: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,16}$")]
    key_file: str


class _PseudonymsEntry(Struct, frozen=True, forbid_unknown_fields=True):
    key_id: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,16}$")]
    key_file: str
    fields: tuple[Literal["user_id", "anonymous_id"], ...] = ("user_id",)
    previous: _KeyEntry | None = None  # the key before, while both live


class _PolicyEntry(Struct, frozen=True, forbid_unknown_fields=True):
    dnt: bool = False
    gpc: bool = True
    bots: Literal["keep", "refuse"] = "keep"
    ip: Literal["truncate", "drop"] = "truncate"
    page_aliases: bool = False
    illegal_ids: tuple[str, ...] = ()
    illegal_id_patterns: tuple[str, ...] = ()
    pseudonyms: _PseudonymsEntry | None = None


class _NativeEntry(Struct, frozen=True, forbid_unknown_fields=True):
    page_keys: tuple[PageKey, ...] = ()
    secret_keys: tuple[SecretKey, ...] = ()


class _MatomoEntry(Struct, frozen=True, forbid_unknown_fields=True):
    idsite: Annotated[int, Meta(gt=0)]
    token_auth: tuple[SecretKey, ...] = ()


class _EventEntry(Struct, frozen=True, forbid_unknown_fields=True):
    name: Annotated[str, Meta(min_length=1, max_length=255)]
    required: tuple[str, ...] = ()


class _MetricsWaveEntry(Struct, frozen=True, forbid_unknown_fields=True):
    events: dict[EventUuid, str | _EventEntry]


class _SnowplowEntry(Struct, frozen=True, forbid_unknown_fields=True):
    app_ids: tuple[PageKey, ...]


class _UmamiEntry(Struct, frozen=True, forbid_unknown_fields=True):
    website: EventUuid


class _PlausibleEntry(Struct, frozen=True, forbid_unknown_fields=True):
    domains: tuple[PageKey, ...]


class _SiteEntry(Struct, frozen=True, forbid_unknown_fields=True):
    workspace: Name
    site: Name
    origins: tuple[Annotated[str, Meta(pattern=r"^[a-z][a-z0-9+.-]*://[^/\s]+$")], ...] = ()
    policy: _PolicyEntry = _PolicyEntry()
    native: _NativeEntry = _NativeEntry()
    matomo: _MatomoEntry | None = None
    metricswave: _MetricsWaveEntry | None = None
    snowplow: _SnowplowEntry | None = None
    umami: _UmamiEntry | None = None
    plausible: _PlausibleEntry | None = None


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    sites: Annotated[tuple[_SiteEntry, ...], Meta(min_length=1)]


def no_keys(path: str) -> bytes:
    """For sites files without key files."""
    raise SitesError(f"no key file can be read here: {path}")


def parse_sites(document: Any, read_key: Callable[[str], bytes] = no_keys) -> Sites:
    """The sites of a parsed YAML document; `read_key` gives a key file's bytes or raises OSError. Raises SitesError."""
    try:
        entries = msgspec.convert(document, _File).sites
    except msgspec.ValidationError as error:
        raise SitesError(str(error)) from None
    sites: list[Site] = []
    access: dict[tuple[str, bytes], Access] = {}
    for index, entry in enumerate(entries):
        site = Site(entry.workspace, entry.site, frozenset(entry.origins), _policy(entry.policy, index, read_key))
        if any(site.site_id == other.site_id and site.workspace == other.workspace for other in sites):
            raise SitesError(f"site {entry.workspace}/{entry.site} is listed twice - at `$.sites[{index}]`")
        sites.append(site)
        for protocol, digest, opened, place in _keys(entry, site):
            if (protocol, digest) in access:
                raise SitesError(f"this key is used twice - at `$.sites[{index}].{place}`")
            access[protocol, digest] = opened
    return Sites(tuple(sites), access, tuple(map(_published, entries, sites)))


def _published(entry: _SiteEntry, site: Site) -> Published:
    events = entry.metricswave.events.items() if entry.metricswave else ()
    return Published(
        site,
        next((key for key in entry.native.page_keys if not _HASHED.fullmatch(key)), ""),
        entry.matomo.idsite if entry.matomo else 0,
        tuple((uuid, event if isinstance(event, str) else event.name) for uuid, event in events),
        next(iter(entry.snowplow.app_ids), "") if entry.snowplow else "",
        entry.umami.website if entry.umami else "",
        next(iter(entry.plausible.domains), "") if entry.plausible else "",
    )


def _policy(entry: _PolicyEntry, index: int, read_key: Callable[[str], bytes]) -> SitePolicy:
    patterns = []
    for position, text in enumerate(entry.illegal_id_patterns):
        try:
            patterns.append(re.compile(text))
        except re.error as error:
            place = f"$.sites[{index}].policy.illegal_id_patterns[{position}]"
            raise SitesError(f"not a regular expression: {error} - at `{place}`") from None
    texts = frozenset(text.strip().casefold() for text in entry.illegal_ids)
    banned = BannedIds(texts, tuple(patterns))
    keys = None if entry.pseudonyms is None else _pseudonyms(entry.pseudonyms, index, read_key)
    return SitePolicy(entry.dnt, entry.gpc, entry.bots, entry.ip, entry.page_aliases, banned, keys)


def _pseudonyms(entry: _PseudonymsEntry, index: int, read_key: Callable[[str], bytes]) -> Pseudonyms:
    place, fields = f"$.sites[{index}].policy.pseudonyms", frozenset(entry.fields)
    previous = None
    if entry.previous is not None:
        if entry.previous.key_id == entry.key_id:
            raise SitesError(f"expected another key_id than the new key's - at `{place}.previous.key_id`")
        key = _key(entry.previous.key_file, f"{place}.previous.key_file", read_key)
        previous = Pseudonyms(entry.previous.key_id, key, fields)
    return Pseudonyms(entry.key_id, _key(entry.key_file, f"{place}.key_file", read_key), fields, previous)


def _key(path: str, place: str, read_key: Callable[[str], bytes]) -> bytes:
    """All of the file but white space around it."""
    try:
        key = read_key(path).strip()
    except OSError as error:
        raise SitesError(f"cannot read {path}: {error.strerror} - at `{place}`") from None
    if len(key) < KEY_BYTES_MIN:
        raise SitesError(f"expected a key of at least {KEY_BYTES_MIN} bytes - at `{place}`")
    return key


def _stored(key: str) -> bytes:
    """A key is written as itself or as `sha256:` and its digest in hex."""
    hashed = _HASHED.fullmatch(key)
    return bytes.fromhex(hashed[1]) if hashed else _digest(key)


def _keys(entry: _SiteEntry, site: Site) -> Iterator[tuple[str, bytes, Access, str]]:
    """(protocol, digest, what it opens, where it stands) of every key of a site."""
    for position, key in enumerate(entry.native.page_keys):
        yield NATIVE, _stored(key), Access(site), f"native.page_keys[{position}]"
    for position, key in enumerate(entry.native.secret_keys):
        yield NATIVE, _stored(key), Access(site, secret=True), f"native.secret_keys[{position}]"
    if entry.matomo is not None:
        yield MATOMO, _digest(str(entry.matomo.idsite)), Access(site), "matomo.idsite"
        for position, token in enumerate(entry.matomo.token_auth):
            # A token may open several sites: its digest is bound to the site it stands under.
            bound = _digest(f"{entry.matomo.idsite}:{_stored(token).hex()}")
            yield MATOMO_TOKEN, bound, Access(site, secret=True), f"matomo.token_auth[{position}]"
    for uuid, event in (entry.metricswave.events if entry.metricswave else {}).items():
        named = _EventEntry(event) if isinstance(event, str) else event
        opened = Access(site, event=named.name, required=named.required)
        yield METRICSWAVE, _digest(uuid.lower()), opened, f"metricswave.events.{uuid}"
    for position, app_id in enumerate(entry.snowplow.app_ids if entry.snowplow else ()):
        yield SNOWPLOW, _digest(app_id), Access(site), f"snowplow.app_ids[{position}]"
    if entry.umami is not None:
        yield UMAMI, _digest(entry.umami.website.lower()), Access(site), "umami.website"
    for position, domain in enumerate(entry.plausible.domains if entry.plausible else ()):
        yield PLAUSIBLE, _digest(domain.lower()), Access(site), f"plausible.domains[{position}]"


def matomo_token_key(idsite: str, token: str) -> str:
    """What `find(MATOMO_TOKEN, ...)` wants for a token sent with a request for that site."""
    return f"{idsite}:{_digest(token).hex()}"


def default_sites() -> Sites:
    """One site for a first look on loopback: what `seamline up` serves without a sites file."""
    uuid = "00000000-0000-4000-8000-000000000001"
    return parse_sites(
        {
            "sites": [
                {
                    "workspace": "demo",
                    "site": "demo",
                    "native": {"page_keys": ["demo"]},
                    "matomo": {"idsite": 1},
                    "metricswave": {"events": {uuid: "visit"}},
                    "snowplow": {"app_ids": ["demo"]},
                    "umami": {"website": uuid},
                    "plausible": {"domains": ["demo"]},
                    "policy": {"page_aliases": True},
                }
            ]
        }
    )
