"""Where the policy hides user IDs, none leaves ingest as itself, and one person has one pseudonym in every tracker."""

import hashlib
import hmac
import json
from typing import Any

import msgspec
import pytest

from pipeline.protocols.aliases import renaming
from pipeline.protocols.pseudonyms import Pseudonyms, pseudonym
from pipeline.sites import Sites, SitesError, parse_sites
from tests.protocols.build import NOW_MS, SECRET, TOKEN, UUID, answer, request
from tests.protocols.speakers import SPEAKERS, Sent, Speaker

KEY = b"0123456789abcdef0123456789abcdef"
USER = "alice@shop.example"


def _sites(fields: tuple[str, ...] = ("user_id",), key: bytes = KEY) -> Sites:
    entry: dict[str, Any] = {
        "workspace": "shop",
        "site": "web",
        "native": {"page_keys": ["page-key"], "secret_keys": [SECRET]},
        "matomo": {"idsite": 1, "token_auth": [TOKEN]},
        "metricswave": {"events": {UUID: "visit"}},
        "snowplow": {"app_ids": ["shop-web"]},
        "umami": {"website": UUID},
        "plausible": {"domains": ["shop.example"]},
        "policy": {"pseudonyms": {"key_id": "k1", "key_file": "/run/key", "fields": list(fields)}},
    }
    return parse_sites({"sites": [entry]}, lambda path: key + b"\n")


def _by_hand(workspace: str, field: str, value: str) -> str:
    text = b"seamline/pseudonym/1\0" + workspace.encode() + b"\0" + field.encode() + b"\0" + value.encode()
    return "k1:" + hmac.new(KEY, text, hashlib.sha256).hexdigest()


@pytest.mark.parametrize("speaker", SPEAKERS, ids=lambda s: s.name)
def test_no_tracker_lets_a_user_id_through(speaker: Speaker) -> None:
    """The whole hit as it goes to the log holds the pseudonym, the same one for all, and nowhere the ID."""
    for kind in ("login", "page"):
        sent = Sent("0123456789abcdef", kind, USER, NOW_MS, NOW_MS, NOW_MS, 1)
        for hit in answer(speaker.say(sent), _sites()).hits:
            assert USER.encode() not in msgspec.json.encode(hit)
            assert hit.user_id in ("", _by_hand("shop", "user_id", USER))
            assert kind == "page" or hit.user_id


def test_anonymous_ids_are_hidden_where_asked() -> None:
    """And the device, which partitions the log, is the hidden one's."""
    body = json.dumps({"type": "page", "anonymous_id": "laptop", "event_id": "e"}).encode()
    [hit] = answer(request("POST", "/v1/hits", "key=page-key", body), _sites(("anonymous_id",))).hits

    assert _by_hand("shop", "anonymous_id", "laptop") == hit.anonymous_id
    assert f"d:{hit.anonymous_id}" == hit.device


def test_an_alias_joins_pseudonyms() -> None:
    """Both of its IDs."""
    message = {"userId": USER, "previousId": "alice", "messageId": "m", "writeKey": SECRET}
    [alias] = answer(request("POST", "/v1/alias", "", json.dumps(message).encode()), _sites()).aliases

    assert [_by_hand("shop", "user_id", user) for user in (USER, "alice")] == [alias.user_id, alias.previous_id]


def test_a_user_is_joined_to_who_they_were_under_the_key_before() -> None:
    """While both keys live; by a statement that is the same whoever makes it, so that repeating it adds nothing."""
    keys = {"/run/new": KEY, "/run/old": b"f" * 32}
    policy = {"key_id": "k1", "key_file": "/run/new", "previous": {"key_id": "k0", "key_file": "/run/old"}}
    entry = {
        "workspace": "shop",
        "site": "web",
        "native": {"page_keys": ["page-key"]},
        "policy": {"pseudonyms": policy},
    }
    sites = parse_sites({"sites": [entry]}, keys.__getitem__)
    old = pseudonym(Pseudonyms("k0", b"f" * 32), "shop", "user_id", USER)
    body = json.dumps({"type": "identify", "user_id": USER, "anonymous_id": "laptop"}).encode()
    named, again = (answer(request("POST", "/v1/hits", "key=page-key", body), sites).hits[0] for _ in range(2))

    assert (old, _by_hand("shop", "user_id", USER)) == (named.former_id, named.user_id)
    assert renaming(named) == renaming(again)
    assert (named.user_id, old, "secret") == (
        renaming(named).user_id,
        renaming(named).previous_id,
        renaming(named).authority,
    )
    with pytest.raises(SitesError, match="another key_id"):
        policy["previous"] = {"key_id": "k1", "key_file": "/run/old"}
        parse_sites({"sites": [entry]}, keys.__getitem__)


def test_an_illegal_id_gets_no_pseudonym() -> None:
    """Hidden, `null` would look like somebody."""
    body = json.dumps({"type": "page", "user_id": "null"}).encode()

    assert "" == answer(request("POST", "/v1/hits", "key=page-key", body), _sites()).hits[0].user_id


def test_workspaces_and_fields_have_pseudonyms_of_their_own() -> None:
    """Nobody can follow a person from one customer to another."""
    keys = Pseudonyms("k1", KEY, frozenset({"user_id", "anonymous_id"}))
    made = {pseudonym(keys, workspace, which, "x") for workspace in "ab" for which in ("user_id", "anonymous_id")}  # type: ignore[arg-type]

    assert 4 == len(made)
    assert ("x", "") == (pseudonym(None, "a", "user_id", "x"), pseudonym(keys, "a", "user_id", ""))


def test_a_short_or_missing_key_is_named_and_never_printed() -> None:
    """Before the first hit."""
    with pytest.raises(SitesError, match="at least 32 bytes"):
        _sites(key=b"short")
    with pytest.raises(SitesError, match="no key file can be read"):
        parse_sites(
            {"sites": [{"workspace": "w", "site": "s", "policy": {"pseudonyms": {"key_id": "a", "key_file": "f"}}}]}
        )

    assert KEY.decode() not in repr(_sites().sites)
