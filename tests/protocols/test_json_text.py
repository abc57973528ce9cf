"""JSON from strangers: every limit at N and N + 1, and what cannot be JSON at all."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.limits import DEPTH_MAX, KEY_BYTES_MAX, PROPERTIES_MAX, VALUE_BYTES_MAX
from pipeline.protocols.json_text import Decoded, Malformed, decode, object_fault, text_fault


def nested(depth: int, kind: type = dict) -> Any:
    """An object of that depth, the outermost being 1."""
    value: Any = 1
    for _ in range(depth - 1):
        value = {"k": value} if kind is dict else [value]
    return {"k": value}


@pytest.mark.parametrize(
    ("at_limit", "beyond", "fault"),
    [
        (
            {str(n): n for n in range(PROPERTIES_MAX)},
            {str(n): n for n in range(PROPERTIES_MAX + 1)},
            ("", "properties"),
        ),
        ({"k" * KEY_BYTES_MAX: 1}, {"k" * (KEY_BYTES_MAX + 1): 1}, ("", "a key longer")),
        ({"é" * (KEY_BYTES_MAX // 2): 1}, {"é" * (KEY_BYTES_MAX // 2) + "e": 1}, ("", "a key longer")),
        ({"a": "v" * VALUE_BYTES_MAX}, {"a": "v" * (VALUE_BYTES_MAX + 1)}, ("a", "longer")),
        ({"a": "é" * (VALUE_BYTES_MAX // 2)}, {"a": "é" * (VALUE_BYTES_MAX // 2) + "e"}, ("a", "longer")),
        (nested(DEPTH_MAX), nested(DEPTH_MAX + 1), ("k", "nested deeper")),
        (nested(DEPTH_MAX, list), nested(DEPTH_MAX + 1, list), ("k", "nested deeper")),
        ({"a": [1] * 4 * PROPERTIES_MAX}, {"a": [1] * (4 * PROPERTIES_MAX + 1)}, ("a", "nested values")),
        ({"a": {"b": "v" * VALUE_BYTES_MAX}}, {"a": {"b": "v" * (VALUE_BYTES_MAX + 1)}}, ("a.b", "longer")),
        ({"a": {"k" * KEY_BYTES_MAX: 1}}, {"a": {"k" * (KEY_BYTES_MAX + 1): 1}}, ("a", "a key longer")),
    ],
)
def test_a_limit_holds_at_n_and_not_beyond(at_limit: Any, beyond: Any, fault: tuple[str, str]) -> None:
    """And what breaks it is named by its path."""
    found = object_fault(beyond)

    assert object_fault(at_limit) is None
    assert found is not None
    assert found[0] == fault[0]
    assert fault[1] in found[1]


@pytest.mark.parametrize("suspect", [True, False])
def test_limits_do_not_depend_on_suspicion(suspect: bool) -> None:
    """The quick path for bodies that hold neither NUL nor surrogates still measures."""
    assert object_fault({"k" * 300: 1}, suspect) is not None
    assert object_fault({"a": "v" * 9_000}, suspect) is not None
    assert object_fault({"a": {"b": ["v" * 9_000]}}, suspect) == ("a.b.0", f"longer than {VALUE_BYTES_MAX} bytes")


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (b'{"a": NaN}', "a"),
        (b'{"a": -Infinity}', "a"),
        (b'{"a": 1e999}', "a"),
        (b'{"a": "\\ud800"}', "a"),
        (b'{"a": "x\\u0000y"}', "a"),
        (b'{"a": "x\x00y"}', "a"),
        (b'{"a": {"b": [1, NaN]}}', "a.b.1"),
        (b'{"a": {"b": "\\udfff"}}', "a.b"),
        (b'{"\\ud800": 1}', ""),
        (b'{"a": {"\\u0000": 1}}', "a"),
        (b'{"a": ' + b"9" * 5_000 + b"}", "a"),
    ],
)
def test_what_json_cannot_hold_is_found_and_named(body: bytes, where: str) -> None:
    """The strict decoder would refuse the whole body; here the place is known and neighbours can be kept."""
    decoded = decode(body)

    assert isinstance(decoded, Decoded)
    found = object_fault(decoded.value, decoded.suspect)
    assert found is not None
    assert found[0] == where


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"  ",
        b"{",
        b"nope",
        b"{'a':1}",
        b'{"a":1,}',
        b"[1 2]",
        b'{"a":01}',
        b'{"a":"\xff"}',
        b"\xfe\xff\x00{",
        b'"\xed\xa0\x80"',
    ],
)
def test_what_is_not_json_says_why_without_quoting_it(body: bytes) -> None:
    """The reason may be logged and sent back; the body may hold personal values."""
    decoded = decode(body)

    assert isinstance(decoded, Malformed)
    assert decoded.reason.startswith(("not JSON", "not UTF-8"))


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_bottomless_nesting_is_an_answer_not_a_crash(opening: bytes) -> None:
    """Every parser recurses; none of them is let down that far."""
    assert decode(opening * 100_000) == Malformed(f"nested deeper than {DEPTH_MAX}")


def test_a_byte_order_mark_is_skipped_and_the_last_key_wins() -> None:
    """Defined repairs."""
    assert decode(b'\xef\xbb\xbf{"a": 1, "a": 2}') == Decoded({"a": 2}, True)


def test_long_numbers_are_floats() -> None:
    """In both decoders: strict, and the lenient one that a neighbour's NaN calls in."""
    assert [1.2345678901234568e20] == [decode(b"[123456789012345678901]").value[0]]
    assert 1.2345678901234568e20 == decode(b"[123456789012345678901, NaN]").value[0]


@given(st.binary(max_size=200))
def test_no_bytes_break_the_decoder(body: bytes) -> None:
    """Any bytes are JSON or malformed."""
    assert isinstance(decode(body), Decoded | Malformed)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), _json, max_size=6))
def test_what_passes_can_be_written_again(value: dict[str, Any]) -> None:
    """Whatever survives the check is finite, encodable and equal after a round trip."""
    decoded = decode(json.dumps(value).encode())

    assert isinstance(decoded, Decoded)
    if object_fault(decoded.value, decoded.suspect) is None:
        again = decode(json.dumps(decoded.value, ensure_ascii=False, allow_nan=False).encode())
        assert isinstance(again, Decoded)
        assert again.value == decoded.value


def test_text_is_measured_in_bytes_and_only_searched_when_suspect() -> None:
    """A body without an escaped NUL or surrogate cannot hold either: the search is skipped there."""
    assert text_fault("x" * 9, 8) == "longer than 8 bytes"
    assert text_fault("é" * 4, 8) == ""
    assert text_fault("é" * 5, 8) == "longer than 8 bytes"
    assert text_fault("\0") == "contains NUL"
    assert text_fault("\ud800") == "contains a lone surrogate"
    assert text_fault("\0", suspect=False) == ""
    assert text_fault("ok") == ""
