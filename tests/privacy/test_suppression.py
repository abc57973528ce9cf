"""Whoever was forgotten is recognised by hashes, in their workspace alone; of a login only its time stays."""

import base64
from pathlib import Path

import msgspec
import pytest

from pipeline.log.port import ALIASES
from pipeline.model import Alias, Hit
from pipeline.privacy.keys import NoKey, erasure_key
from pipeline.privacy.lines import Forgotten, names_her, rewritten
from pipeline.privacy.suppression import Suppression, device_hash, nameless, user_hash
from pipeline.sites import parse_sites
from pipeline.times import iso, ms_of
from tests.support.fake_log import FakeLog
from tests.support.http_server import hits_in, post_hits, running

KEY = b"k" * 32
NOON = "2026-09-01T12:00:00.000Z"


def hit(minute: float = 0, *, user: str = "", device: str = "tablet", workspace: str = "shop") -> Hit:
    ts = iso(ms_of(NOON) + round(minute * 60_000))
    return Hit(
        workspace=workspace, site_id="web", event_id=f"{device}-{minute}-{user}", ts=ts, received_at=ts, day=ts[:10],
        device=f"d:{device}" if device else f"u:{user}", anonymous_id=device, user_id=user, holds=bool(user),
        type="page", url="https://shop.example/secret", title="Secret", ip="10.0.0.0", traits={"name": "Ada"},
    )  # fmt: skip


SUPPRESSED = Suppression(
    KEY,
    frozenset({user_hash(KEY, "shop", "ada")}),
    {device_hash(KEY, "shop", "laptop"): ms_of(NOON) + 60_000},
    {device_hash(KEY, "shop", "tablet"): ((ms_of(NOON), ms_of(NOON) + 120_000),)},
)


@pytest.mark.parametrize(
    "kept",
    [
        hit(1, user="bob"), hit(1, user="ada", workspace="other"), hit(3), hit(-1), hit(2, device="laptop"),
        hit(1, user="bob", device="laptop"), hit(1, device="laptop", workspace="other"), hit(1, device=""),
    ],
    ids=lambda h: f"{h.workspace}-{h.event_id}",
)  # fmt: skip
def test_everybody_else_is_kept_as_they_are(kept: Hit) -> None:
    """Other users, other workspaces, other times; and what is done later on a device that was theirs."""
    assert SUPPRESSED.hit(kept) is kept


@pytest.mark.parametrize(
    "gone",
    [
        hit(1),
        hit(0),
        hit(2),
        hit(0, device="laptop"),
        hit(0, user="ada", device="laptop"),
        hit(0, user="ada", device=""),
    ],
    ids=lambda h: h.event_id,
)
def test_what_was_theirs_is_not_taken_again(gone: Hit) -> None:
    """Pages in their time on a device of others, anything on their own, logins without a device."""
    assert SUPPRESSED.hit(gone) is None


def test_a_login_elsewhere_leaves_its_time_and_nothing_else() -> None:
    """The same stub each time; another name on another device, so that the two cannot be told to be one."""
    left = SUPPRESSED.hit(hit(1, user="ada"))
    assert left is not None
    assert left == SUPPRESSED.hit(hit(1, user="ada"))

    told = msgspec.json.encode(left)
    assert not any(word in told for word in (b"ada", b"ecret", b"Ada", b"10.0.0.0"))
    assert ("erased", True, nameless(KEY, "shop", "tablet", "ada")) == (left.type, left.holds, left.user_id)
    assert left.user_id != nameless(KEY, "shop", "phone", "ada")


def test_a_statement_about_them_is_not_taken() -> None:
    """Whoever else it names."""
    told = [
        Alias(workspace="shop", event_id="e", ts=NOON, received_at=NOON, user_id=a, previous_id=b, authority="secret")
        for a, b in (("ada", "bob"), ("bob", "ada"), ("bob", "eve"))
    ]

    assert told[2:] == SUPPRESSED.aliases(told)


def test_hashes_say_nothing_without_the_key(tmp_path: Path) -> None:
    """Another key, other hashes; it is made once, for its owner alone, and a short one is refused by name."""
    path = tmp_path / "keys" / "erasure.key"
    key = erasure_key(path)

    assert (key, 0o600) == (erasure_key(path), path.stat().st_mode & 0o777)
    assert user_hash(key, "shop", "ada") != user_hash(KEY, "shop", "ada")
    assert KEY.decode() not in repr(SUPPRESSED)
    path.write_text("short")
    with pytest.raises(NoKey, match="at least 32 bytes"):
        erasure_key(path)


def test_a_record_loses_her_lines_and_no_other_byte() -> None:
    """Lines of others keep the very bytes they had; a broken line goes only if it names her."""
    gone = Forgotten("shop", frozenset({"ada"}), frozenset(), frozenset({"laptop"}), frozenset(), hit(9).ts, KEY)
    others = [b'{"workspace":"shop" , "broken', msgspec.json.encode(hit(1, user="bob")), msgspec.json.encode(hit(2))]
    hers = [msgspec.json.encode(hit(1, device="laptop")), b"ada{", msgspec.json.encode(hit(3, user="ada", device=""))]
    mixed = b"\n".join([others[0], hers[0], others[1], hers[1], hers[2], others[2]])

    assert b"\n".join(others) == rewritten(mixed, "hit/1", gone)
    assert b"\n".join(others) == rewritten(b"\n".join(others), "hit/1", gone)


@pytest.mark.parametrize(
    "payload",
    [b"uid=ad%C3%A9%2Bx%40shop", b'{"u":"ad\\u00e9+x@shop"}',
     '{"u":"adé+x@shop"}'.encode()],
)  # fmt: skip
def test_a_dead_letter_names_her_however_it_spells_her(payload: bytes) -> None:
    """As a form or URL has it, and as JSON does; another name in it is none of hers."""
    gone = Forgotten("shop", frozenset({"adé+x@shop"}), frozenset(), frozenset(), frozenset(), NOON, KEY)
    text = base64.b64encode(payload).decode()

    assert names_her(text, "", gone)
    assert not names_her(text, "", msgspec.structs.replace(gone, users=frozenset({"bob"})))


async def test_ingest_counts_them_and_answers_as_ever(tmp_path: Path) -> None:
    """The answer must not tell who was forgotten."""
    log = FakeLog(1)
    async with running(tmp_path, log) as app:
        app.suppress(Suppression(KEY, frozenset({user_hash(KEY, "shop", "ada")})))
        body = b'[{"event_id":"a","user_id":"ada"},{"event_id":"b","user_id":"bob"}]'
        answer = await post_hits(app, body)

        assert (200, b'{"accepted":2,"rejected":[]}') == (answer.status, answer.body)
        assert 1 == app.counts.hits["web", "native", "refused", "erased"]
    assert ["bob"] == [kept.user_id for kept in hits_in(log)]


async def test_a_change_of_keys_is_stated_once(tmp_path: Path) -> None:
    """Not with every hit: the statement would be the same."""
    keys = {"new": b"n" * 32, "old": b"o" * 32}
    policy = {"key_id": "k2", "key_file": "new", "previous": {"key_id": "k1", "key_file": "old"}}
    entry = {
        "workspace": "demo",
        "site": "demo",
        "native": {"page_keys": ["page-key"]},
        "policy": {"pseudonyms": policy},
    }
    log = FakeLog(1)
    async with running(tmp_path, log, where=parse_sites({"sites": [entry]}, keys.__getitem__)) as app:
        for number in range(3):
            await post_hits(app, b'[{"event_id":"%d","user_id":"ada"}]' % number)
    said = [msgspec.json.decode(record.value, type=Alias) for record in log.records[ALIASES, 0]]

    assert ["k2:"] == [one.user_id[:3] for one in said]
    assert ["k1:"] == [one.previous_id[:3] for one in said]
    assert {one.user_id for one in hits_in(log)} == {said[0].user_id}
