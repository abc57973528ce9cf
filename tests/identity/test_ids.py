"""What counts as an ID, and the ID of a person, against the text and the standard library."""

import hashlib
import re
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.identity.ids import (
    BannedIds,
    device_of,
    device_person,
    hit_person,
    legal_id,
    reference_person,
    user_person,
)

WORDS = [
    *("null", "undefined", "none", "nil", "nan", "n/a", "na", "0", "-1", "true", "false", "anonymous", "guest", ""),
    *("unknown", "unidentified", "test", "id", "user_id", "userid", "email", "distinct_id", "not_authenticated"),
    *("anonymoususer", "[object object]"),
]
ZEROS = ["00000000-0000-0000-0000-000000000000", "{00000000-0000-0000-0000-000000000000}", "{}", "--", "000", "{0-0}"]
SPELLED = ["NaN", "[object Object]", "anonymousUser", "AnonymousUser", "NULL", "None", "userId", "N/A", "False"]
BY_THE_BOOK = uuid.uuid5(uuid.NAMESPACE_URL, "https://seamline.dev/person")
names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=255)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("text", [*WORDS, *ZEROS, *SPELLED])
@pytest.mark.parametrize("dress", [str, str.upper, str.title, " {}".format, "{}\t\n".format, "\u00a0{} ".format])
def test_no_id_in_any_dress(text: str, dress: type[str]) -> None:
    """Blocked words and runs of `0 - { }` are no IDs, whatever their case and the blanks around them."""
    assert legal_id(dress(text)) == ""


@pytest.mark.parametrize("text", [*WORDS, *ZEROS[:2], *SPELLED])
def test_hashing_a_blocked_word_does_not_make_an_id(text: str) -> None:
    """Trackers that hash on the client hash "null" too; upper-case hex is the same hash."""
    assert legal_id(_sha256(text)) == ""
    assert legal_id(_sha256(text).upper()) == ""


@pytest.mark.parametrize(
    "text",
    ["alice", "00a", "1", "-2", "nully", "tests", "{a}", "0.0", "object", _sha256("alice"), "user_id_7", "nil nil"],
)
def test_a_word_that_only_looks_like_one_is_an_id(text: str) -> None:
    """Nothing is blocked by being part of something else."""
    assert legal_id(text) == text


def test_too_long_is_illegal_and_never_cut() -> None:
    """255 characters are an ID, 256 are none; blanks around do not count."""
    assert legal_id("a" * 255) == "a" * 255
    assert legal_id("  " + "ä" * 255 + "  ") == "ä" * 255
    assert legal_id("a" * 256) == ""


@given(st.text(max_size=300), st.sampled_from(("", " ", "\t", "\r\n", "\u2003")))
def test_a_legal_id_is_used_trimmed_and_otherwise_unchanged(text: str, blank: str) -> None:
    """Byte for byte, and trimming again changes nothing."""
    used = legal_id(blank + text + blank)

    assert used in ("", text.strip())
    assert legal_id(used) == used


def test_a_site_bans_its_own() -> None:
    """Texts and patterns compare trimmed and case-folded; a pattern must match the whole text."""
    banned = BannedIds(texts=frozenset({"kiosk"}), patterns=(re.compile(r"bot-\d+"),))

    assert legal_id(" KIOSK ", banned) == ""
    assert legal_id("Bot-17", banned) == ""
    assert legal_id("robot-17", banned) == "robot-17"
    assert legal_id("bot-17b", banned) == "bot-17b"
    assert legal_id("null", banned) == ""


@given(names, names)
def test_person_ids_are_uuid5_by_the_book(workspace: str, name: str) -> None:
    """The shortcut gives what the standard library gives, for users, devices and lone hits."""
    namespace = uuid.uuid5(BY_THE_BOOK, workspace)

    assert user_person(workspace, name) == str(uuid.uuid5(namespace, f"user:{name}"))
    assert device_person(workspace, name) == str(uuid.uuid5(namespace, f"device:{name}"))
    assert hit_person(workspace, name) == str(uuid.uuid5(namespace, f"hit:{name}"))
    assert reference_person(workspace, f"user:{name}") == user_person(workspace, name)


@given(names)
def test_a_person_of_one_kind_is_never_one_of_another(name: str) -> None:
    """A device called like a user, in this workspace or another, is somebody else."""
    persons = [make(shop, name) for make in (user_person, device_person, hit_person) for shop in ("a", "b")]

    assert len(set(persons)) == len(persons)


def test_the_device_of_a_hit() -> None:
    """Anonymous ID, else user ID, else the event itself; the letter in front keeps them apart."""
    assert device_of("laptop", "alice", "e1") == "d:laptop"
    assert device_of("", "alice", "e1") == "u:alice"
    assert device_of("", "", "e1") == "h:e1"
