"""Addresses, campaigns, forms, IDs and paths: the parts that all protocols share."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.protocols.addresses import truncated
from pipeline.protocols.campaigns import NO_CAMPAIGN, Campaign, campaign_in, campaign_of
from pipeline.protocols.event_ids import CONTENT, content_id, uuid7
from pipeline.protocols.forms import PAIRS_MAX, as_text, parse_body, parse_form, texts_of, too_many
from pipeline.protocols.hits import first_language
from pipeline.protocols.registry import PROTOCOLS, protocol_at
from tests.protocols.build import NOW_MS


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("203.0.113.77", "203.0.113.0"),
        ("::ffff:203.0.113.77", "203.0.113.0"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::"),
        ("fe80::1%eth0", "fe80::"),
        ("127.0.0.1", "127.0.0.0"),
        ("", ""),
        ("unix:", ""),
        ("999.1.1.1", ""),
        ("203.0.113.77:80", ""),
    ],
)
def test_an_address_is_cut_to_its_network(address: str, expected: str) -> None:
    """/24 and /48; what is no address is none."""
    assert expected == truncated(address)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "https://x/?utm_source=news&utm_medium=mail&utm_campaign=may&utm_term=t&utm_content=c",
            ("news", "mail", "may", "t", "c"),
        ),
        ("https://x/?mtm_source=a&mtm_medium=b&mtm_campaign=c&mtm_kwd=d&mtm_content=e", ("a", "b", "c", "d", "e")),
        ("https://x/?pk_campaign=c&pk_keyword=k", ("", "", "c", "k", "")),
        ("https://x/?matomo_campaign=c&piwik_kwd=k", ("", "", "c", "k", "")),
        ("https://x/#mtm_campaign=frag", ("", "", "frag", "", "")),
        ("https://x/?a=1#?utm_source=frag", ("frag", "", "", "", "")),
        ("https://x/?utm_source=first&utm_source=second", ("first", "", "", "", "")),
        ("https://x/?utm_source=null&utm_medium=", ("", "", "", "", "")),
        ("https://x/?utm_source=caf%C3%A9+au%20lait", ("café au lait", "", "", "", "")),
        ("https://x/?utm_source=%00a", ("a", "", "", "", "")),
        ("https://x/utm_source=path", ("", "", "", "", "")),
        ("https://x/", ("", "", "", "", "")),
    ],
)
def test_a_campaign_is_found_under_all_its_names(url: str, expected: tuple[str, ...]) -> None:
    """In the query, or in the fragment, where Matomo allows it."""
    assert Campaign(*expected) == campaign_in(url)


def test_a_campaign_is_bounded() -> None:
    """Values are cut at 255 characters; none is the same object each time."""
    assert Campaign(source="v" * 255) == campaign_of([("utm_source", "v" * 300)])
    assert campaign_in("https://x/") is NO_CAMPAIGN


def test_a_form_is_read_as_php_reads_it() -> None:
    """The last of two wins, `+` is a space, blanks stay, bad UTF-8 is replaced, NUL is taken out."""
    assert {"a": "2", "b": "x y", "c": "", "d": "\ufffd", "e": "xy"} == parse_form(b"a=1&a=2&b=x+y&c=&d=%ff&e=x%00y")


def test_a_form_is_bounded() -> None:
    """512 pairs are read, the rest is not, and that can be known."""
    at_limit = b"&".join(b"k%d=v" % n for n in range(PAIRS_MAX))
    beyond = at_limit + b"&one=more"

    assert PAIRS_MAX == len(parse_form(at_limit)) == len(parse_form(beyond))
    assert (False, True) == (too_many(at_limit), too_many(beyond))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            b'{"a": "x", "n": 1, "f": 1.5, "t": true, "no": false, "null": null, "o": {"k": [1]}}',
            {"a": "x", "n": "1", "f": "1.5", "t": "1", "no": "", "null": "", "o": '{"k":[1]}'},
        ),
        (b"a=x&n=1", {"a": "x", "n": "1"}),
        (b'  \n{"a": 1}', {"a": "1"}),
        (b"[1]", {}),
        (b"{nope", {}),
        (b"", {}),
        (b'{"a": "\\ud800\\u0000b"}', {"a": "?b"}),
    ],
)
def test_a_body_is_sniffed(body: bytes, expected: dict[str, str]) -> None:
    """The Content-Type of trackers is not to be believed."""
    assert expected == parse_body(body)


@given(st.binary(max_size=300))
def test_no_bytes_break_a_form(body: bytes) -> None:
    """Any bytes have parameters, perhaps none, and all of them can be written as UTF-8."""
    for name, value in (parse_form(body) | parse_body(body)).items():
        assert "\0" not in (name + value).encode().decode()


def test_only_objects_have_parameters() -> None:
    """And what cannot be written as JSON again is empty."""
    assert {} == texts_of([{"a": 1}])
    assert as_text({"a": "\ud800"}) == ""


def test_a_content_id_is_a_function_of_site_and_content() -> None:
    """UUID version 5 by the book, so that anyone can compute it."""
    assert str(uuid.uuid5(uuid.UUID(bytes=CONTENT), "web\nabc")) == content_id("web", b"abc")
    assert content_id("web", b"abc") != content_id("app", b"abc")
    assert content_id("web", b"abc", 1) not in (content_id("web", b"abc"), content_id("web", b"abc\n1x"))


def test_a_made_id_is_a_uuid_of_its_moment() -> None:
    """Version 7, the millisecond in front."""
    made = uuid.UUID(uuid7(NOW_MS, bytes(range(10))))

    assert (7, NOW_MS) == (made.version, made.int >> 80)
    assert made.variant == "specified in RFC 4122"


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [("de-DE,de;q=0.9", "de-DE"), ("en;q=1", "en"), ("*", ""), ("", ""), ("x" * 36, ""), ("<script>", "")],
)
def test_the_first_language_counts(accepted: str, expected: str) -> None:
    """As the browser lists them."""
    assert expected == first_language(accepted)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v1/hits", "native"),
        ("/v1/hits/", None),
        ("/x/v1/hits", None),
        ("/matomo.php", "matomo"),
        ("/piwik.php", "matomo"),
        ("/any/where/matomo.php", "matomo"),
        ("//matomo.php", "matomo"),
        ("/xmatomo.php", None),
        ("/matomo.php/x", None),
        ("/webhooks/abc", "metricswave"),
        ("/webhooks/", None),
        ("/webhooks/a/b", None),
        ("/", None),
        ("", None),
    ],
)
def test_a_path_belongs_to_one_protocol(path: str, expected: str | None) -> None:
    """Exact, by last segment, or by prefix."""
    found = protocol_at(path)

    assert expected == (found.name if found else None)


def test_no_place_belongs_to_two_protocols() -> None:
    """The first would hide the second."""
    places = [place for p in PROTOCOLS for place in (*p.paths, *p.suffixes, *p.prefixes)]

    assert len(set(places)) == len(places)
