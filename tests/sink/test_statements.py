"""Nobody who was forgotten is named again by what others say of them."""

from collections.abc import Sequence

import msgspec

from pipeline.log.port import ALIASES, Record
from pipeline.model import ALIAS_SCHEMA, Alias
from pipeline.privacy.suppression import NOBODY, Suppression, user_hash
from pipeline.sink.batch import Line, sort
from pipeline.sink.statements import spoken

NOON = "2026-09-01T12:00:00.000Z"
KEY = b"k" * 32
ADA = Suppression(KEY, frozenset({user_hash(KEY, "shop", "ada")}))


def lines(*pairs: tuple[str, str]) -> list[Line]:
    said = [
        Alias(workspace="shop", event_id=a + b, ts=NOON, received_at=NOON, user_id=a, previous_id=b, authority="page")
        for a, b in pairs
    ]
    body = b"\n".join([*map(msgspec.json.encode, said), b"{nothing"])
    return sort([Record(ALIASES, 0, 0, body, {"schema": ALIAS_SCHEMA}, 0)], (ALIAS_SCHEMA,)).lines(ALIAS_SCHEMA)


def numbers(kept: Sequence[Line]) -> list[int]:
    return [line.number for line in kept]


def test_statements_about_the_forgotten() -> None:
    """From either side; what cannot be read is for the table to refuse, and is not lost here."""
    said = lines(("ada", "bob"), ("bob", "ada"), ("bob", "cleo"))

    assert [2, 3] == numbers(spoken(said, ADA))
    assert [0, 1, 2, 3] == numbers(spoken(said, NOBODY))
