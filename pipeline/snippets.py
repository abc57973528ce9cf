"""What to paste so that a tracker sends here, for one site and each protocol it has; it must not know any request."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from msgspec import Struct

from pipeline.sites import Published

_NO_KEY = "YOUR_PAGE_KEY"  # the sites file holds only its digest


class Snippet(Struct, frozen=True):
    """For whom, and the text."""

    title: str
    text: str


def snippets(site: Published, url: str) -> Iterator[Snippet]:
    """Everything this site can be reached by, at `url` (scheme and host, no slash at the end)."""
    key = site.key or _NO_KEY
    yield Snippet("Seamline's own script", f'<script defer src="{url}/seamline.js" data-key="{key}"></script>')
    yield Snippet("Contentsquare: your _uxa calls stay, the tag changes", _contentsquare(url, key))
    yield Snippet("your own code", _curl(url, key))
    if site.idsite:
        yield Snippet("Matomo: matomo.js", _matomo(url, site.idsite))
        yield Snippet("Matomo: any SDK", f"tracker URL {url}/matomo.php, site ID {site.idsite}")
    for uuid, name in site.events:
        yield Snippet(f"MetricsWave: {name}", f'<script defer src="{url}/js/visits.js" event-uuid="{uuid}"></script>')
        yield Snippet(f"MetricsWave: {name}, from a server", f"curl '{url}/webhooks/{uuid}?user=USER_ID'")
    yield from _write_keys(url, key)
    if site.app_id:
        yield Snippet("Snowplow: browser", f"newTracker('sp', '{url}', {{ appId: '{site.app_id}' }});")
    if site.website:
        yield Snippet("Umami: Node.js", f"umami.init({{ websiteId: '{site.website}', hostUrl: '{url}' }});")
        yield Snippet("Umami: Python", f"umami.set_url_base('{url}'); umami.set_website_id('{site.website}')")
    if site.domain:
        told = f"{{ domain: '{site.domain}', endpoint: '{url}/api/event' }}"
        yield Snippet("Plausible: @plausible-analytics/tracker", f"init({told});")


def _write_keys(url: str, key: str) -> Iterator[Snippet]:
    """The SDKs whose write key or project token is the site's page key."""
    options = f"{{'Segment.io': {{ apiHost: '{urlsplit(url).netloc}/v1', protocol: '{urlsplit(url).scheme}' }}}}"
    browser = f"AnalyticsBrowser.load({{ writeKey: '{key}', cdnURL: '{url}' }},\n  {{ integrations: {options} }});"
    yield Snippet("Segment: browser", browser)
    yield Snippet("Segment: Node.js", f"new Analytics({{ writeKey: '{key}', host: '{url}' }});")
    yield Snippet("Segment: Python", f"analytics.write_key = '{key}'; analytics.host = '{url}'")
    yield Snippet("RudderStack: Node.js", f"new Analytics('{key}', {{ dataPlaneUrl: '{url}' }});")
    yield Snippet("RudderStack: Python", f"analytics.write_key = '{key}'; analytics.dataPlaneUrl = '{url}'")
    yield Snippet("PostHog: browser", f"posthog.init('{key}', {{ api_host: '{url}' }});")
    yield Snippet("PostHog: Python", f"Posthog('{key}', host='{url}')")
    yield Snippet("PostHog: Node.js", f"new PostHog('{key}', {{ host: '{url}' }});")


def _contentsquare(url: str, key: str) -> str:
    return (
        "<script>window._uxa = window._uxa || [];</script>\n"
        f'<script defer src="{url}/seamline.js" data-key="{key}"></script>'
    )


def _curl(url: str, key: str) -> str:
    hit = '[{"type": "page", "anonymous_id": "DEVICE_ID", "url": "https://shop.example/"}]'
    return f"curl {url}/v1/hits -H 'Authorization: Bearer {key}' -d '{hit}'"


def _matomo(url: str, idsite: int) -> str:
    return f"_paq.push(['setTrackerUrl', '{url}/matomo.php']);\n_paq.push(['setSiteId', '{idsite}']);"
