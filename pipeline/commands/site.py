"""Commands about the sites file: what to paste, how an ID is hidden; they must not know who sends."""

import argparse
import sys

from pipeline.commands.words import Words
from pipeline.settings import Settings


def add(words: Words) -> None:
    """`trackers`, `pseudonym`."""
    hidden = words.add("pseudonym", _pseudonym, "a user ID as a site's key hides it, to look a person up", "sites")
    hidden.add_argument("user_id")
    hidden.add_argument("--site", help="which site's key (default: the only site's)")
    trackers = words.add("trackers", _trackers, "what to paste so that a tracker sends here", "host", "port", "sites")
    trackers.add_argument("--site", help="only this site (default: all of them)")
    trackers.add_argument("--url", help="how trackers reach this place (default: what ingest listens on)")


def _trackers(arguments: argparse.Namespace, settings: Settings) -> int:
    """1 when there is no such site."""
    from pipeline.snippets import snippets

    url = (arguments.url or f"http://{settings.ingest.host}:{settings.ingest.port}").rstrip("/")
    chosen = [p for p in settings.sites.published if arguments.site in (None, p.site.site_id)]
    for published in chosen:
        print(f"# workspace {published.site.workspace}, site {published.site.site_id}")
        for snippet in snippets(published, url):
            print(f"\n## {snippet.title}\n{snippet.text}")
        print()
    if not chosen:
        print(f"--site: expected a site of the sites file, got {arguments.site!r}", file=sys.stderr)
    return 0 if chosen else 1


def _pseudonym(arguments: argparse.Namespace, settings: Settings) -> int:
    """1 when there is no such site, or its user IDs are what they are."""
    from pipeline.protocols.pseudonyms import pseudonym

    found = [s for s in settings.sites.sites if arguments.site in (None, s.site_id)]
    if len(found) != 1 or found[0].policy.pseudonyms is None:
        print("--site: expected one site with `pseudonyms` in its policy", file=sys.stderr)
        return 1
    print(pseudonym(found[0].policy.pseudonyms, found[0].workspace, "user_id", arguments.user_id.strip()))
    return 0
